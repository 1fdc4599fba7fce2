package upstream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// maxLinks is how many aliases an answer may follow, as other resolvers have it. A loop runs into it too.
const maxLinks = 11

var (
	// errUnusable: the reply matches its query but is malformed or contradicts itself.
	errUnusable = errors.New("an unusable reply")
	// errReferral: the server points to others instead of asking them; a forwarder cannot use it.
	errReferral = errors.New("a referral; the server must offer recursion to this resolver")
)

// clean makes an answer of a reply to q, whose question section is known to be q's in lower case (RFC 2181 §5.4.1: data that is not
// the answer is not to be trusted). It keeps, in this order: the chain of CNAMEs and DNAMEs from the question's name and the records
// of the asked type at its end; of a negative answer the SOA (RFC 2308 §2); with DO also the signatures of what is kept and the signed
// NSEC and NSEC3 records of the authority section. All else goes: what may not pass, other owners, other classes, duplicates, the additional section.
//
// The error wraps errUnusable, or is errReferral or an rcodeError for RCODEs other than NOERROR and NXDOMAIN.
func clean(q Question, pkt []byte, trusted bool, may passes) (Answer, error) {
	m, err := unpack(q, pkt)
	if err != nil {
		return Answer{}, err
	}
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return Answer{}, rcodeError(m.Rcode)
	}
	records, err := normalise(q.Class, m.Answer)
	if err != nil {
		return Answer{}, err
	}
	records, changed := restrain(records, may)
	authority, err := normalise(q.Class, m.Ns)
	if err != nil {
		return Answer{}, err
	}
	c := chain{q: q, names: []string{presentation(q.Name)}}
	if err := c.follow(records); err != nil {
		return Answer{}, err
	}
	if c.complete && m.Rcode == dns.RcodeNameError {
		return Answer{}, fmt.Errorf("%w: NXDOMAIN together with an answer", errUnusable)
	}
	var soa *dns.SOA
	if !c.complete {
		soa = c.soa(authority)
	}
	if !c.complete && soa == nil && m.Rcode == dns.RcodeSuccess && len(c.kept) == 0 && slices.ContainsFunc(authority, isNS) {
		return Answer{}, errReferral
	}
	reply := newReply(q, m.Rcode)
	reply.AuthenticatedData = trusted && m.AuthenticatedData && !changed
	reply.Answer, reply.Ns = c.kept, c.proof(authority, soa)
	return pack(reply, lifetime(reply, c.complete, soa))
}

// unpack parses the records of a reply to q.
func unpack(q Question, pkt []byte) (*dns.Msg, error) {
	m := newReply(q, int(pkt[3]&maskRcode))
	m.AuthenticatedData = pkt[3]&bitAD != 0
	off := headerLen + len(q.Name) + 4
	for i, section := range []*[]dns.RR{&m.Answer, &m.Ns, &m.Extra} {
		for n := range int(binary.BigEndian.Uint16(pkt[6+2*i:])) {
			rr, end, err := readRecord(pkt, off)
			if err != nil {
				return nil, fmt.Errorf("%w: record %d of section %d: %w", errUnusable, n+1, i+1, err)
			}
			*section = append(*section, rr)
			off = end
		}
	}
	for _, rr := range m.Extra {
		if h := rr.Header(); h.Rrtype == dns.TypeOPT {
			m.Rcode |= int(h.Ttl>>24) << 4 // RFC 6891 §6.1.3
		}
	}
	return m, nil
}

// normalise drops records of other classes and duplicates, of which the least TTL is kept. Owners become lower case, TTLs
// with the top bit set become 0 (RFC 2181 §8).
func normalise(class uint16, rrs []dns.RR) ([]dns.RR, error) {
	var seen map[string]dns.RR
	if len(rrs) > 1 {
		seen = make(map[string]dns.RR, len(rrs))
	}
	kept := rrs[:0]
	var wire []byte
	for _, rr := range rrs {
		h := rr.Header()
		if h.Class != class {
			continue
		}
		h.Name = strings.ToLower(h.Name)
		ttl := h.Ttl
		if ttl > 1<<31-1 {
			ttl = 0
		}
		if seen != nil {
			h.Ttl = 0 // so that the octets compare without it
			wire = slices.Grow(wire[:0], dns.Len(rr)+1)
			n, err := dns.PackRR(rr, wire[:cap(wire)], 0, nil, false)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", errUnusable, err)
			}
			if first := seen[string(wire[:n])]; first != nil {
				first.Header().Ttl = min(first.Header().Ttl, ttl)
				continue
			}
			seen[string(wire[:n])] = rr
		}
		h.Ttl = ttl
		kept = append(kept, rr)
	}
	return kept, nil
}

func isNS(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeNS }

// lifetime is how long a reply may be kept: the least TTL in it; for a negative one also the SOA's MINIMUM, and not at all
// without an SOA (RFC 2308 §5).
func lifetime(m *dns.Msg, complete bool, soa *dns.SOA) uint32 {
	if !complete && soa == nil {
		return 0
	}
	least := uint32(1<<31 - 1)
	if soa != nil {
		least = min(least, soa.Minttl)
	}
	for _, section := range [][]dns.RR{m.Answer, m.Ns} {
		for _, rr := range section {
			least = min(least, rr.Header().Ttl)
		}
	}
	return least
}

// newReply is a reply to q without records.
func newReply(q Question, rcode int) *dns.Msg {
	return &dns.Msg{
		MsgHdr: dns.MsgHdr{
			Response: true, RecursionDesired: true, RecursionAvailable: true,
			CheckingDisabled: q.CD, Rcode: rcode,
		},
		Compress: true,
		Question: []dns.Question{{Name: presentation(q.Name), Qtype: q.Type, Qclass: q.Class}},
	}
}

func pack(m *dns.Msg, ttl uint32) (Answer, error) {
	wire, err := m.Pack()
	if err != nil {
		return Answer{}, fmt.Errorf("%w: packing it anew: %w", errUnusable, err)
	}
	if len(wire) > dns.MaxMsgSize {
		return Answer{}, fmt.Errorf("%w: %d octets when packed anew", errUnusable, len(wire))
	}
	// A kept answer should not hold the slack of the packing buffer.
	return Answer{Msg: slices.Clone(wire), TTL: time.Duration(ttl) * time.Second, AD: m.AuthenticatedData}, nil
}

// servfail is the answer that passes a server's SERVFAIL on. It is not to be kept as an answer.
func servfail(q Question, server string) (Answer, error) {
	a, err := pack(newReply(q, dns.RcodeServerFailure), 0)
	a.Server = server
	return a, err
}

// presentation is a canonical wire-form name as miekg/dns has it: lower case, escaped, with a trailing dot; "." if it is none.
func presentation(wire string) string {
	name, _, err := dns.UnpackDomainName([]byte(wire), 0)
	if err != nil {
		return "."
	}
	return name
}
