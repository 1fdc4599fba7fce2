package resolver

import (
	"net/netip"
	"slices"

	"usciere/policy"
	"usciere/resolver/listen"
	"usciere/resolver/wire"
)

// who is the client that asks: at the address that the question came from, or, from a load balancer that says so in the question, at the
// address that it names (RFC 7871). One that does not name it speaks for nobody. What the client shows of whose it is goes before the
// address.
func (r *Resolver) who(q *query, rules *policy.Snapshot, s *setup) policy.Client {
	from := q.request.Client.Addr()
	if len(s.Fronts) > 0 && slices.ContainsFunc(s.Fronts, func(p netip.Prefix) bool { return p.Contains(from) }) {
		addr, ok := wire.ClientAddr(q.request.Packet)
		if !ok {
			return policy.Client{Addr: from}
		}
		q.request.Client = netip.AddrPortFrom(addr, 0) // whose share of what may be under way it takes
		from = addr
	}
	if claim := q.request.Claim; claim != nil {
		return rules.WhoShows(shown(claim), from, q.at)
	}
	return rules.Who(from, q.at)
}

func shown(c *listen.Claim) policy.Shown {
	return policy.Shown{Secret: c.Token, Certificate: c.Certificate}
}

// Knows says whether what a client at an address shows makes it one that is answered.
func (r *Resolver) Knows(claim *listen.Claim, client netip.Addr) bool {
	c := r.rules.Snapshot().WhoShows(shown(claim), client, r.now())
	return c.Inside
}
