package resolver

import (
	"testing"

	"usciere/policy"
	"usciere/resolver/tally"
)

func TestWhichQuestionsAreCountedForAnOffice(t *testing.T) {
	counted := new(tally.Tally)
	h := open(t, func(s *Setup) { s.Tally = counted })
	for range policy.FewestClients {
		for _, text := range []string{"www.inps.it A", "www.inps.it AAAA", "www.inps.it HTTPS", "www.corriere.it A", "localhost A"} {
			h.ask(anagrafe, text)
			h.ask(noOffice, text)
			h.ask(outside, text)
		}
	}
	if got := counted.Take(); len(got) != 0 {
		t.Errorf("one client is told of: %v", got)
	}
	for _, from := range []string{"127.10.1.61", "127.10.1.62", "127.10.1.63"} {
		h.resolver.Use(h.setup) // the fast path forgets, as with each minute
		for _, text := range []string{"www.inps.it A", "www.inps.it AAAA", "www.corriere.it A", "localhost A"} {
			h.ask(from, text)
		}
	}
	got := counted.Take()
	if len(got) != 1 || len(got["anagrafe"]) != 2 {
		t.Fatalf("%v", got)
	}
	for _, n := range got["anagrafe"] {
		if allowed := n.Name.String() == "www.inps.it"; allowed != (n.Allowed > 0) || allowed != (n.Sinkholed == 0) {
			t.Errorf("%+v", n)
		}
	}
}
