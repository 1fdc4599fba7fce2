//go:build e2e

package e2e

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// systemd is told when the daemon is ready, that it is well for as long as it answers, and when it stops; also where the question that it asks
// itself comes from a stranger, or from where only balancers ask.
func TestSystemdIsToldHowItIs(t *testing.T) {
	for name, settings := range map[string]string{
		"of the site":       "",
		"a stranger":        "town: {site: [127.10.0.0/16]}\nlimits: {strangers: 1}\n",
		"behind a balancer": "front: {proxy: [127.0.0.1/32]}\n",
	} {
		t.Run(name, func(t *testing.T) { isTold(t, settings) })
	}
}

func isTold(t *testing.T, settings string) {
	at := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", at)
	t.Setenv("WATCHDOG_USEC", "300000")
	config := write(t, filepath.Join(t.TempDir(), "usciere.yaml"), settings+"listen: [\"127.0.0.1:0\"]\n")
	d := serve(t, setup{args: []string{"--demo", "--config", config}})
	told := func(what string, times int) {
		t.Helper()
		buf := make([]byte, 4096)
		for seen := 0; seen < times; {
			conn.SetReadDeadline(time.Now().Add(patience))
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatalf("%s was told %d times, not %d: %v", what, seen, times, err)
			}
			if strings.Contains(string(buf[:n]), what) {
				seen++
			}
		}
	}
	told("READY=1", 1)
	told("WATCHDOG=1", 10)
	if log := d.log.String(); strings.Contains(log, "watchdog") {
		t.Errorf("it found itself unwell:\n%s", log)
	}
	d.stop()
	told("STOPPING=1", 1)
}
