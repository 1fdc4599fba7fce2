package policy

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"
)

// big is a town of many rules, as the targets for scale describe it: each rule granted to one of 1,000 offices, 2 to 4 labels,
// 20 % subtrees, 10,000 networks, 200 services that everyone has. names are what some of its clients are granted.
type big struct {
	store   *memStore
	now     time.Time
	clients []netip.Addr
	names   []Name
}

const (
	bigOffices  = 1_000
	bigNetworks = 10_000
	bigServices = 200
	// bigQuestions is how many granted names are asked, at every size: what a day asks does not grow with the rules.
	bigQuestions = 500
)

var bigSite = Town{Site: prefixes("10.0.0.0/8"), Zone: rome}

func newBig(rules int) *big {
	rng := rand.New(rand.NewPCG(1, 2))
	b := &big{store: newMemStore(), now: at("2026-03-02 10:00")}
	put := func(t Table, key string, record any) {
		data, err := json.Marshal(record)
		if err != nil {
			panic(err)
		}
		b.store.tables[t][key] = data
	}
	network := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
	}
	for i := range bigOffices {
		o := Office{ID: fmt.Sprintf("o%d", i), Name: "Ufficio"}
		for n := i; n < bigNetworks; n += bigOffices {
			o.Networks = append(o.Networks, network(n))
		}
		put(TableOffices, o.ID, o)
	}
	grant := func(id int, to Subject, opens string) {
		data := fmt.Appendf(nil, `{"id":"g-%d",%s,"channel":"web","request":"r-1","created":"2026-03-02T09:00:00Z","version":%d}`, id, opens, id)
		if to.Office != "" {
			data = fmt.Appendf(data[:len(data)-1], `,"office":%q}`, to.Office)
		} else {
			data = append(data[:len(data)-1], `,"everyone":true}`...)
		}
		b.store.tables[TableGrants][numberKey(uint64(id))] = data
		b.store.tables[TableHoldings][subjectPrefix(to)+numberKey(uint64(id))] = []byte("null")
	}
	for i := range bigServices {
		sv := Service{ID: fmt.Sprintf("s%d", i), Title: "S", Channel: Web}
		for range 5 {
			sv.Rules = append(sv.Rules, ServiceRule{Rule: rule(bigRule(rng)), Source: "x"})
		}
		put(TableServices, sv.ID, sv)
		grant(i+1, Subject{Everyone: true}, fmt.Sprintf(`"service":%q`, sv.ID))
	}
	for i := range rules {
		office, text := rng.IntN(bigOffices), bigRule(rng)
		grant(bigServices+i+1, Subject{Office: fmt.Sprintf("o%d", office)}, fmt.Sprintf(`"rule":%q`, text))
		if len(b.names) < bigQuestions {
			n := name(kindless(text))
			if text[0] == '.' {
				n = name("www" + text)
			}
			b.names = append(b.names, n)
			b.clients = append(b.clients, network(office).Addr().Next())
		}
	}
	b.store.next[TableGrants] = uint64(bigServices + rules)
	put(TableRequests, numberKey(1), Request{ID: 1, Protocol: "1/2026", Date: "2026-03-02", Reason: "x", State: Approved})
	put(TableProtocols, "1/2026", RequestID(1))
	return b
}

func kindless(text string) string {
	if text[0] == '.' {
		return text[1:]
	}
	return text
}

// bigRule draws a rule of 18 octets on average.
func bigRule(rng *rand.Rand) string {
	text := fmt.Sprintf("d%07d.it", rng.IntN(5_000_000))
	switch rng.IntN(5) {
	case 0:
		return "." + text
	case 1:
		return fmt.Sprintf("www.%s", text)
	case 2:
		return fmt.Sprintf("h%d.%s", rng.IntN(100), text)
	case 3:
		return fmt.Sprintf("a.h%d.d%05d.gov.it", rng.IntN(100), rng.IntN(100_000))
	default:
		return text
	}
}

func (b *big) live(t testing.TB) *Live {
	l := &Live{store: b.store, now: func() time.Time { return b.now }}
	if err := l.Reload(bigSite); err != nil {
		t.Fatal(err)
	}
	return l
}

var bigs = map[int]func() *big{500: sync.OnceValue(func() *big { return newBig(500) }), 100_000: sync.OnceValue(func() *big { return newBig(100_000) }),
	1_000_000: sync.OnceValue(func() *big { return newBig(1_000_000) })}

func benchSizes(b *testing.B, run func(*testing.B, *big, *Live)) {
	for _, size := range []struct {
		name  string
		rules int
	}{{"500", 500}, {"100k", 100_000}, {"1M", 1_000_000}} {
		b.Run(size.name, func(b *testing.B) {
			if testing.Short() && size.rules > 500 {
				b.Skip("short")
			}
			town := bigs[size.rules]()
			run(b, town, town.live(b))
		})
	}
}

func BenchmarkDecide(b *testing.B) {
	benchSizes(b, func(b *testing.B, town *big, l *Live) {
		s, absent := l.Snapshot(), []byte(name("www.example.gov.it"))
		clients := make([]Client, len(town.clients))
		for i, a := range town.clients {
			clients[i] = s.Who(a, town.now)
		}
		for _, kind := range []string{"granted", "sinkholed"} {
			b.Run(kind, func(b *testing.B) {
				b.ReportAllocs()
				i, allowed := 0, 0
				for b.Loop() {
					question := absent
					if kind == "granted" {
						question = []byte(town.names[i])
					}
					if v := s.Decide(&clients[i], question, TypeA, town.now); v.Action == Allow {
						allowed++
					}
					i = (i + 1) % len(clients)
				}
				if (allowed > 0) != (kind == "granted") {
					b.Fatalf("%d were allowed", allowed)
				}
			})
		}
	})
}

func BenchmarkWho(b *testing.B) {
	benchSizes(b, func(b *testing.B, town *big, l *Live) {
		s := l.Snapshot()
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if c := s.Who(town.clients[i], town.now); c.Office == nil {
				b.Fatal("in no office")
			}
			i = (i + 1) % len(town.clients)
		}
	})
}

func BenchmarkExists(b *testing.B) {
	benchSizes(b, func(b *testing.B, town *big, l *Live) {
		s, absent := l.Snapshot(), []byte(name("www.example.gov.it"))
		c := s.Who(town.clients[0], town.now)
		b.ReportAllocs()
		for b.Loop() {
			if s.Exists(&c, absent) {
				b.Fatal("it exists")
			}
		}
	})
}

// BenchmarkChangeAt1M is one grant added, with its paperwork, on a store in memory: what a change costs beyond the disk.
func BenchmarkChangeAt1M(b *testing.B) {
	town := bigs[1_000_000]()
	l, i := town.live(b), 0
	runtime.GC()
	b.ReportAllocs()
	for b.Loop() {
		c := AddGrants{Subject: Subject{Everyone: true}, Names: []string{fmt.Sprintf("a.b%d.example.gov.it", i)}, Protocol: nextProtocol(), Reason: "x"}
		if _, err := l.Apply(clerk, c); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkLoad1M is the rules read at start, from JSON; heap-MB is what they then hold.
func BenchmarkLoad1M(b *testing.B) {
	town := bigs[1_000_000]()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var l *Live
	for b.Loop() {
		l = town.live(b)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "heap-MB")
	b.ReportMetric(float64(l.Snapshot().Counts().Grants), "grants")
}

func TestDecidingAllocatesNothing(t *testing.T) {
	town := newTown(t)
	town.do(AddService{ID: "svc", Rules: []ServiceRule{{Rule: rule(".svc.example.it"), Source: "x"}}})
	town.allow("anagrafe", "svc")
	town.allow("anagrafe", "a.b.example.it", func(c *AddGrants) {
		c.From, c.Until, c.Schedule, c.Types = "2026-01-01", "2030-01-01", "mon-fri 08:00-14:00", []Type{TypeA, TypeAAAA}
	})
	town.allow("anagrafe", "example.it", mail)
	s := town.Snapshot()
	client, manager := addr("::ffff:10.20.1.5"), addr("10.20.1.9")
	var names [][]byte
	for _, n := range []string{"a.b.example.it", "www.svc.example.it", "autodiscover.example.it", "_imaps._tcp.example.it", "b.example.it", "www.example.com"} {
		names = append(names, []byte(name(n)))
	}
	allocated := testing.AllocsPerRun(100, func() {
		for _, n := range names {
			c, m := s.Who(client, town.now), s.Who(manager, town.now)
			s.Decide(&c, n, TypeA, town.now)
			s.Decide(&c, n, TypeMX, town.now)
			s.Decide(&m, n, TypeA, town.now)
			s.Exists(&c, n)
		}
	})
	if allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}
