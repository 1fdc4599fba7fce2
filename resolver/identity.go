package resolver

import (
	"github.com/miekg/dns"

	"usciere/resolver/wire"
)

// Identity is what the server tells clients inside the site of itself, which is nothing where a field is empty. At most 128 octets
// of each are told.
type Identity struct {
	NSID    string // to who asks for it (RFC 5001), and as id.server and hostname.bind of class CHAOS (RFC 4892)
	Version string // as version.server and version.bind of class CHAOS
}

// maxIdentity is what wire sends of an NSID, and fits into one character string (RFC 1035 §3.3).
const maxIdentity = 128

// chaos is the answer to a question of class CHAOS; empty: the name is hidden.
func (i *Identity) chaos(q *wire.Query) string {
	if q.Class != wire.ClassCH || q.Type != dns.TypeTXT {
		return ""
	}
	text := ""
	switch string(q.Name()) {
	case "\x07version\x06server\x00", "\x07version\x04bind\x00":
		text = i.Version
	case "\x02id\x06server\x00", "\x08hostname\x04bind\x00":
		text = i.NSID
	}
	return text[:min(len(text), maxIdentity)]
}

// identify answers a question of class CHAOS; nobody is to keep it.
func (r *Resolver) identify(q *query, s *setup) {
	text := s.Identity.chaos(&q.Query)
	q.Begin(q.request.Scratch(), &q.Query, wire.RcodeNoError, true)
	q.Record(wire.Answer, q.Type, 0, append([]byte{byte(len(text))}, text...))
	r.send(q)
}
