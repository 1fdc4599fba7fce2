// Package owners remembers to whom the aliases of allowed names lead: the owners, by their registrable domains, of the names they are
// aliases of. A name that one day leads to somebody else may have been taken over, or left behind by who owned it; whoever runs
// the town's DNS should look.
package owners

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"usciere/policy"
)

const (
	// MaxNames is how many names are remembered; beyond it those that were not looked up for longest are forgotten. A town has some
	// hundred, and some thousand where whole domains are granted.
	MaxNames = 10_000
	// maxNews is how many names are newly remembered before what is remembered is kept: whoever asks for name after name below a granted
	// domain fills neither memory nor store.
	maxNews = 1000
)

// Memory is what is remembered, and what of it is not kept yet.
type Memory struct {
	mu    sync.Mutex
	known *simplelru.LRU[policy.Name, []string]
	news  []policy.Led

	changed chan struct{}
}

// New makes a memory of what is kept, for as many names as it has room for.
func New(max int, kept []policy.Alias) *Memory {
	m := &Memory{changed: make(chan struct{}, 1)}
	known, err := simplelru.NewLRU(max, func(name policy.Name, _ []string) {
		m.news = append(m.news, policy.Led{Name: name, Forgotten: true})
	})
	if err != nil {
		panic(err) // of no size: a fault of the program
	}
	m.known = known
	for _, a := range kept {
		var owners []string
		for _, o := range a.Owners {
			owners = append(owners, o.Owner)
		}
		m.known.Add(a.Name, owners)
	}
	return m
}

// Note takes in to whom a name leads: to nobody but its own owner when there is none. It returns to whom it did not lead before, and to
// whom it did, unless the name is new. One that leads to nobody else is only remembered if it was granted by itself, and not with all that
// is below a domain, where there is no end of names. One that leads to policy.MaxAliasOwners cannot be watched: what comes after is no news.
func (m *Memory) Note(name policy.Name, owners []string, byItself bool, at time.Time) (fresh, before []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before, known := m.known.Get(name)
	if !known && (len(owners) == 0 && !byItself || len(m.news) >= maxNews) {
		return nil, nil
	}
	for _, o := range owners {
		if !slices.Contains(before, o) && !slices.Contains(fresh, o) {
			fresh = append(fresh, o)
		}
	}
	fresh = fresh[:min(len(fresh), max(0, policy.MaxAliasOwners-len(before)))]
	if known && len(fresh) == 0 {
		return nil, before
	}
	m.known.Add(name, append(slices.Clone(before), fresh...))
	m.news = append(m.news, policy.Led{Name: name, Owners: fresh, At: at, First: !known})
	if !known {
		return nil, nil
	}
	select {
	case m.changed <- struct{}{}:
	default: // it was not taken since the last
	}
	return fresh, before
}

// Changed has something to receive when a name led to somebody new since it was last received from, which should not wait to be kept.
func (m *Memory) Changed() <-chan struct{} { return m.changed }

// Keep gives what is not kept yet to keep, and tries the same again the next time if that fails.
func (m *Memory) Keep(keep func([]policy.Led) error) error {
	m.mu.Lock()
	news := m.news
	m.news = nil
	m.mu.Unlock()
	if len(news) == 0 {
		return nil
	}
	err := keep(news)
	if err != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.news = append(news, m.news...); len(m.news) > 2*MaxNames { // a store that cannot be written for days
			m.news = slices.Clone(m.news[len(m.news)-2*MaxNames:])
		}
	}
	return err
}
