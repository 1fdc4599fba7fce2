package upstream

import (
	crand "crypto/rand"
	"math/rand/v2"
	"sync"
)

// The source ports drawn from: all but the privileged ones. The kernel's own choice draws from less than half of them
// and repeats itself, so the port is bound explicitly (RFC 5452 §9.2, RFC 6056 §3.2).
const (
	firstPort = 1024
	lastPort  = 65535
)

// random draws what a forger has to guess: from ChaCha8, seeded by the kernel.
type random struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newRandom() *random {
	var seed [32]byte
	crand.Read(seed[:]) // never fails: it ends the program instead
	return &random{r: rand.New(rand.NewChaCha8(seed))}
}

// id draws a message ID.
func (r *random) id() uint16 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return uint16(r.r.Uint64())
}

// port draws a source port.
func (r *random) port() uint16 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return uint16(firstPort + r.r.IntN(lastPort-firstPort+1))
}

// mixCase turns each lower-case letter of a name in wire form into upper case, or not. Length octets are below 64 and stay.
func (r *random) mixCase(name []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var bits uint64
	for i, c := range name {
		if i%64 == 0 {
			bits = r.r.Uint64()
		}
		if 'a' <= c && c <= 'z' {
			name[i] = c ^ byte(bits&1)<<5
		}
		bits >>= 1
	}
}
