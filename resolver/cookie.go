package resolver

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/dchest/siphash"

	"usciere/resolver/wire"
)

// A server cookie of version 1 (RFC 9018 §4): version, three octets reserved, time, hash.
const (
	cookieVersion = 1
	cookieHead    = 8
	serverCookie  = cookieHead + 8
)

// How long a server cookie is believed, and how long it is told again instead of a new one (RFC 9018 §4.3).
const (
	cookieLife  = time.Hour
	cookieAhead = 5 * time.Minute
	cookieFresh = cookieLife / 2
)

// CookieSecret makes server cookies. Servers behind one address have it in common.
type CookieSecret [16]byte

// NewCookieSecret makes one of random bits.
func NewCookieSecret() (s CookieSecret) {
	_, _ = rand.Read(s[:]) // it never fails
	return s
}

// hash is that of a server cookie, which begins with head, for a client.
func (s *CookieSecret) hash(client, head []byte, addr netip.Addr) (sum [8]byte) {
	var input [wire.ClientCookie + cookieHead + 16]byte
	n := copy(input[:], client)
	n += copy(input[n:], head)
	if addr = addr.Unmap(); addr.Is4() {
		a := addr.As4()
		n += copy(input[n:], a[:])
	} else {
		a := addr.As16()
		n += copy(input[n:], a[:])
	}
	k0, k1 := binary.LittleEndian.Uint64(s[:8]), binary.LittleEndian.Uint64(s[8:])
	binary.LittleEndian.PutUint64(sum[:], siphash.Hash(k0, k1, input[:n]))
	return sum
}

// proves says whether a server cookie was given to the client at that address, and how long ago.
func (s *CookieSecret) proves(client, server []byte, addr netip.Addr, at time.Time) (age time.Duration, ok bool) {
	if len(server) != serverCookie || server[0] != cookieVersion {
		return 0, false
	}
	made := int64(binary.BigEndian.Uint32(server[4:]))
	now := at.Unix()
	age = time.Duration(int64(int32(uint32(now)-uint32(made)))) * time.Second // serial number arithmetic (RFC 1982)
	sum := s.hash(client, server[:cookieHead], addr)
	return age, age <= cookieLife && age >= -cookieAhead && string(sum[:]) == string(server[cookieHead:])
}

// Cookie is one that proves an address to the resolver: a client's part, and the server's that goes with it.
func (r *Resolver) Cookie(of netip.Addr) []byte {
	var cookie [wire.ClientCookie + serverCookie]byte
	_, _ = rand.Read(cookie[:wire.ClientCookie]) // it never fails
	r.setup.Load().Cookies.fill(&cookie, of, r.now())
	return cookie[:]
}

// fill makes the server's part of a cookie.
func (s *CookieSecret) fill(cookie *[wire.ClientCookie + serverCookie]byte, addr netip.Addr, at time.Time) {
	client, head := cookie[:wire.ClientCookie], cookie[wire.ClientCookie:][:cookieHead]
	clear(head)
	head[0] = cookieVersion
	binary.BigEndian.PutUint32(head[4:], uint32(at.Unix()))
	sum := s.hash(client, head, addr)
	copy(cookie[wire.ClientCookie+cookieHead:], sum[:])
}

// bake is the cookie that answers a client's: with the server's part that it showed, while that is fresh, or else a new one. proven says
// whether it showed one that it was given, so that its address is no forged one.
func (s *CookieSecret) bake(q *wire.Query, addr netip.Addr, at time.Time, into *[wire.ClientCookie + serverCookie]byte) (cookie []byte, proven bool) {
	client, server := q.Cookie()
	if len(client) == 0 {
		return nil, false
	}
	age, proven := s.proves(client, server, addr, at)
	n := copy(into[:], client)
	if proven && age < cookieFresh && age >= 0 {
		copy(into[n:], server)
		return into[:], true
	}
	s.fill(into, addr, at)
	return into[:], proven
}
