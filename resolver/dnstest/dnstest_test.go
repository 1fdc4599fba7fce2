package dnstest

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRecordsAnswersAsARecursiveServerWould(t *testing.T) {
	s := Start(t, Records(
		"example. 3600 SOA ns.example. admin.example. 1 7200 900 86400 30",
		"www.example. 60 A 192.0.2.1",
		"www.example. 60 A 192.0.2.2",
		"alias.example. 60 CNAME www.example.",
		"big.example. 60 TXT "+strings.Repeat(`"0123456789012345678901234567890123456789" `, 40),
	))
	for _, tc := range []struct {
		network, name     string
		qtype             uint16
		rcode, answer, ns int
		truncated         bool
	}{
		{"udp", "www.example.", dns.TypeA, dns.RcodeSuccess, 2, 0, false},
		{"tcp", "www.example.", dns.TypeA, dns.RcodeSuccess, 2, 0, false},
		{"udp", "WWW.example.", dns.TypeAAAA, dns.RcodeSuccess, 0, 1, false},
		{"udp", "example.", dns.TypeA, dns.RcodeSuccess, 0, 1, false},
		{"udp", "alias.example.", dns.TypeA, dns.RcodeSuccess, 3, 0, false},
		{"udp", "alias.example.", dns.TypeCNAME, dns.RcodeSuccess, 1, 0, false},
		{"udp", "none.example.", dns.TypeA, dns.RcodeNameError, 0, 1, false},
		{"udp", "none.elsewhere.", dns.TypeA, dns.RcodeNameError, 0, 0, false},
		{"udp", "big.example.", dns.TypeTXT, dns.RcodeSuccess, 0, 0, true},
		{"tcp", "big.example.", dns.TypeTXT, dns.RcodeSuccess, 1, 0, false},
	} {
		m := Exchange(t, tc.network, s.Addr.String(), "127.10.1.5", new(dns.Msg).SetQuestion(tc.name, tc.qtype))
		if m.Rcode != tc.rcode || len(m.Answer) != tc.answer || len(m.Ns) != tc.ns || m.Truncated != tc.truncated {
			t.Errorf("%s %s over %s:\n%v", tc.name, dns.Type(tc.qtype), tc.network, m)
		}
	}
	if n := s.Asked("www.example."); n != 3 {
		t.Errorf("www.example. was asked %d times", n)
	}
	if from := s.Queries()[0].From.Addr().String(); from != "127.10.1.5" {
		t.Errorf("the query came from %s", from)
	}
}

func TestSilenceIsADeadlineExceeded(t *testing.T) {
	s := Start(t, func(Query) []Send { return nil })
	q, err := new(dns.Msg).SetQuestion("www.example.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{"udp", "tcp"} {
		if _, err := ExchangeRaw(network, s.Addr.String(), "", q, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("over %s: %v", network, err)
		}
	}
}
