package resolver

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"usciere/policy"
	"usciere/resolver/wire"
)

// targets remembers, for each office, the hosts that the MX and mail SRV records of its mail domains pointed to, whose addresses belong to
// the mail grant (R3), and those that the HTTPS and SVCB records of its web sites pointed to, which belong to the web grant. What is kept is the question they came from, which is judged anew each time, so
// that a revoked grant takes its hosts with it. It is learnt from the office's own questions alone, and each office has
// room of its own: what one may reach never depends on another's traffic (S8).
type targets struct {
	version atomic.Uint64 // counts what is new in known
	_       [120]byte     // every question reads version; those that write mu should not take its line away

	mu    sync.RWMutex
	known map[string]map[policy.Name][]target // office id → a host, or a name above one → what leads there
	heard map[lesson]taught
}

// lesson is a question whose reply an office learnt from.
type lesson struct {
	office string
	name   policy.Name
	t      policy.Type
}

// taught is when a reply was last learnt from, how long it holds, and a hash of what it said.
type taught struct {
	at, until time.Time
	says      uint64
}

// target is a question whose answer named a host.
type target struct {
	source  policy.Name
	t       policy.Type
	above   bool // the name only stands above the host
	expires time.Time
}

const (
	maxTargets = 4000 // names of one office; a mail domain has a handful
	maxSources = 16   // questions kept of one name: many domains have their mail at one provider
	maxHosts   = 16   // learnt from one answer: the largest providers have fewer; who answers must not choose what it costs
	maxAbove   = 8    // names above a host that are kept from being denied
	// leastTargetLife lets a program that was told a record in its last second still ask for the host behind it.
	leastTargetLife = time.Minute
	// relearn is how long a reply that says the same is not learnt from again, if it holds by no more than that longer, as one from the cache.
	// Its hosts live by as much longer.
	relearn  = leastTargetLife / 2
	maxHeard = 10_000
)

func newTargets() *targets {
	return &targets{known: map[string]map[policy.Name][]target{}, heard: map[lesson]taught{}}
}

// learn notes the targets in a reply to an allowed MX, SRV, HTTPS or SVCB question. A cached reply teaches an office that did not ask
// before, so it is called for each.
func (ts *targets) learn(c *policy.Client, source []byte, t policy.Type, reply []byte, at time.Time) {
	ttl, what, ok := wire.Digest(reply)
	if c.Office == nil || !ok {
		return
	}
	asked := lesson{c.Office.ID, policy.Name(source), t}
	says := taught{at, at.Add(time.Duration(ttl) * time.Second), what}
	ts.mu.RLock()
	last, ok := ts.heard[asked]
	ts.mu.RUnlock()
	if since := at.Sub(last.at); ok && since >= 0 && since < relearn && says.says == last.says && !says.until.After(last.until.Add(relearn)) {
		return
	}
	var m dns.Msg
	if m.Unpack(reply) != nil {
		return
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.heard) >= maxHeard {
		clear(ts.heard)
	}
	if wire.Whole(reply) { // what is cut is asked again, over TCP
		ts.heard[asked] = says
	}
	hosts := 0
	for _, rr := range m.Answer {
		var host string
		switch rr := rr.(type) {
		case *dns.MX:
			host = rr.Mx
		case *dns.SRV:
			host = rr.Target
		case *dns.SVCB:
			host = rr.Target
		case *dns.HTTPS:
			host = rr.Target
		}
		name, err := policy.ParseName(host)
		if host == "" || err != nil || name == policy.Root { // a lone dot: no such service (RFC 7505, RFC 2782)
			continue
		}
		if hosts++; hosts > maxHosts {
			return
		}
		life := max(time.Duration(rr.Header().Ttl)*time.Second+relearn, leastTargetLife)
		for up := 0; name != policy.Root && up <= maxAbove; name, up = name.Parent(), up+1 {
			ts.put(c.Office.ID, name, target{asked.name, t, up > 0, at.Add(life)}, at)
		}
	}
}

// put notes one name of an office, in place of what it says anew, of what is over, and if need be of the oldest.
func (ts *targets) put(office string, name policy.Name, v target, at time.Time) {
	names := ts.known[office]
	if names == nil {
		names = map[policy.Name][]target{}
		ts.known[office] = names
	}
	if _, ok := names[name]; !ok && len(names) >= maxTargets {
		makeRoom(names, at)
	}
	renewed := false
	sources := slices.DeleteFunc(names[name], func(o target) bool {
		same := o.source == v.source && o.t == v.t && o.above == v.above
		renewed = renewed || same && !at.After(o.expires)
		return same || at.After(o.expires)
	})
	if !renewed {
		ts.version.Add(1)
	}
	if len(sources) >= maxSources {
		sources = slices.Delete(sources, 0, 1)
	}
	names[name] = append(sources, v)
}

// makeRoom drops the names that are over, and any others until an eighth is free, so that it is seldom needed.
func makeRoom(names map[policy.Name][]target, at time.Time) {
	maps.DeleteFunc(names, func(_ policy.Name, sources []target) bool {
		return !slices.ContainsFunc(sources, func(t target) bool { return !at.After(t.expires) })
	})
	for name := range names {
		if len(names) <= maxTargets-maxTargets/8 {
			return
		}
		delete(names, name)
	}
}

// knows says whether some question leads, or led, to the name or below it.
func (ts *targets) knows(c *policy.Client, name []byte) bool {
	if c.Office == nil {
		return false
	}
	ts.mu.RLock()
	defer ts.mu.RUnlock()
	return len(ts.known[c.Office.ID][policy.Name(name)]) > 0
}

// through finds the question by which a host is a client's to ask, and the verdict on that question now.
func (ts *targets) through(rules *policy.Snapshot, c *policy.Client, name []byte, t policy.Type, at time.Time) (source target, v policy.Verdict, ok bool) {
	if t != policy.TypeA && t != policy.TypeAAAA && !policy.WebHostsOf(t) {
		return target{}, policy.Verdict{}, false
	}
	return ts.find(rules, c, name, t, at)
}

// exists says whether the name is a host that is the client's to ask, or stands above one.
func (ts *targets) exists(rules *policy.Snapshot, c *policy.Client, name []byte, at time.Time) bool {
	_, _, ok := ts.find(rules, c, name, 0, at)
	return ok
}

// find judges the questions that lead to a name, the newest first. The addresses of a host are asked for, or what is behind it on the web,
// which only a web site's record leads to; type 0 asks for whatever leads there or below it.
func (ts *targets) find(rules *policy.Snapshot, c *policy.Client, name []byte, t policy.Type, at time.Time) (target, policy.Verdict, bool) {
	if c.Office == nil {
		return target{}, policy.Verdict{}, false
	}
	ts.mu.RLock()
	defer ts.mu.RUnlock()
	for _, source := range slices.Backward(ts.known[c.Office.ID][policy.Name(name)]) {
		if at.After(source.expires) || source.above && t != 0 || policy.WebHostsOf(t) && source.t != t {
			continue
		}
		if v := rules.Decide(c, []byte(source.source), source.t, at); v.Action == policy.Allow {
			return source, v, true
		}
	}
	return target{}, policy.Verdict{}, false
}
