//go:build e2e

package e2e

import (
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

// Two resolvers with one secret know each other's cookies; dig says whether what comes back is a good one.
func TestResolversBehindOneAddressShareTheirCookies(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "secret"), "e5e973e5a6b2a43f48e7dc849e37bfcf\n")
	config := write(t, filepath.Join(folder, "usciere.yaml"), `
listen: ["127.0.0.1:0"]
town: {site: [127.10.0.0/16, 127.0.0.1/32]}
portal: {enabled: false}
identity: {cookie_secret_file: secret}
`)
	one := serve(t, setup{args: []string{"--demo", "--config", config}})
	two := serve(t, setup{args: []string{"--demo", "--config", config}})
	asked := func(d *daemon, cookie string) string {
		t.Helper()
		r := run(t, exec.Command(tool(t, "dig"), "-b", "127.10.1.5", "@127.0.0.1", "-p", portOf(d.addr), "+tries=1", "+cookie="+cookie, "www.inps.it"))
		if !strings.Contains(r.out, "(good)") {
			t.Fatalf("dig does not find the cookie good:\n%s", r.out)
		}
		return regexp.MustCompile(`COOKIE: ([0-9a-f]+)`).FindStringSubmatch(r.out)[1]
	}
	first := asked(one, "0102030405060708")
	if len(first) != 48 {
		t.Errorf("the cookie is %s", first)
	}
	if got := asked(two, first); got != first {
		t.Errorf("the second resolver took %s for none of its own: %s", first, got)
	}
	write(t, filepath.Join(folder, "secret"), "short")
	refuses(t, served(t, "--config", config, "--state", t.TempDir()), "identity.cookie_secret_file", "openssl rand -hex 16")
}

// Whoever forges addresses outside the site has few replies sent there; the town does not notice.
func TestS4RepliesToForgedStrangersAreFew(t *testing.T) {
	folder := t.TempDir()
	config := write(t, filepath.Join(folder, "usciere.yaml"), `
listen: ["127.0.0.1:0"]
town: {site: [127.10.0.0/16, 127.0.0.1/32]}
portal: {enabled: false}
`)
	d := serve(t, setup{args: []string{"--demo", "--config", config}})
	query, err := question("www.inps.it", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 99, 0, 1)}, net.UDPAddrFromAddrPort(d.addr))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	begun := time.Now()
	for range 2000 {
		if _, err := conn.Write(query); err != nil {
			t.Fatal(err)
		}
	}
	seconds := int(time.Since(begun)/time.Second) + 2
	replies := 0
	for buf := make([]byte, 512); ; replies++ {
		conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		if _, err := conn.Read(buf); err != nil {
			break
		}
	}
	if replies == 0 {
		t.Error("no stranger was answered at all")
	}
	atMost(t, "replies to 2000 questions of a stranger's address in a second", replies/seconds, 20, "")
	if raw, err := dnstest.ExchangeRaw("udp", d.addr.String(), "127.10.1.5", query, patience); err != nil || len(raw) < 12 {
		t.Errorf("the town is not answered: %v", err)
	}
	if held := d.status().Counters.HeldBack; int(held)+replies < 1900 {
		t.Errorf("%d are counted as held back, %d were answered", held, replies)
	}
	says(t, d.must("status"), "held back, too many to a network outside the site")
}
