package resolver

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"usciere/policy"
)

func TestWhatIsServedEncryptedIsAnnouncedAsItIs(t *testing.T) {
	addr := netip.MustParseAddrPort
	for _, test := range []struct {
		name  string
		of    string // the certificate
		e     Encrypted
		asked string // type
		want  []string
	}{
		{"everything", "dns.comune.test", Encrypted{
			HTTPS: []netip.AddrPort{addr("10.20.0.53:443")}, TLS: []netip.AddrPort{addr("10.20.0.53:853"), addr("[2001:db8::53]:853")},
			QUIC: []netip.AddrPort{addr("10.20.0.53:8853")}, Path: "/dns-query",
		}, "SVCB", []string{
			`1 dns.comune.test. alpn="h2" port="443" ipv4hint="10.20.0.53" dohpath="/dns-query{?dns}"`,
			`2 dns.comune.test. alpn="dot" port="853" ipv4hint="10.20.0.53" ipv6hint="2001:db8::53"`,
			`3 dns.comune.test. alpn="doq" port="8853" ipv4hint="10.20.0.53"`,
		}},
		{"TLS alone, on two ports", "dns.comune.test", Encrypted{TLS: []netip.AddrPort{addr("10.20.0.53:853"), addr("10.20.0.53:8853")}}, "SVCB", []string{
			`1 dns.comune.test. alpn="dot" port="853" ipv4hint="10.20.0.53"`, `2 dns.comune.test. alpn="dot" port="8853" ipv4hint="10.20.0.53"`,
		}},
		{"all addresses are the one asked", "dns.comune.test", Encrypted{TLS: []netip.AddrPort{addr("0.0.0.0:853"), addr("[::]:853")}}, "SVCB", []string{
			`1 dns.comune.test. alpn="dot" port="853" ipv4hint="127.0.0.1"`,
		}},
		{"nothing", "dns.comune.test", Encrypted{}, "SVCB", nil},
		{"a certificate without a name", "", Encrypted{TLS: []netip.AddrPort{addr("10.20.0.53:853")}}, "SVCB", nil},
		{"another type", "dns.comune.test", Encrypted{TLS: []netip.AddrPort{addr("10.20.0.53:853")}}, "HTTPS", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := open(t, func(s *Setup) {
				s.Encrypted = test.e
				s.Encrypted.Name = func() policy.Name {
					if test.of == "" {
						return ""
					}
					return name(t, test.of)
				}
			})
			m := new(dns.Msg)
			m.SetQuestion("_DNS.resolver.arpa.", dns.StringToType[test.asked])
			for range 2 { // what is remembered of the first must not differ
				reply := h.exchange("udp", manager, m)
				var got []string
				for _, rr := range reply.Answer {
					if rr.Header().Name != "_DNS.resolver.arpa." || rr.Header().Ttl != 300 {
						t.Errorf("got %s", rr)
					}
					got = append(got, strings.TrimPrefix(rr.String(), rr.Header().String()))
				}
				if reply.Rcode != dns.RcodeSuccess || !reply.Authoritative || strings.Join(got, "\n") != strings.Join(test.want, "\n") {
					t.Errorf("got %s\n%s", dns.RcodeToString[reply.Rcode], strings.Join(got, "\n"))
				}
				if test.want == nil && len(reply.Ns) != 1 {
					t.Errorf("a denial without an SOA: %s", reply)
				}
			}
		})
	}
}
