package zone

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

const (
	// maxTTL is the largest TTL (RFC 2181 §8).
	maxTTL = 1<<31 - 1
	// maxRRset, in octets, leaves room in a message of 65,535 for the question and eleven DNAMEs with their CNAMEs before the set.
	maxRRset = 48 << 10
)

// loader builds a zone record by record, refusing each one that the zone could not answer rightly.
type loader struct {
	zone   *Zone
	origin string // fully qualified, in presentation form
	buf    []byte // for packing a record
}

func newLoader(origin string) (*loader, error) {
	apex, err := canonical(origin)
	if err != nil {
		return nil, fmt.Errorf("zone origin: %w", err)
	}
	z := &Zone{apex: apex, nodes: map[string]*node{string(apex): {}}}
	return &loader{zone: z, origin: presentation(apex), buf: make([]byte, dns.MaxMsgSize)}, nil
}

// add puts one record into the zone.
func (l *loader) add(rr dns.RR) error {
	h := rr.Header()
	if h.Name == "" {
		return errors.New("the record has no owner: start its line with a name, or with @ for the origin")
	}
	owner, err := canonical(h.Name)
	if err != nil {
		return err
	}
	h.Name = presentation(owner)
	if err := l.admit(rr, owner); err != nil {
		return err
	}
	size, err := l.measure(rr)
	if err != nil {
		return err
	}
	n, err := l.node(owner)
	if err != nil {
		return err
	}
	return n.add(rr, owner, size)
}

// admit judges a record by itself.
func (l *loader) admit(rr dns.RR, owner []byte) error {
	h, atApex := rr.Header(), len(owner) == len(l.zone.apex)
	switch {
	case h.Class != dns.ClassINET:
		return fmt.Errorf("class %s: only IN is served", dns.Class(h.Class))
	case !within(owner, l.zone.apex):
		return fmt.Errorf("%s is outside the zone %s: give it a zone of its own, or mind a missing or extra final dot", h.Name, l.origin)
	case h.Ttl > maxTTL:
		return fmt.Errorf("TTL %d: the largest is %d seconds", h.Ttl, maxTTL)
	}
	switch t := h.Rrtype; t {
	case dns.TypeNS:
		if !atApex {
			lab := strings.TrimSuffix(h.Name, ".")
			return fmt.Errorf("NS below the origin would delegate %s, which nobody follows here: use a forward for %s", lab, lab)
		}
	case dns.TypeSOA:
		if !atApex {
			return fmt.Errorf("SOA at %s: it stands at the origin %s only", h.Name, l.origin)
		}
	case dns.TypeCNAME:
		if atApex {
			return errors.New("CNAME at the origin, beside its SOA: give the origin addresses of its own (RFC 1912 §2.4)")
		}
	case dns.TypeDNAME:
		if isWildcard(owner) {
			return errors.New("DNAME at a wildcard has no defined meaning: name its owner (RFC 4592 §4.4)")
		}
	case dns.TypeDS, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM:
		return fmt.Errorf("%s: local zones are served unsigned: load the zone as it was before signing", dns.Type(t))
	default:
		if t == 0 || t == dns.TypeOPT || 128 <= t && t <= 255 { // RFC 6895 §3.1
			return fmt.Errorf("%s is a type of questions and messages, not of zone data: remove it", dns.Type(t))
		}
	}
	return nil
}

// measure is a record's size in octets on the wire. It refuses what could not be packed, or not be read by who gets it:
// the parser lets some pass, records without any data among them.
func (l *loader) measure(rr dns.RR) (int, error) {
	h := rr.Header()
	if newRR, known := dns.TypeToRR[h.Rrtype]; known {
		bare := newRR()
		*bare.Header() = *h
		if reflect.DeepEqual(rr, bare) {
			return 0, fmt.Errorf("%s without data: write it after the type", dns.Type(h.Rrtype))
		}
	}
	n, err := dns.PackRR(rr, l.buf, 0, nil, false)
	if err == nil {
		_, _, err = dns.UnpackRR(l.buf[:n], 0)
	}
	if err != nil {
		return 0, fmt.Errorf("%s with wrong data: %s", dns.Type(h.Rrtype), strings.TrimPrefix(err.Error(), "dns: "))
	}
	if h.Rdlength == 0 {
		return 0, fmt.Errorf("%s without data: write it after the type", dns.Type(h.Rrtype))
	}
	return n, nil
}

// node is the node of owner, made with its ancestors as empty non-terminals when new. Nothing may stand below a DNAME (RFC 6672 §2.4).
func (l *loader) node(owner []byte) (*node, error) {
	for up := owner; len(up) > len(l.zone.apex); {
		up = parent(up)
		n := l.ensure(up)
		if n.set(dns.TypeDNAME) != nil {
			return nil, fmt.Errorf("%s stands below %s, which has a DNAME: remove one of them (RFC 6672 §2.4)", presentation(owner), presentation(up))
		}
		if n.parent {
			break // and so are those above it
		}
		n.parent = true
	}
	return l.ensure(owner), nil
}

func (l *loader) ensure(name []byte) *node {
	n := l.zone.nodes[string(name)]
	if n == nil {
		n = &node{}
		l.zone.nodes[string(name)] = n
	}
	return n
}

// add puts a record of size octets among those of its name. Duplicates are merged, and a set takes its lowest TTL (RFC 2181 §5).
func (n *node) add(rr dns.RR, owner []byte, size int) error {
	h := rr.Header()
	set := n.set(h.Rrtype)
	if set == nil {
		made, err := n.newSet(h, rr)
		if err != nil {
			return err
		}
		set = made
	}
	if len(set.rrs) > 0 {
		h.Ttl = min(h.Ttl, set.rrs[0].Header().Ttl)
	}
	for _, other := range set.rrs {
		other.Header().Ttl = h.Ttl
	}
	if slices.ContainsFunc(set.rrs, func(other dns.RR) bool { return dns.IsDuplicate(rr, other) }) {
		return nil
	}
	single := h.Rrtype == dns.TypeSOA || h.Rrtype == dns.TypeCNAME || h.Rrtype == dns.TypeDNAME
	if single && len(set.rrs) > 0 {
		return fmt.Errorf("a second %s at %s: there can be one only", dns.Type(h.Rrtype), h.Name)
	}
	if set.size += size; set.size > maxRRset {
		return fmt.Errorf("the %s records of %s are over %d octets together: no reply could hold them", dns.Type(h.Rrtype), h.Name, maxRRset)
	}
	set.rrs = append(set.rrs, rr)
	return nil
}

// newSet makes room for a type that n does not have, if it can stand beside what is there.
func (n *node) newSet(h *dns.RR_Header, rr dns.RR) (*rrset, error) {
	if len(n.sets) > 0 && (h.Rrtype == dns.TypeCNAME || n.set(dns.TypeCNAME) != nil) {
		return nil, fmt.Errorf("%s has a CNAME and other data: remove one of them (RFC 2181 §10.1)", h.Name)
	}
	set := rrset{typ: h.Rrtype}
	var err error
	switch rr := rr.(type) {
	case *dns.CNAME:
		set.target, err = canonical(rr.Target)
	case *dns.DNAME:
		if n.parent {
			return nil, fmt.Errorf("%s has a DNAME and names below it: remove one of them (RFC 6672 §2.4)", h.Name)
		}
		set.target, err = canonical(rr.Target)
	}
	if err != nil {
		return nil, fmt.Errorf("%s target: %w", dns.Type(h.Rrtype), err)
	}
	i, _ := slices.BinarySearchFunc(n.sets, set.typ, func(s rrset, t uint16) int { return int(s.typ) - int(t) })
	n.sets = slices.Insert(n.sets, i, set)
	return &n.sets[i], nil
}

// finish completes the zone with its SOA.
func (l *loader) finish() (*Zone, error) {
	apex := l.zone.nodes[string(l.zone.apex)]
	if apex.set(dns.TypeSOA) == nil {
		if err := l.add(l.madeSOA()); err != nil {
			return nil, fmt.Errorf("zone %s: making an SOA: %w", l.origin, err)
		}
	}
	soa := dns.Copy(apex.set(dns.TypeSOA).rrs[0]).(*dns.SOA)
	soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl) // RFC 2308 §3
	l.zone.negative = []dns.RR{soa}
	return l.zone, nil
}

func (l *loader) madeSOA() *dns.SOA {
	mailbox := "hostmaster." + strings.TrimPrefix(l.origin, ".")
	if _, err := canonical(mailbox); err != nil { // too long with the label in front
		mailbox = l.origin
	}
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: l.origin, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: defaultTTL},
		Ns:  l.origin, Mbox: mailbox, Serial: 1,
		Refresh: madeRefresh, Retry: madeRetry, Expire: madeExpire, Minttl: madeMinimum,
	}
}
