package listen

import (
	"crypto/sha256"
	"crypto/tls"
	"net/netip"
	"strings"
	"sync/atomic"
)

// Claim is what a client shows, beside its address, of whose it is.
type Claim struct {
	// Token is the SHA-256 of a token: of the label that begins the server name of the handshake (RFC 6066 §3), or of what follows
	// [WebPath] in the address of a request, which goes first. Zero: none was shown.
	Token [sha256.Size]byte
	// Certificate is the SHA-256 of the public key (SPKI) of the client's certificate, which it has proven to hold; its issuer and its
	// dates say nothing here. Zero: none was shown.
	Certificate [sha256.Size]byte
}

// TokenLength is how many characters a token has: lower-case letters and the digits 2 to 7 (RFC 4648 §6), of five random bits each.
// Whatever looks otherwise is no token.
const TokenLength = 32

func isToken(s string) bool {
	return len(s) == TokenLength && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// claimOf is what a handshake showed; nil: nothing.
func claimOf(state *tls.ConnectionState) *Claim {
	var c Claim
	if label, _, _ := strings.Cut(strings.ToLower(state.ServerName), "."); isToken(label) {
		c.Token = sha256.Sum256([]byte(label))
	}
	if len(state.PeerCertificates) > 0 {
		c.Certificate = sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
	}
	if c == (Claim{}) {
		return nil
	}
	return &c
}

// withToken is the claim with the token of a request in place of what the handshake showed.
func (c *Claim) withToken(token string) *Claim {
	if token == "" {
		return c
	}
	var own Claim
	if c != nil {
		own = *c
	}
	own.Token = sha256.Sum256([]byte(token))
	return &own
}

// stranger is whether the client of a connection is taken for one.
type stranger struct{ atomic.Bool }

// welcome takes a connection for that of one of ours as soon as it shows whose it is, and says whether that was just now.
func (s *Server) welcome(guest *stranger, claim *Claim, client netip.Addr) bool {
	if claim == nil || !guest.Load() || s.cfg.Known == nil || !s.cfg.Known(claim, client) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaveGuests(guest)
}

// leaveGuests gives the place of a stranger back, once; who calls it holds s.mu.
func (s *Server) leaveGuests(guest *stranger) bool {
	was := guest.Swap(false)
	if was {
		s.guests--
	}
	return was
}
