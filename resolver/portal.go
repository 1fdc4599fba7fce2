package resolver

import (
	"net/netip"

	"github.com/miekg/dns"

	"usciere/policy"
	"usciere/resolver/wire"
	"usciere/resolver/zone"
)

// portalTTL is how long, in seconds, a workstation may keep the portal's address.
const portalTTL = 60

// isPortal says whether the name is the one under which the page itself is reached. It goes before every zone, forward and rule, so
// that the page can be asked for access whatever they say.
func (s *setup) isPortal(name []byte) bool { return s.Portal != "" && string(name) == string(s.Portal) }

// answerPortal answers a question for the portal's own name: the page's address of the family asked for, and nothing else.
func (r *Resolver) answerPortal(q *query, setup *setup) {
	if q.Type == wire.TypeANY {
		r.answerANY(q)
		return
	}
	q.Begin(q.request.Scratch(), &q.Query, wire.RcodeNoError, true)
	if address := pageAddress(q, &setup.Sinkhole); address != nil {
		q.Record(wire.Answer, q.Type, portalTTL, address)
	} else {
		q.SOA(root, root, 1, sinkTTL, sinkTTL)
	}
	if q.fast != nil {
		q.lasts = ofZone
	}
	r.send(q)
}

// portalResult is what an alias to the portal's own name leads to.
func portalResult(q *query, setup *setup) zone.Result {
	header := dns.RR_Header{Name: setup.Portal.String() + ".", Rrtype: q.Type, Class: dns.ClassINET, Ttl: portalTTL}
	address := pageAddress(q, &setup.Sinkhole)
	switch a, _ := netip.AddrFromSlice(address); {
	case a.Is4():
		return zone.Result{Answer: []dns.RR{&dns.A{Hdr: header, A: address}}}
	case a.Is6():
		return zone.Result{Answer: []dns.RR{&dns.AAAA{Hdr: header, AAAA: address}}}
	}
	header.Rrtype = dns.TypeSOA
	header.Ttl = sinkTTL
	return zone.Result{Authority: []dns.RR{&dns.SOA{Hdr: header, Ns: ".", Mbox: ".", Serial: 1, Refresh: sinkTTL, Retry: sinkTTL, Expire: sinkTTL, Minttl: sinkTTL}}}
}

// standPortal makes the names above the portal's own exist, or a cache that heard NXDOMAIN for one would take it along (RFC 8020).
func (s *setup) standPortal() {
	for n := s.Portal; n != "" && n != policy.Root; {
		n = n.Parent()
		s.above[string(n)] = append(s.above[string(n)], local{origin: s.Portal})
	}
}
