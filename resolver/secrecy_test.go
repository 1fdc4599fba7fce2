package resolver

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/policy"
	"usciere/resolver/dnstest"
)

func TestASinkholedNameNeverReachesTheUpstreamInAnyDress(t *testing.T) { // S7
	h := open(t)
	names := []string{
		"secret.example.com", "SECRET.Example.COM", `\115ecret.example.com`, `secret\.example.com`, `sec\000ret.example.com`, `secret.example.com\.inps.it`,
		`\046inps.it`, "_sip._tcp.secret.example.com", "cdn.example.net", "mx1.provider.net", "inps.it.example.com", "xn--secrt-9ra.example.com", "com", ".",
		strings.Repeat("a.", 120) + "example.com",
	}
	types := []string{"A", "AAAA", "MX", "TXT", "HTTPS", "SRV", "NS", "DS", "SOA", "CNAME", "DNAME", "PTR", "ANY", "TYPE65280"}
	options := [][]option{nil, {edns}, {do}, {cd}, {do, cd}, {ad}, {noRD}}
	for _, from := range []string{tributi, protocollo, avvocatura, cultura, economato, relay, noOffice, outside} {
		for _, n := range names {
			for _, typ := range types {
				text := n + " " + typ
				h.exchange("udp", from, question(t, text, options[rand.IntN(len(options))]...))
			}
			h.exchange("tcp", from, question(t, n+" A", options[rand.IntN(len(options))]...))
		}
	}
	for _, q := range h.upstream.Queries() {
		t.Errorf("%s %s was asked upstream", q.Name(), dns.TypeToString[q.Msg.Question[0].Qtype])
	}
}

func TestTheVerdictDoesNotDependOnTheCacheTheTransportOrOtherOffices(t *testing.T) { // S8
	h := open(t)
	h.grant("tributi", policy.Web, "www.example.com")
	clients := []string{anagrafe, relay, tributi, manager, protocollo, avvocatura, cultura, economato, noOffice, outside}
	questions := []string{
		"www.inps.it A", "inps.it A", "inps.it MX", "none.inps.it A", "alias.inps.it A", "cdn.example.net A", "www.example.com A", "mx1.provider.net TXT",
		"www.agenziaentrate.gov.it A", "telematici.agenziaentrate.gov.it A", "autodiscover.inps.it A", "web.provider.net A", "dc.ad.comune.test A", "localhost A",
	}
	type asked struct{ from, question string }
	var all []asked
	want := map[asked]string{}
	for _, from := range clients {
		for _, text := range questions {
			h.cache.Flush()
			a := asked{from, text}
			all = append(all, a)
			want[a] = h.ask(from, text, edns)
		}
	}
	for round := range 3 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, a := range all {
			for _, network := range []string{"udp", "tcp"} {
				if got := short(h.exchange(network, a.from, question(t, a.question, edns))); got != want[a] {
					t.Errorf("round %d, %s asking %s over %s: got %s, with an empty cache %s", round, a.from, a.question, network, got, want[a])
				}
			}
		}
	}
}

func TestRulesChangeUnderLoadAndEveryAnswerIsOfOneRuleOrTheOther(t *testing.T) {
	h := open(t)
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 4 {
		from := fmt.Sprintf("127.10.2.%d", 100+i)
		pkt, err := question(t, "www.inps.it A", edns).Pack()
		if err != nil {
			t.Fatal(err)
		}
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				raw, err := dnstest.ExchangeRaw("udp", h.addr, from, pkt, 10*time.Second)
				m := new(dns.Msg)
				if err != nil || m.Unpack(raw) != nil {
					t.Errorf("got %x, %v", raw, err)
					return
				}
				if got := short(m); got != "NOERROR, 192.0.2.1" && got != page+", ede 15+, ede 4" {
					t.Errorf("got %s", got)
					return
				}
			}
		})
	}
	for range 50 {
		ids := h.grant("tributi", policy.Web, "www.inps.it")
		if got := h.ask(tributi, "www.inps.it A"); got != "NOERROR, 192.0.2.1" {
			t.Errorf("granted: got %s", got)
		}
		h.revoke(ids)
		if got := h.ask(tributi, "www.inps.it A"); got != page {
			t.Errorf("revoked: got %s", got)
		}
		h.resolver.Use(h.setup)
	}
	close(stop)
	clients.Wait()
}
