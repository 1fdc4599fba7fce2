package officeload

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
)

// Kind is what becomes of a question.
type Kind uint8

// The kinds.
const (
	Cached  Kind   = iota // granted, and asked before: what Warm asks
	Blocked               // not granted
	Cold                  // granted, and never asked before
	Local                 // answered by the town itself
	Flood                 // as Cold, in a flood: it may fail
	Kinds   = iota        // how many there are
)

func (k Kind) String() string { return [...]string{"cached", "blocked", "cold", "local", "flood"}[k] }

// Type is a record type.
type Type uint16

// The types that are asked (RFC 1035 §3.2.2, RFC 3596, RFC 2782, RFC 9460).
const (
	A     Type = 1
	SOA   Type = 6
	PTR   Type = 12
	AAAA  Type = 28
	SRV   Type = 33
	HTTPS Type = 65
)

// webTypes are what a browser asks of a name, together.
var webTypes = [...]Type{A, AAAA, HTTPS}

// Response codes (RFC 1035 §4.1.1).
const (
	NoError  = 0
	ServFail = 2
	NXDomain = 3
)

// Answer is what a reply must be.
type Answer struct {
	Rcode   int
	Records bool       // the answer section is not empty
	Addr    netip.Addr // of the first record, if valid
}

// Question is what is asked and what must come back.
type Question struct {
	Name string // without the final dot
	Type Type
	Kind Kind
	Want Answer
}

func newHost(domain int, name string) *host {
	h := &host{domain: domain}
	for i, t := range webTypes {
		h.granted[i] = granted(name, t, Cached)
		h.blocked[i] = blocked(name, t)
	}
	return h
}

func granted(name string, t Type, k Kind) *Question {
	addr := Upstream(name, t)
	return &Question{name, t, k, Answer{Records: addr.IsValid(), Addr: addr}}
}

// blocked is a question that leads to the page, which has an address of one family only.
func blocked(name string, t Type) *Question {
	q := &Question{Name: name, Type: t, Kind: Blocked}
	if t == A {
		q.Want = Answer{Records: true, Addr: Page}
	}
	return q
}

func local(name string, t Type, want Answer) *Question { return &Question{name, t, Local, want} }

// Upstream is the address that every server upstream must give a name for a type; not valid: there is no such record, but the name
// exists. Two names in five have IPv6 addresses, none has HTTPS records: both assumed. The name is in lower case.
func Upstream(name string, t Type) netip.Addr {
	f := fnv.New64a()
	f.Write([]byte(name)) //nolint:errcheck // a hash never fails
	hash := f.Sum64()
	switch {
	case t == A:
		return netip.AddrFrom4([4]byte{198, 18 + byte(hash>>16&1), byte(hash >> 8), byte(hash)}) // RFC 2544: for benchmarks
	case t == AAAA && hash>>32%5 < 2:
		var a [16]byte
		copy(a[:], []byte{0x20, 0x01, 0x0d, 0xb8}) // RFC 3849: for documentation
		binary.BigEndian.PutUint64(a[8:], hash)
		return netip.AddrFrom16(a)
	}
	return netip.Addr{}
}
