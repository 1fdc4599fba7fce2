package resolver

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/policy"
	"usciere/resolver/answercache"
	"usciere/resolver/dnstest"
)

// However the clock jumps, what is granted is answered, with a TTL that is one; what is not is not; grants with dates hold on their days;
// strangers are told off; and what failed before is answered again five minutes after its server has recovered, by whatever clock.
func TestAClockThatJumpsNeitherOpensNorCloses(t *testing.T) {
	h := openWith(t, answercache.Config{Entries: 1000, StaleMax: 86400, FailureMin: 5, FailureMax: 300, Prefetch: true, ClientTTL: 300}, nil)
	h.setup.Strangers = 5
	h.resolver.Use(h.setup)
	h.allow(policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"servizi.inps.it"}, From: "2026-06-01", Until: "2027-06-30"})
	honest := dnstest.Records(records...)
	broken := func(q dnstest.Query) []dnstest.Send {
		return []dnstest.Send{dnstest.Message(dnstest.ReplyNegative(q, dns.RcodeServerFailure))}
	}
	jumps := []time.Duration{time.Millisecond, time.Second, 6 * time.Second, time.Minute, 301 * time.Second, time.Hour, 25 * time.Hour, 200 * 24 * time.Hour, 20 * 365 * 24 * time.Hour}
	dice := rand.New(rand.NewPCG(1, 2))
	answers := func(when, from, text, want string) {
		t.Helper()
		for range 2 { // by the whole way, and by what is remembered
			m := h.exchange("udp", from, question(t, text))
			if got := short(m); got != want {
				t.Errorf("%s, at %s: %s of %s: %s, want %s", when, h.clock.Now(), text, from, got, want)
			}
			for _, rr := range m.Answer {
				if ttl := rr.Header().Ttl; ttl > 300 {
					t.Errorf("%s, at %s: %s of %s has the TTL %d", when, h.clock.Now(), text, from, ttl)
				}
			}
		}
	}
	rome := h.live.Snapshot().Town().Zone
	blocked := h.ask(tributi, "www.inps.it A")
	for n := range 400 {
		jump := jumps[dice.IntN(len(jumps))]
		if back := h.clock.Now().Add(-jump); dice.IntN(2) == 0 && back.Year() > 1971 {
			jump = -jump
		} else if h.clock.Now().Add(jump).Year() > 2099 {
			continue
		}
		if n%8 == 0 { // the server fails just before the clock jumps
			h.upstream.SetHandler(broken)
			h.ask(anagrafe, "www.inps.it AAAA")
			h.clock.advance(jump)
			h.ask(anagrafe, "www.inps.it AAAA")
			h.upstream.SetHandler(honest)
			h.clock.advance(5*time.Minute + time.Second)
			answers("after a failure and a jump of "+jump.String(), anagrafe, "www.inps.it AAAA", "NOERROR, 2001:db8::1")
			continue
		}
		h.clock.advance(jump)
		when := "after a jump of " + jump.String()
		answers(when, anagrafe, "www.inps.it A", "NOERROR, 192.0.2.1")
		answers(when, tributi, "www.inps.it A", blocked)
		want := blocked
		if day := h.clock.Now().In(rome).Format(time.DateOnly); "2026-06-01" <= day && day <= "2027-06-30" {
			want = "NOERROR, 192.0.2.2"
		}
		answers(when, tributi, "servizi.inps.it A", want)
		if jump >= time.Second || jump <= -time.Second { // another second, in which strangers have replies again
			answers(when, outside, "www.inps.it A", "REFUSED")
		}
	}
}
