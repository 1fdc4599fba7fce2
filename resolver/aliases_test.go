package resolver

import (
	"strings"
	"testing"
	"time"

	"usciere/policy"
	"usciere/resolver/dnstest"
)

func TestToWhomAGrantedNameLeadsIsLearntFromItsAnswers(t *testing.T) {
	h := open(t)
	become := func(records ...string) { h.upstream.SetHandler(dnstest.Records(records...)) }
	learnt := func(question, from, want string) {
		t.Helper()
		h.ask(from, question)
		h.clock.advance(time.Minute)
		var got []string
		_ = h.resolver.Owners().Keep(func(all []policy.Led) error {
			for _, l := range all {
				text := l.Name.String() + " " + strings.Join(l.Owners, " ")
				if l.First {
					text = "first " + text
				}
				got = append(got, strings.TrimSpace(text))
			}
			return nil
		})
		if text := strings.Join(got, "; "); text != want {
			t.Errorf("%s of %s: learnt %q, want %q", question, from, text, want)
		}
	}
	h.grant("anagrafe", policy.Web, "www.inps.it")
	become("www.inps.it. 1 IN CNAME www2.inps.it.", "www2.inps.it. 1 IN A 192.0.2.1", "own.inps.it. 1 IN A 192.0.2.2",
		"far.inps.it. 1 IN CNAME a.one.net.", "a.one.net. 1 IN CNAME b.two.org.", "b.two.org. 1 IN A 192.0.2.3", "gone.inps.it. 1 IN CNAME none.two.org.",
		"free.example.com. 1 IN CNAME x.one.net.", "x.one.net. 1 IN A 192.0.2.4")
	learnt("www.inps.it A", anagrafe, "first www.inps.it") // an alias of its own owner, granted by itself
	learnt("own.inps.it A", anagrafe, "")                  // granted with all below inps.it
	learnt("far.inps.it A", anagrafe, "first far.inps.it one.net two.org")
	learnt("gone.inps.it A", anagrafe, "first gone.inps.it two.org") // which is there to be taken
	learnt("no.inps.it A", anagrafe, "")
	learnt("free.example.com A", manager, "") // nobody granted it
	learnt("far.inps.it A", manager, "")
	learnt("www.example.com A", tributi, "")
	become("www.inps.it. 1 IN CNAME www.evil.test.", "www.evil.test. 1 IN A 192.0.2.66", "far.inps.it. 1 IN CNAME a.one.net.", "a.one.net. 1 IN A 192.0.2.3")
	learnt("www.inps.it A", anagrafe, "www.inps.it evil.test")
	learnt("far.inps.it A", anagrafe, "")
	learnt("www.inps.it A", anagrafe, "")
}
