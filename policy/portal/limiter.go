package portal

import (
	"net/netip"
	"sync"
	"time"
)

// What one workstation may send to the portal: this many at once, and one more each postEvery.
const (
	postBurst = 10
	postEvery = 6 * time.Second
)

// maxLimited is how many workstations are remembered at once.
const maxLimited = 4096

// limiter bounds how often each client does something, in bounded memory.
type limiter struct {
	burst int
	every time.Duration
	now   func() time.Time

	mu   sync.Mutex
	full map[netip.Addr]time.Time // when the client has its whole burst again; none: now
}

func newLimiter(burst int, every time.Duration, now func() time.Time) *limiter {
	return &limiter{burst: burst, every: every, now: now, full: map[netip.Addr]time.Time{}}
}

// allow takes one of what the client may do; false when there is none left. When more clients than can be remembered are at
// it at once, those who are not remembered are told to wait.
func (l *limiter) allow(client netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	full, known := l.full[client]
	if !known && len(l.full) >= maxLimited {
		for a, t := range l.full {
			if !t.After(now) {
				delete(l.full, a)
			}
		}
		if len(l.full) >= maxLimited {
			return false
		}
	}
	if full.Before(now) {
		full = now
	}
	if full = full.Add(l.every); full.Sub(now) > time.Duration(l.burst)*l.every {
		return false
	}
	l.full[client] = full
	return true
}
