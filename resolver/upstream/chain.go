package upstream

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// maxName is the longest name in octets (RFC 1035 §3.1); miekg/dns packs somewhat longer ones.
const maxName = 255

// chain collects the records that answer a question.
type chain struct {
	q        Question
	names    []string // the question's name, then the target of each alias; lower case, escaped, with a trailing dot
	kept     []dns.RR
	complete bool // it ends in records of the asked type
}

// follow walks from the question's name over aliases to the asked type, as far as the records lead.
func (c *chain) follow(records []dns.RR) error {
	for {
		name := c.names[len(c.names)-1]
		target, err := c.viaDNAME(records, name)
		if err != nil {
			return err
		}
		if target == "" {
			if c.keep(records, name, c.q.Type) {
				c.complete = true
				return nil
			}
			if target, err = c.viaCNAME(records, name); target == "" || err != nil {
				return err
			}
		} else if c.q.Type == dns.TypeCNAME {
			c.complete = true
			return nil
		}
		if len(c.names) > maxLinks {
			return fmt.Errorf("%w: more than %d aliases in a row, or a loop", errUnusable, maxLinks)
		}
		c.names = append(c.names, target)
	}
}

// keep takes the records of one owner and type, and with DO their signatures. It says whether there was a record.
func (c *chain) keep(records []dns.RR, owner string, rrtype uint16) bool {
	before := len(c.kept)
	for _, rr := range records {
		if h := rr.Header(); h.Rrtype == rrtype && h.Name == owner {
			c.kept = append(c.kept, rr)
		}
	}
	if len(c.kept) == before {
		return false
	}
	if c.q.DO {
		for _, rr := range records {
			if sig, ok := rr.(*dns.RRSIG); ok && sig.TypeCovered == rrtype && sig.Hdr.Name == owner {
				c.kept = append(c.kept, rr)
			}
		}
	}
	return true
}

// viaCNAME keeps the CNAME at name and returns its target; "" if there is none.
func (c *chain) viaCNAME(records []dns.RR, name string) (string, error) {
	cname, err := cnameAt(records, name)
	if cname == nil || err != nil {
		return "", err
	}
	c.keep(records, name, dns.TypeCNAME)
	return strings.ToLower(cname.Target), nil
}

// cnameAt finds the one CNAME at name, or nil.
func cnameAt(records []dns.RR, name string) (*dns.CNAME, error) {
	var found *dns.CNAME
	for _, rr := range records {
		cname, ok := rr.(*dns.CNAME)
		if !ok || cname.Hdr.Name != name {
			continue
		}
		if found != nil { // RFC 2181 §10.1
			return nil, fmt.Errorf("%w: two CNAMEs at %s", errUnusable, name)
		}
		found = cname
	}
	return found, nil
}

// viaDNAME keeps the DNAME above name and the CNAME that follows from it, and returns that one's target; "" if there is no
// DNAME. The server's CNAME must be that one; a missing one is made (RFC 6672 §3.1, §5.3.1).
func (c *chain) viaDNAME(records []dns.RR, name string) (string, error) {
	i := slices.IndexFunc(records, func(rr dns.RR) bool {
		h := rr.Header()
		return h.Rrtype == dns.TypeDNAME && h.Name != "." && h.Name != name && dns.IsSubDomain(h.Name, name)
	})
	if i < 0 {
		return "", nil
	}
	dname := records[i].(*dns.DNAME)
	target := strings.TrimSuffix(name, dname.Hdr.Name)
	if to := strings.ToLower(dname.Target); to != "." {
		target += to
	}
	if n, err := dns.PackDomainName(target, make([]byte, 512), 0, nil, false); err != nil || n > maxName {
		return "", fmt.Errorf("%w: the DNAME of %s makes a name that is too long", errUnusable, dname.Hdr.Name)
	}
	cname, err := cnameAt(records, name)
	if err != nil {
		return "", err
	}
	if cname == nil {
		cname = &dns.CNAME{
			Hdr:    dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: c.q.Class, Ttl: dname.Hdr.Ttl},
			Target: target,
		}
	}
	if strings.ToLower(cname.Target) != target {
		return "", fmt.Errorf("%w: the CNAME of %s does not follow from its DNAME", errUnusable, name)
	}
	if !slices.Contains(c.kept, dns.RR(dname)) { // one DNAME may serve several links
		c.keep(records, dname.Hdr.Name, dns.TypeDNAME)
	}
	c.kept = append(c.kept, cname)
	return target, nil
}

// soa finds the SOA of a negative answer: of a zone that holds the end of the chain. nil if there is none.
func (c *chain) soa(authority []dns.RR) *dns.SOA {
	for _, rr := range authority {
		if soa, ok := rr.(*dns.SOA); ok && dns.IsSubDomain(soa.Hdr.Name, c.names[len(c.names)-1]) {
			return soa
		}
	}
	return nil
}

// owned is a record set's owner and type.
type owned struct {
	name   string
	rrtype uint16
}

// proof picks from the authority section: the SOA, and with DO what proves that a name, a type, or a closer match of a
// wildcard is not there (RFC 4035 §3.1.3): NSEC and NSEC3 records and their signatures. Those must be signed by a zone that holds
// a name of the chain; nobody can use others.
func (c *chain) proof(authority []dns.RR, soa *dns.SOA) []dns.RR {
	signed := map[owned]bool{}
	if soa != nil {
		signed[owned{soa.Hdr.Name, dns.TypeSOA}] = true
	}
	if c.q.DO {
		for _, rr := range authority {
			if sig, ok := rr.(*dns.RRSIG); ok && c.provesAbsence(sig) {
				signed[owned{sig.Hdr.Name, sig.TypeCovered}] = true
			}
		}
	}
	var kept []dns.RR
	for _, rr := range authority {
		h, keep := rr.Header(), false
		switch h.Rrtype {
		case dns.TypeSOA:
			keep = rr == dns.RR(soa)
		case dns.TypeRRSIG:
			sig := rr.(*dns.RRSIG)
			keep = c.q.DO && signed[owned{h.Name, sig.TypeCovered}] && (sig.TypeCovered == dns.TypeSOA || c.provesAbsence(sig))
		case dns.TypeNSEC, dns.TypeNSEC3:
			keep = signed[owned{h.Name, h.Rrtype}]
		}
		if keep {
			kept = append(kept, rr)
		}
	}
	return kept
}

// provesAbsence says whether a signature is one over an NSEC or NSEC3 record, made by a zone that holds both the record and a name of the chain.
func (c *chain) provesAbsence(sig *dns.RRSIG) bool {
	if sig.TypeCovered != dns.TypeNSEC && sig.TypeCovered != dns.TypeNSEC3 {
		return false
	}
	return dns.IsSubDomain(sig.SignerName, sig.Hdr.Name) && slices.ContainsFunc(c.names, func(name string) bool {
		return dns.IsSubDomain(sig.SignerName, name)
	})
}
