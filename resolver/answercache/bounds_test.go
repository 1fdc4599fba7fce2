package answercache

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/resolver/wire"
)

// sized returns a name and an answer to it with about size octets of text.
func sized(t testing.TB, i, size int) (string, []byte) {
	name := fmt.Sprintf("host%d.inps.it.", i)
	var records []string
	for range max(size/200, 1) {
		records = append(records, fmt.Sprintf("%s 60 TXT %q", name, strings.Repeat("x", min(size, 200))))
	}
	return name, answer(t, name, dns.TypeTXT, 0, records...)
}

func TestTheBoundsHold(t *testing.T) {
	tests := []struct {
		name     string
		cfg      Config
		size     func() int
		wantFull bool // of entries
	}{
		{"of entries", Config{Entries: 200}, func() int { return 10 }, true},
		{"of entries in several shards", Config{Entries: 1000}, func() int { return 10 }, true},
		{"of memory", Config{Bytes: 200_000}, func() int { return 1000 }, false},
		{"of memory with mixed sizes", Config{Entries: 1000, Bytes: 300_000}, func() int { return 1 << rand.IntN(14) }, false},
		{"of memory in several shards", Config{Bytes: 4 << 20}, func() int { return 4000 }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := New(tt.cfg)
			for i := range 3000 {
				name, msg := sized(t, i, tt.size())
				c.Put(canonical(t, name), dns.TypeTXT, 1, false, false, 0, msg, time.Minute, false, start)
				if i%3 == 0 {
					get(t, c, query(t, name, dns.TypeTXT, false, false), 0, start)
				}
				if i%100 != 0 {
					continue
				}
				if s := c.Stats(); s.Entries > c.cfg.Entries || s.Bytes > c.cfg.Bytes {
					t.Fatalf("after %d: %+v", i+1, s)
				}
			}
			s := c.Stats()
			if s.Evictions != s.Puts-uint64(s.Entries) {
				t.Errorf("evictions do not add up: %+v", s)
			}
			if tt.wantFull && s.Entries < c.cfg.Entries*9/10 || !tt.wantFull && s.Bytes < c.cfg.Bytes/2 {
				t.Errorf("room is left unused: %+v", s)
			}
		})
	}
}

func TestAnAnswerTooLargeIsNotKept(t *testing.T) {
	c := New(Config{Bytes: 100_000})
	name, msg := sized(t, 1, 20_000)
	c.Put(canonical(t, name), dns.TypeTXT, 1, false, false, 0, msg, time.Minute, false, start)
	if s := c.Stats(); s.Entries != 0 {
		t.Errorf("%+v", s)
	}
}

func TestTheDefaultsKeepTheLargestMessage(t *testing.T) {
	c := New(Config{})
	name, msg := sized(t, 1, 60_000)
	c.Put(canonical(t, name), dns.TypeTXT, 1, false, false, 0, msg, time.Minute, false, start)
	if s := c.Stats(); s.Entries != 1 || s.Bytes < 60_000 {
		t.Errorf("%+v", s)
	}
}

func TestAPopularAnswerOutlivesAStreamOfOthers(t *testing.T) {
	for name, cfg := range map[string]Config{"bound by entries": {Entries: 200}, "bound by memory": {Bytes: 200_000}} {
		t.Run(name, func(t *testing.T) {
			c := New(cfg)
			c.Put(canonical(t, inps), dns.TypeA, 1, false, false, 0, answer(t, inps, dns.TypeA, 0, inps+" 60 A 192.0.2.1"), time.Minute, false, start)
			q := query(t, inps, dns.TypeA, false, false)
			get(t, c, q, 0, start)
			for i := range 5000 {
				name, msg := sized(t, i, 10)
				c.Put(canonical(t, name), dns.TypeTXT, 1, false, false, 0, msg, time.Minute, false, start)
			}
			if get(t, c, q, 0, start) == nil {
				t.Error("pushed out")
			}
		})
	}
}

func TestGetDoesNotAllocate(t *testing.T) {
	c := New(Config{})
	c.Put(canonical(t, inps), dns.TypeA, 1, false, false, 0, answer(t, inps, dns.TypeA, 0, inps+" 60 A 192.0.2.1"), time.Minute, false, start)
	hit, miss := query(t, inps, dns.TypeA, false, false), query(t, "other.inps.it.", dns.TypeA, false, false)
	b, dst := new(wire.Builder), make([]byte, 0, 4096)
	n := testing.AllocsPerRun(100, func() {
		if c.Get(b, dst, hit, 0, start) != Fresh || c.Get(b, dst, miss, 0, start) != Miss {
			t.Error("no hit and miss")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
