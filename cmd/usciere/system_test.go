package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"usciere/cmd/usciere/settings"
)

func TestALookAtTheMachineSaysHowToMendIt(t *testing.T) {
	held, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	s := settings.Default()
	at := func(listen string) finding {
		s.Listen = []string{listen}
		return lookAtPorts(s)
	}
	if f := at("127.0.0.1:0"); f.fault != "" {
		t.Errorf("a port that is free: %s", f.fault)
	}
	if f := at(held.LocalAddr().String()); !strings.Contains(f.fault, "the port is taken") {
		t.Errorf("a port that is taken: %+v", f)
	}
	if f := at("192.0.2.1:53"); !strings.Contains(f.fault, "not on this machine") {
		t.Errorf("an address of another machine: %+v", f)
	}
	if f := lookAtFiles(s); f.fault != "" && !strings.Contains(f.fault, "LimitNOFILE") {
		t.Errorf("files: %+v", f)
	}
	s.TCP.Connections = 1 << 40
	if f := lookAtFiles(s); !strings.Contains(f.fault, "raise LimitNOFILE") {
		t.Errorf("more connections than files: %+v", f)
	}
	folder := filepath.Join(t.TempDir(), "not", "yet")
	if f := lookAtDisk(folder); f.fault != "" && !strings.Contains(f.fault, "free") || f.fault == "" && !strings.HasPrefix(f.fine, folder+", ") {
		t.Errorf("a folder that is not there yet: %+v", f)
	}
	if f := lookAtDisk("/proc/none"); f.about != "disk" {
		t.Errorf("%+v", f)
	}
	for _, f := range lookAtSystem(s, folder) {
		if f.about == "" || f.fine == "" && f.fault == "" || strings.Contains(f.fault, "\n") {
			t.Errorf("%+v says nothing, or too much", f)
		}
	}
}
