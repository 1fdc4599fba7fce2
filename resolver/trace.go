package resolver

import (
	"strings"

	"github.com/miekg/dns"

	"usciere/policy"
	"usciere/resolver/wire"
)

// Trace is what a question comes to now, alias by alias.
type Trace struct {
	Rcode   string
	Links   []Link
	Records []string // at the end, in presentation form
}

// Link is an alias in an answer.
type Link struct {
	Name, Target policy.Name
	TTL          uint32 // seconds
}

// Trace asks what a question on its way comes to, of the cache or of the servers, as a client's would; way leads to a group.
func (r *Resolver) Trace(way Route, name policy.Name, t policy.Type) (out Trace, err error) {
	q := &query{Query: wire.Query{Type: uint16(t), Class: wire.ClassIN}, at: r.now()}
	m, err := r.outside(q, []byte(name), way, r.setup.Load())
	if err != nil {
		return out, err
	}
	out.Rcode = dns.RcodeToString[m.Rcode]
	for _, rr := range m.Answer {
		alias, ok := rr.(*dns.CNAME)
		if !ok {
			out.Records = append(out.Records, strings.ReplaceAll(rr.String(), "\t", " "))
			continue
		}
		from, err := policy.ParseName(alias.Hdr.Name)
		if err != nil {
			continue // an underscore or the like: shown by the record after it
		}
		to, err := policy.ParseName(alias.Target)
		if err != nil {
			continue
		}
		out.Links = append(out.Links, Link{from, to, alias.Hdr.Ttl})
	}
	return out, nil
}
