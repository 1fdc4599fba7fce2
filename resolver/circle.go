package resolver

import "usciere/resolver/wire"

// breakCircle answers a server of a forward that asks back what it is being asked, and says whether that was so: a domain controller does
// that which has no reverse zone, and this resolver as its forwarder. Either would wait for the other until time is up. A special name does
// not exist then, since it is the network's own and nobody else has it; with any other, the settings of one of the two are wrong.
func (r *Resolver) breakCircle(q *query, way Route, s *setup) bool {
	if way.Forward == "" || !way.Group.Asking(asked(&q.Query), q.request.Client.Addr()) {
		return false
	}
	if len(s.special.Find(q.Name())) > 0 {
		q.Begin(q.request.Scratch(), &q.Query, wire.RcodeNXDomain, false)
		q.SOA(root, root, 1, sinkTTL, sinkTTL)
	} else {
		r.count(q).failures.Add(1)
		q.Begin(q.request.Scratch(), &q.Query, wire.RcodeServFail, false)
	}
	q.EDE(edeOther, "the server of a forward asks back what it is asked")
	r.send(q)
	return true
}
