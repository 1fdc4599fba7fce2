package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

// town serves the demo with an upstream and settings of the test's own until the function it returns is called.
func town(t *testing.T, folder string, upstream *dnstest.Server, settings string) (*daemon, func()) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "usciere.yaml")
	if err := os.WriteFile(config, []byte("town: {site: [127.10.0.0/16]}\n"+settings), 0o600); err != nil {
		t.Fatal(err)
	}
	o := serveOptions{
		demo: true, config: config, listen: []string{"127.0.0.1:0"}, upstream: []string{upstream.Addr.String()}, state: folder,
		socket: filepath.Join(folder, "s"),
	}
	s, err := o.settings()
	if err != nil {
		t.Fatal(err)
	}
	d, err := open(s, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx, nil) }()
	return d, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		d.close()
	}
}

func TestTheCacheOutlivesARestart(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings string
		between  func(t *testing.T, snapshot string)
		want     int // times that the upstream is asked in both runs
	}{
		{"as it was left", "", nil, 1},
		{"not when it is off", "cache: {persist: false}", nil, 2},
		{"not when it is damaged", "", func(t *testing.T, snapshot string) {
			if err := os.Truncate(snapshot, 50); err != nil {
				t.Error(err)
			}
		}, 2},
		{"not when it is something else", "", func(t *testing.T, snapshot string) {
			if err := os.WriteFile(snapshot, []byte(strings.Repeat("hello ", 100)), 0o600); err != nil {
				t.Error(err)
			}
		}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			snapshot := filepath.Join(folder, "cache.snapshot")
			upstream := dnstest.Start(t, dnstest.Records("www.inps.it. 3600 IN A 192.0.2.1"))
			for run := range 2 {
				d, stop := town(t, folder, upstream, tt.settings)
				if _, err := os.Stat(snapshot); !os.IsNotExist(err) {
					t.Errorf("run %d: the snapshot is still there: %v", run+1, err)
				}
				m := dnstest.Exchange(t, "udp", d.dns.Addrs()[0].String(), "127.10.1.5", new(dns.Msg).SetQuestion("www.inps.it.", dns.TypeA))
				if len(m.Answer) != 1 {
					t.Errorf("run %d: %v", run+1, m)
				}
				stop()
				if tt.between != nil && run == 0 {
					tt.between(t, snapshot)
				}
			}
			if n := upstream.Asked("www.inps.it"); n != tt.want {
				t.Errorf("asked upstream %d times, want %d", n, tt.want)
			}
			if info, err := os.Stat(snapshot); (err == nil) != (tt.settings == "") || err == nil && info.Mode().Perm() != 0o600 {
				t.Errorf("%v %v", info, err)
			}
		})
	}
}
