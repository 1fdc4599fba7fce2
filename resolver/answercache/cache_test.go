package answercache

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/resolver/wire"
)

var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// canonical returns the canonical wire form of a name in text, which is in lower case.
func canonical(t testing.TB, name string) []byte {
	t.Helper()
	buf := make([]byte, 256)
	n, err := dns.PackDomainName(name, buf, 0, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

// answer returns a packed answer to name and type; records starting with "soa" go to the authority section.
func answer(t testing.TB, name string, typ uint16, rcode int, records ...string) []byte {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(name, typ)
	m.Id, m.Response, m.Rcode, m.Compress = 0, true, rcode, true
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		if rr.Header().Rrtype == dns.TypeSOA && typ != dns.TypeSOA {
			m.Ns = append(m.Ns, rr)
		} else {
			m.Answer = append(m.Answer, rr)
		}
	}
	msg, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// query returns the question for name and type as a client with EDNS sends it.
func query(t testing.TB, name string, typ uint16, do, cd bool) *wire.Query {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(name, typ)
	m.CheckingDisabled = cd
	m.SetEdns0(1232, do)
	pkt, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	q := new(wire.Query)
	if got := q.Read(pkt); got != wire.Good {
		t.Fatalf("query for %s: outcome %d", name, got)
	}
	return q
}

// get returns the reply from the cache, nil when there is none.
func get(t testing.TB, c *Cache, q *wire.Query, group uint64, now time.Time) *dns.Msg {
	t.Helper()
	var b wire.Builder
	if !c.Get(&b, nil, q, group, now).Replied() {
		return nil
	}
	m := new(dns.Msg)
	if err := m.Unpack(b.Finish(65535)); err != nil {
		t.Fatalf("reply does not unpack: %v", err)
	}
	return m
}

// ttls returns the TTLs of the records in the answer and authority sections.
func ttls(m *dns.Msg) []uint32 {
	var all []uint32
	for _, rr := range append(append([]dns.RR(nil), m.Answer...), m.Ns...) {
		all = append(all, rr.Header().Ttl)
	}
	return all
}

const (
	inps = "www.inps.it."
	soa  = "inps.it. 86400 SOA ns.inps.it. host.inps.it. 1 2 3 4 900"
)

func TestAnswersAge(t *testing.T) {
	tests := []struct {
		name   string
		cfg    Config
		rcode  int
		record []string
		ttl    time.Duration
		after  time.Duration
		want   string // TTLs, or miss
	}{
		{"a fresh answer", Config{}, 0, []string{inps + " 60 A 192.0.2.1"}, time.Minute, 0, "[60]"},
		{"part of a second does not count", Config{}, 0, []string{inps + " 60 A 192.0.2.1"}, time.Minute, 999 * time.Millisecond, "[60]"},
		{"an aged answer", Config{}, 0, []string{inps + " 60 A 192.0.2.1"}, time.Minute, 59 * time.Second, "[1]"},
		{"an answer at the end of its life", Config{}, 0, []string{inps + " 60 A 192.0.2.1"}, time.Minute, time.Minute, "miss"},
		{"a clock set back does not add to the TTL", Config{}, 0, []string{inps + " 60 A 192.0.2.1"}, time.Minute, -30 * time.Second, "[60]"},
		{"a clock set back by more than the life", Config{}, 0, []string{inps + " 60 A 192.0.2.1"}, time.Minute, -61 * time.Second, "miss"},
		{"a TTL over what clients are told", Config{}, 0, []string{inps + " 3600 A 192.0.2.1"}, time.Hour, 10 * time.Second, "[300]"},
		{"the rest under what clients are told", Config{}, 0, []string{inps + " 3600 A 192.0.2.1"}, time.Hour, 3500 * time.Second, "[100]"},
		{"a TTL under the least", Config{MinTTL: 30}, 0, []string{inps + " 5 A 192.0.2.1"}, 5 * time.Second, 20 * time.Second, "[10]"},
		{"a TTL over the most", Config{MaxTTL: 100}, 0, []string{inps + " 604800 A 192.0.2.1"}, 168 * time.Hour, 99 * time.Second, "[1]"},
		{"past the most", Config{MaxTTL: 100}, 0, []string{inps + " 604800 A 192.0.2.1"}, 168 * time.Hour, 100 * time.Second, "miss"},
		{"a day without a setting", Config{}, 0, []string{inps + " 604800 A 192.0.2.1"}, 168 * time.Hour, 24 * time.Hour, "miss"},
		{"a chain counts as positive", Config{}, 0, []string{inps + " 7200 CNAME a.example.", "a.example. 7200 A 192.0.2.1"}, 2 * time.Hour, 7000 * time.Second, "[200 200]"},
		{"a chain to nothing is negative", Config{}, 0, []string{inps + " 86400 CNAME a.example.", soa}, 24 * time.Hour, 3500 * time.Second, "[100 100]"},
		{"NXDOMAIN ends with the longest negative life", Config{}, dns.RcodeNameError, []string{soa}, 24 * time.Hour, time.Hour, "miss"},
		{"a denial is not told longer than it is kept", Config{}, dns.RcodeNameError, []string{soa}, 15 * time.Minute, 800 * time.Second, "[100]"},
		{"NODATA ends with the longest negative life", Config{NegativeMax: 60, MinTTL: 120}, 0, []string{soa}, 24 * time.Hour, 59 * time.Second, "[1]"},
		{"a TTL of zero is not kept", Config{MinTTL: 60}, 0, []string{inps + " 0 A 192.0.2.1"}, 0, 0, "miss"},
		{"a negative TTL is not kept", Config{}, 0, []string{inps + " 60 A 192.0.2.1"}, -time.Second, 0, "miss"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := New(tt.cfg)
			c.Put(canonical(t, inps), dns.TypeA, 1, false, false, 0, answer(t, inps, dns.TypeA, tt.rcode, tt.record...), tt.ttl, false, start)
			got := "miss"
			if m := get(t, c, query(t, "WwW.inps.IT.", dns.TypeA, false, false), 0, start.Add(tt.after)); m != nil {
				got = fmt.Sprint(ttls(m))
				if m.Rcode != tt.rcode || m.Question[0].Name != "WwW.inps.IT." || m.Authoritative {
					t.Errorf("reply\n%v", m)
				}
			}
			if got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestPutRefusesWhatDoesNotAnswerTheQuestion(t *testing.T) {
	good := answer(t, inps, dns.TypeA, 0, inps+" 60 A 192.0.2.1")
	upper := bytes.Clone(good)
	upper[13] = 'W'
	for name, msg := range map[string][]byte{
		"nothing":                    nil,
		"a header":                   good[:12],
		"a record cut short":         good[:len(good)-1],
		"another name":               answer(t, "www.inps.eu.", dns.TypeA, 0),
		"a shorter name":             answer(t, ".", dns.TypeA, 0),
		"another type":               answer(t, inps, dns.TypeAAAA, 0),
		"a question with upper case": upper,
	} {
		c := New(Config{})
		c.Put(canonical(t, inps), dns.TypeA, 1, false, false, 0, msg, time.Minute, false, start)
		if s := c.Stats(); s.Entries != 0 || s.Puts != 0 {
			t.Errorf("%s: kept", name)
		}
	}
}

func TestPutKeepsACopy(t *testing.T) {
	c := New(Config{})
	msg := answer(t, inps, dns.TypeA, 0, inps+" 60 A 192.0.2.1")
	c.Put(canonical(t, inps), dns.TypeA, 1, false, false, 0, msg, time.Minute, true, start)
	clear(msg)
	m := get(t, c, query(t, inps, dns.TypeA, false, false), 0, start)
	if m == nil || m.Answer[0].(*dns.A).A.String() != "192.0.2.1" {
		t.Errorf("reply\n%v", m)
	}
}

func TestFlagsAndGroupsAreKeptApart(t *testing.T) {
	c := New(Config{})
	n := byte(0)
	each := func(visit func(n byte, do, cd bool, group uint64)) {
		n = 0
		for _, do := range []bool{false, true} {
			for _, cd := range []bool{false, true} {
				for group := range uint64(3) {
					n++
					visit(n, do, cd, group)
				}
			}
		}
	}
	each(func(n byte, do, cd bool, group uint64) {
		msg := answer(t, inps, dns.TypeA, 0, fmt.Sprintf("%s 60 A 192.0.2.%d", inps, n))
		c.Put(canonical(t, inps), dns.TypeA, 1, do, cd, group, msg, time.Minute, do, start)
	})
	each(func(n byte, do, cd bool, group uint64) {
		m := get(t, c, query(t, inps, dns.TypeA, do, cd), group, start)
		if m == nil || m.Answer[0].(*dns.A).A.To4()[3] != n || m.AuthenticatedData != do {
			t.Errorf("DO %t CD %t group %d: reply\n%v", do, cd, group, m)
		}
	})
	if got := c.FlushName(canonical(t, "inps.it.")); got != 0 {
		t.Errorf("flushing the parent took %d", got)
	}
	if got := c.FlushName(canonical(t, inps)); got != int(n) {
		t.Errorf("flushing the name took %d, want %d", got, n)
	}
	if s := c.Stats(); s.Entries != 0 || s.Bytes != 0 {
		t.Errorf("left after the flush: %+v", s)
	}
}

func TestShowListsTheFreshAnswersOfAName(t *testing.T) {
	c := New(Config{})
	put := func(typ uint16, do bool, ttl time.Duration, rcode int, records ...string) {
		c.Put(canonical(t, inps), typ, 1, do, false, 2, answer(t, inps, typ, rcode, records...), ttl, true, start)
	}
	put(dns.TypeAAAA, false, time.Minute, 0, soa)
	put(dns.TypeA, true, time.Minute, 0, inps+" 60 A 192.0.2.1", inps+" 60 A 192.0.2.2")
	put(dns.TypeA, false, time.Hour, dns.RcodeNameError, soa)
	put(dns.TypeMX, false, time.Second, 0, soa)
	got := ""
	for _, e := range c.Show(canonical(t, inps), start.Add(20*time.Second+time.Millisecond)) {
		got += fmt.Sprintf("%d/%d DO=%t CD=%t AD=%t group=%d rcode=%d left=%d answers=%d\n",
			e.Type, e.Class, e.DO, e.CD, e.AD, e.Group, e.Rcode, e.Remaining, e.Answers)
		if err := new(dns.Msg).Unpack(e.Msg); err != nil {
			t.Error(err)
		}
	}
	want := "1/1 DO=false CD=false AD=true group=2 rcode=3 left=3580 answers=0\n" +
		"1/1 DO=true CD=false AD=true group=2 rcode=0 left=40 answers=2\n" +
		"28/1 DO=false CD=false AD=true group=2 rcode=0 left=40 answers=0\n"
	if got != want {
		t.Errorf("shown\n%swant\n%s", got, want)
	}
}

func TestStatsCountWhatHappened(t *testing.T) {
	c := New(Config{})
	q := query(t, inps, dns.TypeA, false, false)
	get(t, c, q, 0, start)
	msg := answer(t, inps, dns.TypeA, 0, inps+" 60 A 192.0.2.1")
	for range 2 {
		c.Put(canonical(t, inps), dns.TypeA, 1, false, false, 0, msg, time.Minute, false, start)
	}
	get(t, c, q, 0, start)
	get(t, c, q, 0, start.Add(time.Hour))
	got := c.Stats()
	if got.Bytes < int64(len(msg)) || got.Bytes > 1000 {
		t.Errorf("%d octets", got.Bytes)
	}
	got.Bytes = 0
	if want := (Stats{Entries: 1, Hits: 1, Misses: 2, Puts: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestManyReadersAndWritersNeverSeeAWrongAnswer(t *testing.T) {
	c := New(Config{Entries: 300, Bytes: 64 << 10})
	const names = 500
	queries, messages := make([]*wire.Query, names), make([][]byte, names)
	for i := range names {
		name := fmt.Sprintf("host%d.inps.it.", i)
		queries[i] = query(t, name, dns.TypeA, false, false)
		messages[i] = answer(t, name, dns.TypeA, 0, fmt.Sprintf("%s 60 A 192.0.%d.%d", name, i/256, i%256))
	}
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			var b wire.Builder
			dst := make([]byte, 0, 4096)
			for round := range 5000 {
				i := (round*7 + worker*13) % names
				q, msg := queries[i], messages[i]
				switch {
				case round%1000 == 999:
					c.Flush()
				case round%100 == 99:
					c.FlushName(q.Name())
					c.Stats()
					c.Show(q.Name(), start)
				case round%3 == 0:
					c.Put(q.Name(), dns.TypeA, 1, false, false, 0, msg, time.Minute, false, start)
				case c.Get(&b, dst, q, 0, start) == Fresh:
					reply := b.Finish(512)
					if want := msg[len(msg)-4:]; !bytes.Equal(reply[len(reply)-11-4:len(reply)-11], want) {
						t.Errorf("wrong answer for host%d", i)
					}
				}
			}
		})
	}
	all.Wait()
}

// FuzzPut: any bytes are refused or kept and served, never more than the message's own records.
func FuzzPut(f *testing.F) {
	f.Add(answer(f, inps, dns.TypeA, 0, inps+" 60 A 192.0.2.1"))
	f.Add(answer(f, inps, dns.TypeA, dns.RcodeNameError, soa))
	q := query(f, inps, dns.TypeA, false, false)
	f.Fuzz(func(t *testing.T, msg []byte) {
		c := New(Config{Entries: 1000, Bytes: 1 << 20})
		c.Put(q.Name(), dns.TypeA, 1, false, false, 0, msg, time.Minute, false, start)
		c.Put([]byte("\x03www\x04inps\x02it\x04test\x00"), dns.TypeA, 1, false, false, 0, msg, time.Minute, false, start)
		shown := c.Show(q.Name(), start)
		var b wire.Builder
		if c.Get(&b, nil, q, 0, start).Replied() != (len(shown) == 1) {
			t.Fatalf("shown %d, but Get disagrees", len(shown))
		}
		if len(shown) == 1 && len(b.Finish(65535)) > len(msg)+11 {
			t.Fatal("the reply has grown")
		}
	})
}
