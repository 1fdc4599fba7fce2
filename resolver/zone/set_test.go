package zone

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestFindGivesTheZonesAboveANameMostSpecificFirst(t *testing.T) {
	var zones []*Zone
	for _, origin := range []string{"it", "ms.it", "comune.massa.ms.it", "MS.it", "test"} {
		zones = append(zones, parse(t, origin, ""))
	}
	s := NewSet(zones...)
	for _, c := range []struct{ name, want string }{
		{"www.comune.massa.ms.it", "comune.massa.ms.it. ms.it. ms.it. it."},
		{"comune.massa.ms.it", "comune.massa.ms.it. ms.it. ms.it. it."},
		{"massa.ms.it", "ms.it. ms.it. it."},
		{"xms.it", "it."},
		{"inps.it", "it."},
		{"a.test", "test."},
		{"com", ""},
		{".", ""},
	} {
		var got []string
		for _, z := range s.Find(wire(t, c.name)) {
			got = append(got, z.Origin())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %v, want %s", c.name, got, c.want)
		}
	}
	same := s.Find(wire(t, "ms.it"))
	if same[0] != zones[1] || same[1] != zones[3] {
		t.Error("zones of one origin should come in the order given")
	}
	if got := NewSet().Find(wire(t, "it")); got != nil {
		t.Errorf("an empty set found %v", got)
	}
	if got := NewSet(parse(t, ".", "")).Find(wire(t, "a.it")); len(got) != 1 {
		t.Errorf("a root zone should cover every name: %v", got)
	}
	name := wire(t, "a.b.c.comune.massa.ms.it")
	if got := testing.AllocsPerRun(100, func() { s.Find(name) }); got != 0 {
		t.Errorf("Find allocates %v times", got)
	}
}

func TestEmptyAnswersTheBuiltInNames(t *testing.T) {
	const reverse = " 30 SOA"
	for _, c := range []ask{
		{"localhost", "localhost A", "NOERROR, localhost. 3600 IN A 127.0.0.1"},
		{"localhost, v6", "localhost AAAA", "NOERROR, localhost. 3600 IN AAAA ::1"},
		{"below localhost", "a.b.localhost A", "NOERROR, a.b.localhost. 3600 IN A 127.0.0.1"},
		{"other types of localhost", "localhost MX", "NOERROR; localhost. 30 SOA"},
		{"127.0.0.1", "1.0.0.127.in-addr.arpa PTR", "NOERROR, 1.0.0.127.in-addr.arpa. 3600 IN PTR localhost."},
		{"127.0.0.2", "2.0.0.127.in-addr.arpa PTR", "NXDOMAIN; 127.in-addr.arpa." + reverse},
		{"::1", strings.TrimSuffix(reverseName(t, "::1"), ".") + " PTR", "NOERROR, " + reverseName(t, "::1") + " 3600 IN PTR localhost."},
		{"10/8", "4.3.2.10.in-addr.arpa PTR", "NXDOMAIN; 10.in-addr.arpa." + reverse},
		{"10/8 has NS", "10.in-addr.arpa NS", "NOERROR, 10.in-addr.arpa. 10800 IN NS 10.in-addr.arpa."},
		{"172.16/12", "1.1.16.172.in-addr.arpa PTR", "NXDOMAIN; 16.172.in-addr.arpa." + reverse},
		{"the last of 172.16/12", "1.1.31.172.in-addr.arpa PTR", "NXDOMAIN; 31.172.in-addr.arpa." + reverse},
		{"past 172.16/12", "1.1.32.172.in-addr.arpa PTR", "-"},
		{"192.168/16", "1.1.168.192.in-addr.arpa PTR", "NXDOMAIN; 168.192.in-addr.arpa." + reverse},
		{"169.254/16", "1.1.254.169.in-addr.arpa PTR", "NXDOMAIN; 254.169.in-addr.arpa." + reverse},
		{"100.64/10", "1.1.127.100.in-addr.arpa PTR", "NXDOMAIN; 127.100.in-addr.arpa." + reverse},
		{"past 100.64/10", "1.1.128.100.in-addr.arpa PTR", "-"},
		{"255.255.255.255", "255.255.255.255.in-addr.arpa PTR", "NOERROR; 255.255.255.255.in-addr.arpa." + reverse},
		{"198.51.100/24", "1.100.51.198.in-addr.arpa PTR", "NXDOMAIN; 100.51.198.in-addr.arpa." + reverse},
		{"a public address", "8.8.8.8.in-addr.arpa PTR", "-"},
		{"ULA", reverseName(t, "fd00::1") + " PTR", "NXDOMAIN; d.f.ip6.arpa." + reverse},
		{"link-local", reverseName(t, "fe80::1") + " PTR", "NXDOMAIN; 8.e.f.ip6.arpa." + reverse},
		{"documentation", reverseName(t, "2001:db8::1") + " PTR", "NXDOMAIN; 8.b.d.0.1.0.0.2.ip6.arpa." + reverse},
		{"::", reverseName(t, "::") + " PTR", "NOERROR; " + reverseName(t, "::") + reverse},
		{"::2", reverseName(t, "::2") + " PTR", "-"},
		{"invalid", "x.invalid A", "NXDOMAIN; invalid. 30 SOA"},
		{"test", "x.test A", "NXDOMAIN; test. 30 SOA"},
		{"onion", "x.onion A", "NXDOMAIN; onion. 30 SOA"},
		{"alt", "x.alt A", "NXDOMAIN; alt. 30 SOA"},
		{"internal", "x.internal A", "NXDOMAIN; internal. 30 SOA"},
		{"home.arpa", "x.home.arpa A", "NXDOMAIN; home.arpa. 30 SOA"},
		{"home.arpa itself", "home.arpa A", "NOERROR; home.arpa. 30 SOA"},
		{"arpa", "arpa A", "-"},
		{"local", "printer.local A", "NXDOMAIN; local. 30 SOA"},
		{"the SOA of local is not told", "local SOA", "NOERROR; local. 30 SOA"},
		{"resolver.arpa", "resolver.arpa A", "NOERROR; resolver.arpa. 30 SOA"},
		{"discovery of resolvers", "_dns.resolver.arpa SVCB", "NOERROR; resolver.arpa. 30 SOA"},
		{"below that", "a.b._dns.resolver.arpa ANY", "NOERROR; resolver.arpa. 30 SOA"},
		{"the Firefox canary", "use-application-dns.net A", "NXDOMAIN; use-application-dns.net. 30 SOA"},
		{"below the Firefox canary", "www.use-application-dns.net AAAA", "NXDOMAIN; use-application-dns.net. 30 SOA"},
		{"private relay", "mask.icloud.com A", "NXDOMAIN; mask.icloud.com. 30 SOA"},
		{"private relay over HTTP/2", "mask-h2.icloud.com HTTPS", "NXDOMAIN; mask-h2.icloud.com. 30 SOA"},
		{"other names of iCloud", "www.icloud.com A", "-"},
		{"the probe of Windows", "dns.msftncsi.com A", "NOERROR, dns.msftncsi.com. 3600 IN A 131.107.255.255"},
		{"the probe of Windows, v6", "dns.msftncsi.com AAAA", "NOERROR, dns.msftncsi.com. 3600 IN AAAA fd3e:4f5a:5b81::1"},
		{"the other probe of Windows", "www.msftncsi.com A", "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, typ, _ := strings.Cut(c.question, " ")
			got := "-"
			if found := Empty().Find(wire(t, name)); len(found) > 0 {
				got = show(found[0].Lookup(wire(t, name), dns.StringToType[typ]))
			}
			if got != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.question, got, c.want)
			}
		})
	}
}

func reverseName(t *testing.T, addr string) string {
	t.Helper()
	name, err := dns.ReverseAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	return name
}
