package answercache

import (
	"bytes"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"usciere/resolver/wire"
)

// slot is what answers are kept apart by.
type slot struct {
	name   string
	typ    uint16
	do, cd bool
	group  uint64
}

// kept is an answer in the model: what was put, as it was put.
type kept struct {
	rcode    int
	ttls     []uint32
	negative bool
	ttl      time.Duration
	ad       bool
	at       time.Time
}

// fault is a failure in the model.
type fault struct {
	at   time.Time
	wait time.Duration
}

func (f fault) counts(now time.Time) bool {
	return now.Sub(f.at) < f.wait && f.at.Sub(now) < f.wait
}

// model is the cache as obvious maps without bounds.
type model struct {
	cfg     Config
	answers map[slot]kept
	faults  map[slot]fault
}

// get returns the outcome, and the response code and TTLs of the reply due, as text.
func (m *model) get(s slot, now time.Time) string {
	f, failed := m.faults[s]
	failed = failed && f.counts(now)
	none := "miss"
	if failed {
		none = "failed 2 [] false"
	}
	k, ok := m.answers[s]
	if !ok {
		return none
	}
	life := m.bound(uint32(k.ttl.Seconds()))
	if k.negative && life > m.cfg.NegativeMax {
		life = m.cfg.NegativeMax
	}
	elapsed := now.Sub(k.at)
	whole := time.Duration(life) * time.Second
	if elapsed < -whole {
		return none
	}
	stale := elapsed >= whole
	switch {
	case stale && elapsed-whole >= time.Duration(m.cfg.StaleMax)*time.Second:
		return none
	case stale && !failed:
		return "expired"
	}
	age := uint32(0)
	if elapsed > 0 && !stale {
		age = uint32(elapsed.Seconds())
	}
	var left []uint32
	for _, ttl := range k.ttls {
		ttl = m.bound(ttl)
		if k.negative && ttl > life {
			ttl = life
		}
		if ttl > age {
			ttl -= age
		} else {
			ttl = 0
		}
		if ttl > m.cfg.ClientTTL {
			ttl = m.cfg.ClientTTL
		}
		if stale && ttl > 30 {
			ttl = 30
		}
		left = append(left, ttl)
	}
	if stale {
		return fmt.Sprint("waiting ", k.rcode, left, false)
	}
	return fmt.Sprint("fresh ", k.rcode, left, k.ad && s.do)
}

// fail notes a failure, unless one still counts.
func (m *model) fail(s slot, now time.Time) {
	last, again := m.faults[s]
	if again && last.counts(now) {
		return
	}
	wait := time.Duration(m.cfg.FailureMin) * time.Second
	most := time.Duration(m.cfg.FailureMax) * time.Second
	if again && now.Sub(last.at) < last.wait+most {
		wait = 2 * last.wait
		if wait > most {
			wait = most
		}
	}
	if k, ok := m.answers[s]; ok && m.cfg.StaleMax > 0 {
		calm := model{cfg: m.cfg, answers: map[slot]kept{s: k}}
		if calm.get(s, now) != "miss" {
			wait = 30 * time.Second
		}
	}
	m.faults[s] = fault{now, wait}
}

func (m *model) bound(ttl uint32) uint32 {
	if ttl < m.cfg.MinTTL {
		ttl = m.cfg.MinTTL
	}
	if ttl > m.cfg.MaxTTL {
		ttl = m.cfg.MaxTTL
	}
	return ttl
}

func TestTheCacheDoesWhatAMapWould(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		cfg := Config{
			MinTTL: rapid.Uint32Range(0, 20).Draw(r, "min"), MaxTTL: rapid.Uint32Range(1, 1000).Draw(r, "max"),
			NegativeMax: rapid.Uint32Range(1, 100).Draw(r, "negative max"), ClientTTL: rapid.Uint32Range(1, 300).Draw(r, "client"),
			StaleMax: rapid.Uint32Range(0, 300).Draw(r, "stale max"), FailureMin: rapid.Uint32Range(1, 10).Draw(r, "failure min"),
			FailureMax: rapid.Uint32Range(10, 300).Draw(r, "failure max"),
		}
		c, m, now := New(cfg), &model{cfg, map[slot]kept{}, map[slot]fault{}}, start
		slots := rapid.Custom(func(r *rapid.T) slot {
			return slot{
				rapid.SampledFrom([]string{".", "it.", "www.inps.it.", "\\000\\255\\..it."}).Draw(r, "name"),
				rapid.SampledFrom([]uint16{dns.TypeA, dns.TypeMX}).Draw(r, "type"),
				rapid.Bool().Draw(r, "do"), rapid.Bool().Draw(r, "cd"), rapid.Uint64Range(0, 1).Draw(r, "group"),
			}
		})
		r.Repeat(map[string]func(*rapid.T){
			"put": func(r *rapid.T) {
				s, k := slots.Draw(r, "slot"), kept{at: now}
				k.rcode = rapid.SampledFrom([]int{dns.RcodeSuccess, dns.RcodeNameError}).Draw(r, "rcode")
				k.ttl = time.Duration(rapid.Int64Range(0, 2000*int64(time.Second)).Draw(r, "ttl"))
				k.ad = rapid.Bool().Draw(r, "ad")
				var records []string
				for _, text := range rapid.SliceOfN(rapid.SampledFrom([]string{"A 192.0.2.1", "MX 1 a.", "CNAME b."}), 0, 4).Draw(r, "records") {
					ttl := rapid.Uint32Range(0, 3000).Draw(r, "record ttl")
					k.ttls = append(k.ttls, ttl)
					records = append(records, fmt.Sprintf("%s %d %s", s.name, ttl, text))
				}
				msg := answer(t, s.name, s.typ, k.rcode, records...)
				k.negative = true
				for _, text := range records {
					rr, _ := dns.NewRR(text)
					k.negative = k.negative && (rr.Header().Rrtype != s.typ || k.rcode != dns.RcodeSuccess)
				}
				c.Put(canonical(t, s.name), s.typ, 1, s.do, s.cd, s.group, msg, k.ttl, k.ad, now)
				if k.ttl >= time.Second {
					m.answers[s] = k
				}
				delete(m.faults, s)
			},
			"fail": func(r *rapid.T) {
				s := slots.Draw(r, "slot")
				c.Fail(canonical(t, s.name), s.typ, 1, s.do, s.cd, s.group, false, now)
				m.fail(s, now)
			},
			"restart": func(r *rapid.T) {
				before := c
				c = New(cfg)
				if _, err := c.Load(bytes.NewReader(saved(t, before, now)), now); err != nil {
					r.Fatal(err)
				}
				clear(m.faults)
				for s := range m.answers {
					if m.get(s, now) == "miss" {
						delete(m.answers, s)
					}
				}
			},
			"get": func(r *rapid.T) {
				s := slots.Draw(r, "slot")
				var b wire.Builder
				outcome := c.Get(&b, nil, query(t, s.name, s.typ, s.do, s.cd), s.group, now)
				got := [...]string{"miss", "fresh", "due", "expired", "waiting", "failed"}[outcome]
				if outcome.Replied() {
					reply := new(dns.Msg)
					if err := reply.Unpack(b.Finish(65535)); err != nil {
						r.Fatal(err)
					}
					got += fmt.Sprint(" ", reply.Rcode, ttls(reply), reply.AuthenticatedData)
				}
				if want := m.get(s, now); got != want {
					r.Fatalf("%v: %s, want %s", s, got, want)
				}
			},
			"time passes": func(r *rapid.T) {
				now = now.Add(time.Duration(rapid.Int64Range(-30e9, 100e9).Draw(r, "step")))
			},
			"flush a name": func(r *rapid.T) {
				name, want := slots.Draw(r, "slot").name, 0
				for s := range m.answers {
					if s.name == name {
						delete(m.answers, s)
						want++
					}
				}
				maps.DeleteFunc(m.faults, func(s slot, _ fault) bool { return s.name == name })
				if got := c.FlushName(canonical(t, name)); got != want {
					r.Fatalf("flushed %d, want %d", got, want)
				}
			},
			"flush": func(r *rapid.T) {
				if rapid.IntRange(0, 9).Draw(r, "one in ten") > 0 {
					return
				}
				if got := c.Flush(); got != len(m.answers) {
					r.Fatalf("flushed %d, want %d", got, len(m.answers))
				}
				clear(m.answers)
				clear(m.faults)
			},
		})
		if got := c.Stats().Entries; got != len(m.answers) {
			r.Fatalf("%d entries, want %d", got, len(m.answers))
		}
	})
}
