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
	Remaining  uint32   // seconds it may still live
	Records    []string // of the answer section, in presentation form
}

// Cached returns the fresh answers to questions for exactly this name.
func (r *Resolver) Cached(name policy.Name) []Cached {
	setup := r.setup.Load()
	var out []Cached
	for _, e := range r.cache.Show([]byte(name), r.now()) {
		c := Cached{Type: policy.Type(e.Type), DO: e.DO, CD: e.CD, AD: e.AD, Rcode: dns.RcodeToString[int(e.Rcode)], Remaining: e.Remaining}
		if n := int(e.Group); n > 0 && n <= len(setup.Forwards) {
			c.Forward = setup.Forwards[n-1].Zones[0]
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

// Mode is how a name that the client may not have is answered.
func (r *Resolver) Mode(c *policy.Client) policy.Mode { return modeOf(c, r.setup.Load().Sinkhole) }
