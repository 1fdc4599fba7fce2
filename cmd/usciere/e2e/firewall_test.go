//go:build e2e

package e2e

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// A workstation that asks elsewhere is answered by usciere all the same; what would lead around it is closed.
func TestTheFirewallLeavesNoOtherDNS(t *testing.T) {
	var config string
	h := openHall(t, "", func(c, _ string) { config = c })
	ruleset := run(t, exec.Command(program, "firewall", "nft", "--config", config))
	if ruleset.code != 0 {
		t.Fatal(ruleset)
	}
	outside := newMachine(t)
	const elsewhere, public = "198.51.100.1", "8.8.8.8"
	h.connect(outside, "internet", elsewhere)
	h.do("ip", "route", "add", public+"/32", "dev", "internet")
	outside.do("ip", "addr", "add", public+"/32", "dev", "lo")
	h.do("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.proxy_arp=1")
	answer := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		rr, _ := dns.NewRR(q.Question[0].Name + " 30 IN A 198.51.100.99")
		m.Answer = append(m.Answer, rr)
		_ = w.WriteMsg(m)
	})
	for _, s := range []*dns.Server{{PacketConn: outside.listenPacket(elsewhere + ":53"), Handler: answer}, {Listener: outside.listen(elsewhere + ":53"), Handler: answer}} {
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	for _, addr := range []string{elsewhere + ":853", public + ":443", elsewhere + ":443"} {
		l := outside.listen(addr)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_ = c.Close()
			}
		}()
	}
	desk := h.workstation("desk", "10.20.5.5")
	asks := func(m *machine, how, want string) {
		t.Helper()
		args := append([]string{"dig", "+short", "+tries=1", "+timeout=5"}, strings.Fields(how)...)
		if r := run(t, m.command(args...)); strings.TrimSpace(r.out) != want {
			t.Errorf("dig %s: %s; want %s", how, r, want)
		}
	}
	reaches := func(addr string, want bool) {
		t.Helper()
		err := desk.inside(func() error {
			c, err := net.DialTimeout("tcp4", addr, patience)
			if err == nil {
				c.Close()
			}
			return err
		})
		if (err == nil) != want {
			t.Errorf("%s is reached: %v", addr, err)
		}
	}
	asks(desk, "@"+elsewhere+" www.example.com", "198.51.100.99")
	reaches(elsewhere+":853", true)
	reaches(public+":443", true)

	file := write(t, filepath.Join(t.TempDir(), "usciere.nft"), ruleset.out)
	for range 2 { // it can be loaded again
		h.do(tool(t, "nft"), "-f", file)
	}
	asks(desk, "@"+elsewhere+" www.example.com", hallAddress)
	asks(desk, "+tcp @"+elsewhere+" www.example.com", hallAddress)
	asks(desk, "@"+hallAddress+" www.example.com", hallAddress)
	asks(h.machine, "@"+elsewhere+" www.example.com", "198.51.100.99") // the resolver itself
	reaches(elsewhere+":853", false)
	reaches(public+":443", false)
	reaches(elsewhere+":443", true)
	also := run(t, exec.Command(program, "firewall", "nft", "--config", config, "--also", elsewhere))
	h.do("nft", "-f", write(t, file, also.out))
	asks(desk, "@"+elsewhere+" www.example.com", "198.51.100.99") // of the second resolver
	asks(desk, "@"+public+" www.example.com", hallAddress)
	reaches(elsewhere+":853", true)
	h.do("nft", "delete", "table", "inet", "usciere")
	asks(desk, "@"+elsewhere+" www.example.com", "198.51.100.99")
}
