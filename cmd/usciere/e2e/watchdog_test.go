//go:build e2e

package e2e

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// systemd is told when the daemon is ready, that it is well for as long as it answers, and when it stops.
func TestSystemdIsToldHowItIs(t *testing.T) {
	at := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", at)
	t.Setenv("WATCHDOG_USEC", "300000")
	d := demo(t)
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
	told("WATCHDOG=1", 5)
	d.stop()
	told("STOPPING=1", 1)
}
