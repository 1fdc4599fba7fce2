package resolver

import (
	"fmt"

	"github.com/miekg/dns"

	"usciere/policy"
	"usciere/resolver/answercache"
	"usciere/resolver/wire"
	"usciere/resolver/zone"
)

// answerLocal answers from a zone of ours. An alias that leaves the zone is followed, in our other zones and then upstream,
// without another verdict: the zone's author put it there.
func (r *Resolver) answerLocal(q *query, rules *policy.Snapshot, way Route, s *setup) {
	if way.Special && r.designate(q, s) {
		return
	}
	town := rules.Town()
	lookup := func(z *zone.Zone, name []byte) zone.Result {
		return z.LookupUntil(name, q.Type, func(target []byte) bool {
			next, ok := s.route(&q.client, target, q.at, town)
			return ok && next.Zone != z // of what stands below this zone, the most specific first
		})
	}
	result := lookup(way.Zone, q.Name())
	if result.Rcode == dns.RcodeNameError && len(result.Answer) == 0 && s.standsAbove(q.Name(), &q.client, q.at, town) {
		result.Rcode = dns.RcodeSuccess
	}
	for links := 0; result.Target != nil; links++ {
		next, ok := s.route(&q.client, result.Target, q.at, town)
		if !ok {
			next.Group, next.number = s.Upstream, s.number
		}
		if next.Portal {
			found := portalResult(q, s)
			found.Answer = append(clip(result.Answer), found.Answer...)
			result = found
			break
		}
		if next.Zone == nil {
			r.leave(q, result, next, s)
			return
		}
		found := lookup(next.Zone, result.Target)
		if links == maxAliases || found.Rcode == dns.RcodeServerFailure {
			result = zone.Result{Rcode: dns.RcodeServerFailure} // a loop, most likely
			break
		}
		found.Answer = append(clip(result.Answer), found.Answer...)
		result = found
	}
	r.replyLocal(q, result)
}

// maxAliases is how many links from zone to zone are followed, as unbound and BIND have it for a chain.
const maxAliases = 11

func clip(rrs []dns.RR) []dns.RR { return rrs[:len(rrs):len(rrs)] }

// leave follows an alias to a group of upstream servers; a client that does not want recursion gets the alias alone.
func (r *Resolver) leave(q *query, result zone.Result, way Route, s *setup) {
	if !q.RD {
		r.replyLocal(q, result)
		return
	}
	begun := r.detached(q, func(q *query) {
		m, err := r.outside(q, result.Target, way, s)
		if err != nil {
			r.fail(q, err)
			return
		}
		if m.Rcode == dns.RcodeServerFailure {
			r.count(q).failures.Add(1)
			r.refuse(q, wire.RcodeServFail, extendedErrors(m)...)
			return
		}
		r.replyLocal(q, zone.Result{Rcode: m.Rcode, Answer: append(clip(result.Answer), m.Answer...), Authority: m.Ns}, extendedErrors(m)...)
	})
	if !begun {
		r.shed(q)
	}
}

// outside is what the cache or the group has on the target of an alias.
func (r *Resolver) outside(q *query, target []byte, way Route, s *setup) (*dns.Msg, error) {
	var inner wire.Query
	if inner.Read(q.packetFor(target)) != wire.Good {
		return nil, fmt.Errorf("asking for %q: not a name in wire form", target)
	}
	b := new(wire.Builder)
	found := r.cache.Get(b, nil, &inner, way.number, q.at)
	if found == answercache.Due {
		r.prefetch(&inner, way, s)
	}
	if !found.Replied() {
		if err := r.await(b, &inner, &way, s, found == answercache.Expired); err != nil {
			return nil, err
		}
	}
	m := new(dns.Msg)
	if err := m.Unpack(b.Finish(inner.Limit(false))); err != nil {
		return nil, fmt.Errorf("reading the answer for the target of an alias: %w", err)
	}
	return m, nil
}

// extendedErrors are the Extended DNS Errors in a message: that what is behind an alias is stale, or known to fail.
func extendedErrors(m *dns.Msg) (codes []uint16) {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok {
				codes = append(codes, e.InfoCode)
			}
		}
	}
	return codes
}

// packetFor is the client's query, but for another name: RD set, its CD, and its DO in an OPT record (RFC 6891 §6.1.2).
func (q *query) packetFor(name []byte) []byte {
	flags, do := byte(0), byte(0)
	if q.CD {
		flags = 0x10
	}
	if q.DO {
		do = 0x80
	}
	pkt := append([]byte{0, 0, 0x01, flags, 0, 1, 0, 0, 0, 0, 0, 1}, name...)
	pkt = append(pkt, byte(q.Type>>8), byte(q.Type), byte(q.Class>>8), byte(q.Class))
	return append(pkt, 0, 0, byte(wire.TypeOPT), 0, 0, 0, 0, do, 0, 0, 0)
}

// replyLocal sends what a zone said, with Extended DNS Errors.
func (r *Resolver) replyLocal(q *query, result zone.Result, errors ...uint16) {
	msg, err := result.Pack(q.Name(), q.Type)
	if err != nil {
		r.fail(q, err)
		return
	}
	ttls, err := wire.TTLOffsets(msg)
	if err != nil {
		r.fail(q, err)
		return
	}
	q.Relay(q.request.Scratch(), &q.Query, msg, ttls, 0, r.setup.Load().ClientTTL, true, false)
	for _, code := range errors {
		q.EDE(code)
	}
	if q.fast != nil {
		q.lasts = ofZone
	}
	r.send(q)
}

// answerANY answers a question for everything with next to nothing (RFC 8482 §4.2).
func (r *Resolver) answerANY(q *query) {
	q.Begin(q.request.Scratch(), &q.Query, wire.RcodeNoError, false)
	q.Record(wire.Answer, dns.TypeHINFO, r.setup.Load().ClientTTL, []byte("\x07RFC8482\x00"))
	r.send(q)
}
