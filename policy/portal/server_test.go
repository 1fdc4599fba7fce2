package portal

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// S13: a thousand clients that never end their request keep nobody out.
func TestSlowClientsKeepNobodyOut(t *testing.T) {
	p := open(t)
	var slow []net.Conn
	defer func() {
		for _, c := range slow {
			c.Close()
		}
	}()
	for i := range 1000 {
		c := p.dial(fmt.Sprintf("127.10.%d.%d", 100+i/200, 1+i%200))
		slow = append(slow, c)
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: www.in"); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		if r := p.get(anagrafe, "www.inps.it", "/"); r.status != 403 || !strings.Contains(r.body, "Chiedi") {
			t.Fatalf("status %d", r.status)
		}
	}
	if n := p.server.ShownOut(); n < 1000-512 {
		t.Errorf("%d were shown out", n)
	}
}

func TestOneClientHasItsShareOfConnections(t *testing.T) {
	p := open(t, Limits{PerClient: 4})
	var mine []net.Conn
	for range 10 {
		mine = append(mine, p.dial(anagrafe))
	}
	closed := 0
	for _, c := range mine[:6] {
		if _, err := io.ReadAll(c); err == nil || !strings.Contains(err.Error(), "timeout") {
			closed++
		}
	}
	if n := p.server.ShownOut(); n != 6 {
		t.Errorf("%d were counted", n)
	}
	if closed != 6 {
		t.Errorf("%d of the six oldest were closed", closed)
	}
	if _, err := io.WriteString(mine[9], "GET / HTTP/1.1\r\nHost: www.inps.it\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if out, err := io.ReadAll(mine[9]); err != nil || !strings.HasPrefix(string(out), "HTTP/1.1 403") {
		t.Errorf("the newest: %.40q, %v", out, err)
	}
	for _, c := range mine {
		c.Close()
	}
}

func TestASlowRequestIsCutOff(t *testing.T) {
	p := open(t, Limits{Header: 50 * time.Millisecond, Whole: 100 * time.Millisecond})
	for name, text := range map[string]string{
		"nothing":   "",
		"a header":  "GET / HTTP/1.1\r\nHost: www.inps.it\r\n",
		"a form":    "POST /request HTTP/1.1\r\nHost: usciere.internal\r\nOrigin: http://usciere.internal\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nname=",
		"half line": "GET",
	} {
		begun := time.Now()
		out := p.raw(anagrafe, text)
		if took := time.Since(begun); took > 5*time.Second || strings.Contains(out, "200 OK") {
			t.Errorf("%s: after %s %.60q", name, took, out)
		}
	}
}

func TestWhoComesTooOftenIsForgottenInBoundedMemory(t *testing.T) {
	now := time.Unix(1e9, 0)
	l := newLimiter(3, time.Second, func() time.Time { return now })
	client := netip.MustParseAddr(anagrafe)
	for i, want := range []bool{true, true, true, false, false} {
		if got := l.allow(client); got != want {
			t.Errorf("%d: %v", i, got)
		}
	}
	now = now.Add(time.Second)
	if !l.allow(client) || l.allow(client) {
		t.Error("after a second: not one more")
	}
	for i := range 3 * maxLimited {
		l.allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if len(l.full) > maxLimited {
		t.Errorf("%d clients are remembered", len(l.full))
	}
	now = now.Add(time.Minute)
	if !l.allow(netip.MustParseAddr("10.9.9.9")) || len(l.full) > 2 {
		t.Errorf("a minute later: %d clients are remembered", len(l.full))
	}
}
