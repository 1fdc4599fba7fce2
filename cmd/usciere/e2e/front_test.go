//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

// dnsdist in front says who asks, in the PROXY protocol or as EDNS Client Subnet; who is not named in the settings is not believed.
func TestDnsdistInFront(t *testing.T) {
	for name, how := range map[string]string{"PROXY": "useProxyProtocol=true", "ECS": "useClientSubnet=true"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			const balancer, asked = "127.0.0.77", "www.anpr.interno.it"
			key := map[string]string{"PROXY": "proxy", "ECS": "ecs"}[name]
			config := write(t, filepath.Join(dir, "usciere.yaml"), fmt.Sprintf("front: {%s: [%s/32]}\nlisten: [\"127.0.0.1:0\"]\n", key, balancer))
			d := serve(t, setup{args: []string{"--demo", "--config", config}})
			port := portOf(freePort(t))
			conf := write(t, filepath.Join(dir, "dnsdist.conf"), fmt.Sprintf(
				"setLocal('127.0.0.1:%s')\nsetSecurityPollSuffix('')\nsetACL('127.0.0.0/8')\nsetECSSourcePrefixV4(32)\nsetECSOverride(true)\nnewServer{address='%s', source='%s', %s, tcpFastOpen=false, checkInterval=1}\n", port, d.addr, balancer, how))
			front := start(t, exec.Command(tool(t, "dnsdist"), "--supervised", "--disable-syslog", "-C", conf))
			ask := func(from string, tcp bool) string {
				args := []string{"+short", "+tries=1", "+timeout=2", "-b", from, "-p", port, "@127.0.0.1", asked, "A"}
				if tcp {
					args = append(args, "+tcp")
				}
				return strings.TrimSpace(run(t, exec.Command(tool(t, "dig"), args...)).out)
			}
			direct := func(from string) string {
				r := d.ask(from, asked, dns.TypeA)
				if len(r.Answer) == 0 {
					t.Fatalf("%s gets %v", from, r)
				}
				return strings.Fields(r.Answer[0].String())[4]
			}
			granted, blocked := direct("127.10.1.5"), direct("127.10.2.5")
			if granted == blocked || granted == "" {
				t.Fatalf("without anything in front, %q and %q", granted, blocked)
			}
			eventually(t, "dnsdist is in front", func() bool {
				if front.ended() {
					t.Fatalf("dnsdist ended: %s", front.log.String())
				}
				return ask("127.10.1.5", false) == granted
			})
			for _, tcp := range []bool{false, true} {
				if got := ask("127.10.1.5", tcp); got != granted {
					t.Errorf("tcp %v: an office that was granted the name gets %q, not %q", tcp, got, granted)
				}
				if got := ask("127.10.2.5", tcp); got != blocked {
					t.Errorf("tcp %v: another office gets %q, not %q", tcp, got, blocked)
				}
			}
			// Another says it as well, and is not believed; the balancer says nothing, and speaks for nobody.
			q := new(dns.Msg).SetQuestion(asked+".", dns.TypeA)
			q.SetEdns0(1232, false)
			q.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 32, Address: []byte{127, 10, 1, 5}}}
			if r := dnstest.Exchange(t, "udp", d.addr.String(), "127.10.2.5", q); len(r.Answer) != 1 || !strings.HasSuffix(r.Answer[0].String(), "\t"+blocked) {
				t.Errorf("who is not named is believed: %v", r)
			}
			silent := run(t, exec.Command(tool(t, "dig"), "+tries=1", "+timeout=1", "-b", balancer, "-p", portOf(d.addr), "@"+d.addr.Addr().String(), asked, "A")).out
			if want := map[string]string{"PROXY": "no servers could be reached", "ECS": "status: REFUSED"}[name]; !strings.Contains(silent, want) {
				t.Errorf("a balancer that says nothing gets\n%s", silent)
			}
		})
	}
}
