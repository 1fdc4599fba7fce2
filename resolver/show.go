package resolver

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"usciere/policy"
)

// Cached is an answer of the cache as a person reads it.
type Cached struct {
	Type       policy.Type
	DO, CD, AD bool
	Forward    policy.Name // whose servers gave it; empty: the upstream
	Rcode      string
	Stale      bool     // past its life, and only given when no better one can be had
	Remaining  uint32   // seconds for which it is fresh, or, when it is stale, may still be given
	Records    []string // of the answer section, in presentation form
}

// Cached returns the fresh and stale answers to questions for exactly this name.
func (r *Resolver) Cached(name policy.Name) []Cached {
	setup := r.setup.Load()
	var out []Cached
	for _, e := range r.cache.Show([]byte(name), r.now()) {
		forward, ok := setup.numbers[e.Group]
		if !ok {
			continue // it came in from servers that are not asked any more
		}
		c := Cached{
			Type: policy.Type(e.Type), DO: e.DO, CD: e.CD, AD: e.AD, Forward: forward, Rcode: dns.RcodeToString[int(e.Rcode)],
			Stale: e.Stale, Remaining: e.Remaining,
		}
		var m dns.Msg
		if m.Unpack(e.Msg) == nil {
			for _, rr := range m.Answer {
				rr.Header().Ttl = min(rr.Header().Ttl, e.Remaining)
				c.Records = append(c.Records, strings.ReplaceAll(rr.String(), "\t", " "))
			}
		}
		out = append(out, c)
	}
	return out
}

// Describe says which of our own zones or forwards decided a route; empty when the rules did.
func (w Route) Describe() string {
	switch {
	case w.Portal:
		return "the portal's own name"
	case w.Special:
		return "special name " + strings.TrimSuffix(w.Zone.Origin(), ".")
	case w.Zone != nil:
		return "zone " + strings.TrimSuffix(w.Zone.Origin(), ".")
	case w.Forward != "":
		servers := make([]string, 0, 2)
		for _, s := range w.Group.Servers() {
			servers = append(servers, s.Addr.String())
		}
		return fmt.Sprintf("forward %s to %s", w.Forward, strings.Join(servers, ", "))
	}
	return ""
}

// Mode is how a question of a client that goes nowhere is answered.
func (r *Resolver) Mode(c *policy.Client, way Route) policy.Mode {
	return r.setup.Load().modeOf(c, &way)
}
