// Package zone answers local zones with authority: names of the LAN from master files or inline records, and the built-in
// empty zones that keep local names from leaving it. Zones are immutable once loaded, unsigned, of class IN, and have no
// delegations: what stands at or below a zone's origin is answered from it alone.
package zone

import (
	"fmt"
	"slices"

	"github.com/miekg/dns"
)

// maxLinks is how many aliases one answer may follow, as the trusted resolvers do (Unbound 11, BIND 11 by default).
const maxLinks = 11

// Zone is one zone. It never changes after loading and may be used by any number of goroutines.
type Zone struct {
	apex     []byte           // the origin in canonical wire form
	nodes    map[string]*node // by canonical wire form; empty non-terminals are nodes without sets (RFC 4592 §2.2.2)
	negative []dns.RR         // the SOA as negative answers carry it
}

// node is what one name owns.
type node struct {
	sets   []rrset // by ascending type
	parent bool    // some name below exists
}

// rrset is the records of one name and type, all of one TTL (RFC 2181 §5.2).
type rrset struct {
	typ    uint16
	rrs    []dns.RR
	size   int    // octets of all records, uncompressed
	target []byte // where a CNAME or DNAME points, in canonical wire form
}

// set is n's records of a type, nil when there are none; n may be nil.
func (n *node) set(typ uint16) *rrset {
	if n == nil {
		return nil
	}
	for i := range n.sets {
		if n.sets[i].typ == typ {
			return &n.sets[i]
		}
	}
	return nil
}

// Origin is the name of the zone, fully qualified, in lower case, in presentation form.
func (z *Zone) Origin() string { return presentation(z.apex) }

// Result is what a zone has to say to one question. Its records may be shared with the zone: they must not be changed.
type Result struct {
	Rcode     int      // NOERROR, NXDOMAIN, YXDOMAIN (RFC 6672 §2.2), SERVFAIL for too long an alias chain, REFUSED for a name outside the zone
	Answer    []dns.RR // aliases first, in the order followed
	Authority []dns.RR // the zone's SOA when the last name has no such data, its TTL per RFC 2308 §3
	Target    []byte   // canonical wire form of the name out of the zone that the last alias points to: the caller resolves it and appends; else nil
}

// Lookup answers a question for a name in canonical wire form (RFC 1034 §4.3.2, with RFC 4592 for wildcards and RFC 6672 for
// DNAME). Aliases are followed inside the zone, at most 11. ANY gets the one RRset of the smallest type (RFC 8482 §4.1).
// Types that are no data, such as AXFR, get NODATA.
func (z *Zone) Lookup(name []byte, qtype uint16) Result { return z.LookupUntil(name, qtype, nil) }

// LookupUntil is Lookup, but an alias to a name that stands elsewhere is left to the caller as one out of the zone is: where a
// more specific zone or forward takes over.
func (z *Zone) LookupUntil(name []byte, qtype uint16, elsewhere func(target []byte) bool) Result {
	if !within(name, z.apex) {
		return Result{Rcode: dns.RcodeRefused}
	}
	var r Result
	for links := 0; ; links++ {
		target := z.step(&r, name, qtype)
		if target == nil {
			return r
		}
		if links == maxLinks {
			return Result{Rcode: dns.RcodeServerFailure}
		}
		if !within(target, z.apex) || elsewhere != nil && elsewhere(target) {
			r.Target = target
			return r
		}
		name = target
	}
}

// step adds to r what the zone has for one name of the chain, and returns the next name if it is an alias.
func (z *Zone) step(r *Result, name []byte, qtype uint16) (target []byte) {
	n, owner := z.nodes[string(name)], ""
	if n == nil {
		encloser := z.encloser(name)
		if d := z.nodes[string(encloser)].set(dns.TypeDNAME); d != nil {
			return r.substitute(d, name, encloser, qtype)
		}
		if n = z.wildcard(encloser); n == nil {
			r.Rcode, r.Authority = dns.RcodeNameError, z.negative
			return nil
		}
		owner = presentation(name)
	}
	set := n.set(qtype)
	if qtype == dns.TypeANY && len(n.sets) > 0 {
		set = &n.sets[0]
	}
	if set != nil {
		r.add(set, owner)
		return nil
	}
	if alias := n.set(dns.TypeCNAME); alias != nil {
		r.add(alias, owner)
		return alias.target
	}
	r.Authority = z.negative
	return nil
}

// encloser is the closest encloser of a name that does not exist (RFC 4592 §3.3.1).
func (z *Zone) encloser(name []byte) []byte {
	for len(name) > len(z.apex) {
		name = parent(name)
		if z.nodes[string(name)] != nil {
			break
		}
	}
	return name
}

// wildcard is the source of synthesis below encloser, nil when there is none (RFC 4592 §3.3.1).
func (z *Zone) wildcard(encloser []byte) *node {
	var buf [maxName]byte
	return z.nodes[string(append(append(buf[:0], 1, '*'), encloser...))]
}

// add appends a set to the answer; with an owner, as synthesised from a wildcard.
func (r *Result) add(set *rrset, owner string) {
	if owner == "" {
		if r.Answer == nil {
			r.Answer = slices.Clip(set.rrs)
		} else {
			r.Answer = append(r.Answer, set.rrs...)
		}
		return
	}
	for _, rr := range set.rrs {
		rr = dns.Copy(rr)
		rr.Header().Name = owner
		r.Answer = append(r.Answer, rr)
	}
}

// substitute answers name, which stands below the owner of the DNAME d, with d and the CNAME made from it (RFC 6672 §2.2, §3.1).
// A question for that CNAME or for ANY is answered by it and goes no further.
func (r *Result) substitute(d *rrset, name, owner []byte, qtype uint16) (target []byte) {
	r.add(d, "")
	prefix := name[:len(name)-len(owner)]
	if len(prefix)+len(d.target) > maxName {
		r.Rcode = dns.RcodeYXDomain
		return nil
	}
	target = slices.Concat(prefix, d.target)
	r.Answer = append(r.Answer, &dns.CNAME{
		Hdr: dns.RR_Header{
			Name: presentation(name), Rrtype: dns.TypeCNAME, Class: dns.ClassINET,
			Ttl: d.rrs[0].Header().Ttl,
		},
		Target: presentation(target),
	})
	if qtype == dns.TypeCNAME || qtype == dns.TypeANY {
		return nil
	}
	return target
}

// Pack is r as a whole reply to a question for name (canonical wire form): ID 0, AA set, compressed, without OPT.
// What Lookup returns always packs; it fails when records appended since are malformed or do not fit into 65,535 octets.
func (r Result) Pack(name []byte, qtype uint16) ([]byte, error) {
	m := dns.Msg{
		MsgHdr:   dns.MsgHdr{Response: true, Authoritative: true, Rcode: r.Rcode},
		Compress: true,
		Question: []dns.Question{{Name: presentation(name), Qtype: qtype, Qclass: dns.ClassINET}},
		Answer:   r.Answer,
		Ns:       r.Authority,
	}
	packed, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("packing the answer for %s: %w", m.Question[0].Name, err)
	}
	if len(packed) > dns.MaxMsgSize {
		return nil, fmt.Errorf("packing the answer for %s: %d octets do not fit a message", m.Question[0].Name, len(packed))
	}
	return packed, nil
}
