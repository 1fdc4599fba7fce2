// Package tally counts for which names each office asked, without keeping who did: a name is only told of once several of the office's
// clients asked for it on the same day, since an office of one person is a person. Which ones they were is in memory alone, as hashes under
// a key of that day, and is forgotten with it.
package tally

import (
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"

	"usciere/policy"
)

// maxNames and maxAll are how many names of one office, and of all, are counted at once, in some 15 MB; what came after is not, until names
// that only one client asked for are forgotten again.
const (
	maxNames = 2000
	maxAll   = 100_000
)

// Tally is what is counted of a day and not kept yet. All methods may be called from any goroutine.
type Tally struct {
	mu      sync.Mutex
	key     maphash.Seed                 // of the clients' hashes, made with the offices
	offices map[string]map[string]*asked // by id, then by name in canonical wire form
	all     int                          // names of all offices
}

// asked is one name of one office.
type asked struct {
	allowed, sinkholed uint64                       // since it was last taken
	clients            [policy.FewestClients]uint64 // hashes of their addresses
	n                  int                          // of them, up to the fewest
}

// Note counts a question of an office's client. A machine has one IPv4 address, but IPv6 addresses without end (RFC 8981), beside that or
// without: these do not count as clients.
func (t *Tally) Note(office string, name []byte, client netip.Addr, allowed bool) {
	client = client.Unmap()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.offices == nil {
		t.key, t.offices = maphash.MakeSeed(), map[string]map[string]*asked{}
	}
	names := t.offices[office]
	a := names[string(name)]
	if a == nil {
		if len(names) >= maxNames || t.all >= maxAll {
			return
		}
		t.all++
		if names == nil {
			names = map[string]*asked{}
			t.offices[office] = names
		}
		a = new(asked)
		names[string(name)] = a
	}
	if allowed {
		a.allowed++
	} else {
		a.sinkholed++
	}
	if a.n == len(a.clients) || !client.Is4() {
		return
	}
	if hash := maphash.Comparable(t.key, client); !slices.Contains(a.clients[:a.n], hash) {
		a.clients[a.n] = hash
		a.n++
	}
}

// Take returns what was counted since the last time of the names that enough clients asked for. Where there is no room, the names are lost
// that only one client asked for.
func (t *Tally) Take() map[string][]policy.AskedName {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := map[string][]policy.AskedName{}
	crowded := t.all >= maxAll
	for office, names := range t.offices {
		full := crowded || len(names) >= maxNames
		for name, a := range names {
			switch {
			case a.n >= policy.FewestClients && a.allowed+a.sinkholed > 0:
				all[office] = append(all[office], policy.AskedName{Name: policy.Name(name), Allowed: a.allowed, Sinkholed: a.sinkholed})
				a.allowed, a.sinkholed = 0, 0
			case full && a.n <= 1:
				delete(names, name)
				t.all--
			}
		}
	}
	return all
}

// Forget forgets all, as at the end of a day.
func (t *Tally) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.offices, t.all = nil, 0
}
