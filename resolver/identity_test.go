package resolver

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// nsid asks for the server's identifier.
func nsid(m *dns.Msg) {
	m.SetEdns0(1232, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_NSID{Code: dns.EDNS0NSID}}
}

// told is the identifier in a reply.
func told(t *testing.T, m *dns.Msg) string {
	t.Helper()
	for _, o := range m.IsEdns0().Option {
		if o, ok := o.(*dns.EDNS0_NSID); ok {
			text, err := hex.DecodeString(o.Nsid)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
	return ""
}

func TestTheServerTellsItsNameAndVersionOnlyWhenTheSettingsSaySo(t *testing.T) {
	chaos := []option{class(dns.ClassCHAOS)}
	hidden := open(t)
	open := open(t, func(s *Setup) { s.Identity = Identity{NSID: "dns-1 massa", Version: "usciere 1.2"} })
	for _, text := range []string{"version.bind TXT", "version.server TXT", "id.server TXT", "hostname.bind TXT"} {
		hidden.rows(t, []row{{"hidden " + text, manager, text, "REFUSED", chaos}})
		open.rows(t, []row{{"outside the site " + text, outside, text, "REFUSED", chaos}})
	}
	open.rows(t, []row{
		{"version.server", anagrafe, "Version.Server TXT", `NOERROR, aa, TXT "usciere 1.2"`, chaos},
		{"version.bind without RD, to a client in no office", noOffice, "version.bind TXT", `NOERROR, aa, TXT "usciere 1.2"`, append(chaos, noRD)},
		{"id.server", anagrafe, "id.server TXT", `NOERROR, aa, TXT "dns-1 massa"`, chaos},
		{"hostname.bind", anagrafe, "hostname.bind TXT", `NOERROR, aa, TXT "dns-1 massa"`, chaos},
		{"another type", anagrafe, "version.bind A", "REFUSED", chaos},
		{"another name", anagrafe, "authors.bind TXT", "REFUSED", chaos},
		{"the same names of class IN are names like any other", tributi, "version.bind TXT", denied, nil},
	})
	for _, text := range []string{"www.inps.it A", "servizi.inps.it A", "www.example.com A", "localhost A"} { // fetched, cached, sinkholed, local
		for range 2 {
			if got := told(t, open.exchange("udp", anagrafe, question(t, text, nsid))); got != "dns-1 massa" {
				t.Errorf("%s: NSID %q", text, got)
			}
		}
		if got := told(t, open.exchange("udp", anagrafe, question(t, text, edns))); got != "" {
			t.Errorf("%s: NSID %q, not asked for", text, got)
		}
		if got := told(t, open.exchange("udp", outside, question(t, text, nsid))); got != "" {
			t.Errorf("%s: NSID %q, told outside", text, got)
		}
		if got := told(t, hidden.exchange("udp", anagrafe, question(t, text, nsid))); got != "" {
			t.Errorf("%s: NSID %q, hidden", text, got)
		}
	}
	open.setup.Identity.NSID = strings.Repeat("x", 300)
	open.resolver.Use(open.setup)
	if got := told(t, open.exchange("udp", anagrafe, question(t, "localhost A", nsid))); len(got) != maxIdentity {
		t.Errorf("an NSID of %d octets", len(got))
	}
	open.rows(t, []row{{"a name that is too long is cut", anagrafe, "id.server TXT", `NOERROR, aa, TXT "` + strings.Repeat("x", maxIdentity) + `"`, chaos}})
}
