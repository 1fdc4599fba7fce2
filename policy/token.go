package policy

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"maps"
	"net/netip"
	"strings"
	"time"
)

// Token is what a machine shows to be taken for a seat's, or for the host at an address, wherever it asks from: a laptop at home keeps
// its office's rules. It ends with its seat or its host's entry. Only its hash is kept; who has the store or the journal has no token.
type Token struct {
	ID      string     `json:"id"`
	Kind    TokenKind  `json:"kind"`
	Hash    Hash       `json:"hash"`
	Seat    string     `json:"seat,omitempty"` // exactly one of Seat and Host
	Host    netip.Addr `json:"host,omitzero"`
	Until   Moment     `json:"until,omitempty"` // last day; empty: until it is revoked
	Version uint64     `json:"version"`
}

// Of is whose the token is, as text.
func (t *Token) Of() string {
	if t.Seat != "" {
		return "seat " + t.Seat
	}
	return "host " + t.Host.String()
}

// TokenKind is what is shown.
type TokenKind string

// The kinds of tokens.
const (
	Secret      TokenKind = "secret"      // a text, in the address of DNS over HTTPS or in the server name of TLS and QUIC
	Certificate TokenKind = "certificate" // a client certificate, whatever its issuer and dates say
)

// TokenKinds are all of them.
var TokenKinds = []TokenKind{Secret, Certificate}

// UnmarshalText reads a kind; empty is Secret.
func (k *TokenKind) UnmarshalText(text []byte) error {
	switch *k = TokenKind(text); *k {
	case "":
		*k = Secret
	case Secret, Certificate:
	default:
		return invalid("the kinds are secret and certificate", "%q is no kind of token", shorten(string(text)))
	}
	return nil
}

// Hash is the SHA-256 of a secret, or of the public key (SPKI, RFC 5280 §4.1) of a certificate. It is written in hexadecimal.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes it in hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads it.
func (h *Hash) UnmarshalText(text []byte) error {
	octets, err := hex.DecodeString(string(text))
	if err != nil || len(octets) != len(h) {
		return invalid("the hash of a token is its SHA-256 in 64 hexadecimal digits", "%q is no hash", shorten(string(text)))
	}
	*h = Hash(octets)
	return nil
}

// NewSecret makes a secret of 160 random bits, in letters that can stand in a host name (RFC 4648 §6), and its hash.
func NewSecret() (secret string, h Hash) {
	var random [20]byte
	_, _ = rand.Read(random[:]) // it never fails
	secret = strings.ToLower(base32.StdEncoding.EncodeToString(random[:]))
	return secret, sha256.Sum256([]byte(secret))
}

// Shown are the hashes of what a client shows beside its address; zero: nothing of the kind.
type Shown struct{ Secret, Certificate Hash }

// bearer is a token as the query path needs it.
type bearer struct {
	*Token
	span
}

// WhoShows finds the client at an address behind what it shows. A secret that is not known, or no more, makes it nobody, wherever it asks
// from: it meant to be somebody. A certificate that is not known says nothing, since machines choose one by themselves: then the
// address decides. It allocates nothing.
func (s *Snapshot) WhoShows(shown Shown, addr netip.Addr, at time.Time) Client {
	addr = addr.Unmap().WithZone("")
	if shown.Secret != (Hash{}) {
		c, _ := s.bears(shown.Secret, Secret, addr, at)
		return c
	}
	if c, ok := s.bears(shown.Certificate, Certificate, addr, at); ok {
		return c
	}
	return s.Who(addr, at)
}

// bears finds the client that shows a token.
func (s *Snapshot) bears(h Hash, kind TokenKind, addr netip.Addr, at time.Time) (Client, bool) {
	nobody := Client{Addr: addr, Role: Employee}
	b, ok := s.shown[h]
	if !ok || b.Kind != kind || !b.holds(at) {
		return nobody, false
	}
	return s.bearerOf(b.Token, addr, at)
}

// Bearer is the client that shows a token at an address, or, when that is none, wherever it may be; false when there is no such token, or
// not at that time.
func (s *Snapshot) Bearer(id string, addr netip.Addr, at time.Time) (Client, bool) {
	b, ok := s.tokens[id]
	if !ok || !b.holds(at) {
		return Client{}, false
	}
	return s.bearerOf(b.Token, addr, at)
}

func (s *Snapshot) bearerOf(t *Token, addr netip.Addr, at time.Time) (c Client, ok bool) {
	if t.Seat != "" {
		seat := s.seats[t.Seat]
		office := s.offices[seat.Office]
		c = Client{Inside: true, Office: office.Office, Role: seat.Role, Seat: seat.ID, number: office.number}
	} else if c = s.Who(t.Host, at); !c.Inside {
		return Client{Addr: addr, Role: Employee}, false
	}
	c.Addr, c.Token, c.Away = addr, t.ID, !s.Inside(addr)
	return c, true
}

// Certificates says whether any client is known by its certificate.
func (s *Snapshot) Certificates() bool { return s.certificates }

// Token is the token of that id.
func (s *Snapshot) Token(id string) (*Token, bool) {
	b, ok := s.tokens[id]
	if !ok {
		return nil, false
	}
	return b.Token, true
}

// Tokens are all tokens, by id.
func (s *Snapshot) Tokens() []*Token {
	return sorted(s.tokens, func(b *bearer) *Token { return b.Token })
}

// setToken adds a token or replaces it.
func (s *Snapshot) setToken(t *Token) {
	s.tokens = maps.Clone(s.tokens)
	s.tokens[t.ID] = &bearer{t, spanOf("", t.Until, s.town.Zone)}
	s.enterTokens()
}

func (s *Snapshot) dropToken(id string) {
	s.tokens = maps.Clone(s.tokens)
	delete(s.tokens, id)
	s.enterTokens()
}

// enterTokens makes what is shown those of the tokens as they are now.
func (s *Snapshot) enterTokens() {
	s.shown, s.certificates = map[Hash]*bearer{}, false
	for _, b := range s.tokens {
		s.shown[b.Hash] = b
		s.certificates = s.certificates || b.Kind == Certificate
	}
}
