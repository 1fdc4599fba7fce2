package answercache

import (
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/resolver/wire"
)

// found is what Get finds, in words: its outcome, and of a reply the RCODE, TTLs and Extended DNS Errors.
func found(t testing.TB, c *Cache, q *wire.Query, group uint64, now time.Time) string {
	t.Helper()
	var b wire.Builder
	outcome := c.Get(&b, nil, q, group, now)
	name := [...]string{"miss", "fresh", "due", "expired", "waiting", "failed"}[outcome]
	if !outcome.Replied() {
		return name
	}
	return name + " " + said(t, &b)
}

func said(t testing.TB, b *wire.Builder) string {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(b.Finish(65535)); err != nil {
		t.Fatalf("reply does not unpack: %v", err)
	}
	text := fmt.Sprint(dns.RcodeToString[m.Rcode], " ", ttls(m))
	for _, o := range m.IsEdns0().Option {
		text += fmt.Sprint(" ede ", o.(*dns.EDNS0_EDE).InfoCode)
	}
	if m.AuthenticatedData {
		text += " ad"
	}
	return text
}

// standIn is what Stale gives, in words.
func standIn(t testing.TB, c *Cache, q *wire.Query, group uint64, now time.Time) string {
	t.Helper()
	var b wire.Builder
	if !c.Stale(&b, nil, q, group, now) {
		return "none"
	}
	return said(t, &b)
}

func TestAnAnswerPastItsLifeStandsInWhereNoOtherIsToBeHad(t *testing.T) {
	const day = 86400
	positive := []string{inps + " 60 A 192.0.2.1"}
	tests := []struct {
		name    string
		cfg     Config
		rcode   int
		record  []string
		life    time.Duration
		after   time.Duration
		get     string
		standIn string
	}{
		{"a fresh one is not stale", Config{StaleMax: day}, 0, positive, time.Minute, 59 * time.Second, "fresh NOERROR [1] ad", "none"},
		{"at the end of its life", Config{StaleMax: day}, 0, positive, time.Minute, time.Minute, "expired", "NOERROR [30] ede 3"},
		{"until the end of the stale time", Config{StaleMax: day}, 0, positive, time.Minute, time.Minute + day*time.Second - 1, "expired", "NOERROR [30] ede 3"},
		{"not any longer", Config{StaleMax: day}, 0, positive, time.Minute, time.Minute + day*time.Second, "miss", "none"},
		{"not when it is off", Config{}, 0, positive, time.Minute, time.Minute, "miss", "none"},
		{"not with a clock set back by more than the life", Config{StaleMax: day}, 0, positive, time.Minute, -2 * time.Minute, "miss", "none"},
		{"NXDOMAIN has an error of its own", Config{StaleMax: day}, dns.RcodeNameError, []string{soa}, time.Minute, time.Hour, "expired", "NXDOMAIN [30] ede 19"},
		{"NODATA has the usual one", Config{StaleMax: day}, 0, []string{soa}, time.Minute, time.Hour, "expired", "NOERROR [30] ede 3"},
		{"a TTL that was shorter stays so", Config{StaleMax: day}, 0, []string{inps + " 7 A 192.0.2.1"}, 7 * time.Second, time.Hour, "expired", "NOERROR [7] ede 3"},
		{"what clients are told at most holds", Config{StaleMax: day, ClientTTL: 10}, 0, positive, time.Minute, time.Hour, "expired", "NOERROR [10] ede 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, q := New(tt.cfg), query(t, inps, dns.TypeA, true, false)
			c.Put(canonical(t, inps), dns.TypeA, 1, true, false, 0, answer(t, inps, dns.TypeA, tt.rcode, tt.record...), tt.life, true, start)
			if got := found(t, c, q, 0, start.Add(tt.after)); got != tt.get {
				t.Errorf("found %s, want %s", got, tt.get)
			}
			if got := standIn(t, c, q, 0, start.Add(tt.after)); got != tt.standIn {
				t.Errorf("stale: %s, want %s", got, tt.standIn)
			}
		})
	}
}

func TestAQuestionThatFailedIsNotAskedAgainForAWhile(t *testing.T) {
	const (
		failed      = "failed SERVFAIL [] ede 13"
		unreachable = "failed SERVFAIL [] ede 13 ede 22"
	)
	type step struct {
		at   time.Duration
		do   string // fail, unreachable, answer, flush, flush name, forget
		want string // found right after
	}
	tests := []struct {
		name  string
		cfg   Config
		steps []step
	}{
		{"for five seconds", Config{}, []step{{0, "fail", failed}, {5*time.Second - 1, "", failed}, {5 * time.Second, "", "miss"}}},
		{"the client is told when no server could be reached", Config{}, []step{{0, "unreachable", unreachable}}},
		{"twice as long each time", Config{}, []step{
			{0, "fail", failed}, {5 * time.Second, "fail", failed}, {15*time.Second - 1, "", failed}, {15 * time.Second, "", "miss"},
			{15 * time.Second, "fail", failed}, {35*time.Second - 1, "", failed}, {35 * time.Second, "", "miss"},
		}},
		{"up to the most", Config{FailureMin: 10, FailureMax: 15}, []step{
			{0, "fail", failed}, {10 * time.Second, "fail", failed}, {25*time.Second - 1, "", failed}, {25 * time.Second, "fail", failed},
			{40*time.Second - 1, "", failed}, {40 * time.Second, "", "miss"},
		}},
		{"a failure on top of one is the same", Config{}, []step{
			{0, "fail", failed}, {time.Second, "fail", failed}, {4 * time.Second, "fail", failed}, {5 * time.Second, "", "miss"},
		}},
		{"an old failure does not make the next one longer", Config{}, []step{
			{0, "fail", failed}, {5*time.Second + 5*time.Minute, "fail", failed}, {10*time.Second + 5*time.Minute, "", "miss"},
		}},
		{"an answer ends it, and it starts anew", Config{}, []step{
			{0, "fail", failed}, {5 * time.Second, "fail", failed}, {6 * time.Second, "answer", "fresh NOERROR [60]"},
			{66 * time.Second, "fail", failed}, {71 * time.Second, "", "miss"},
		}},
		{"an answer that is not kept ends it", Config{}, []step{{0, "fail", failed}, {time.Second, "answer not kept", "miss"}}},
		{"a flush ends it", Config{}, []step{{0, "fail", failed}, {time.Second, "flush", "miss"}}},
		{"a flush of the name ends it", Config{}, []step{{0, "fail", failed}, {time.Second, "flush name", "miss"}}},
		{"forgetting failures ends it", Config{}, []step{{0, "fail", failed}, {time.Second, "forget", "miss"}}},
		{"a clock set back far ends it", Config{}, []step{{0, "fail", failed}, {-time.Hour, "", "miss"}}},
		{"a fresh answer goes before", Config{}, []step{{0, "answer", "fresh NOERROR [60]"}, {time.Second, "fail", "fresh NOERROR [59]"}}},
		{"with an answer to stand in, for thirty seconds, and no longer each time", Config{StaleMax: 3600}, []step{
			{0, "answer", "fresh NOERROR [60]"}, {60 * time.Second, "fail", "waiting NOERROR [30] ede 3"},
			{90*time.Second - 1, "", "waiting NOERROR [30] ede 3"}, {90 * time.Second, "", "expired"},
			{90 * time.Second, "fail", "waiting NOERROR [30] ede 3"}, {120 * time.Second, "", "expired"},
		}},
		{"a failure never takes the place of a stale answer", Config{StaleMax: 3600}, []step{
			{0, "answer", "fresh NOERROR [60]"}, {60 * time.Second, "servfail", "expired"}, {60 * time.Second, "fail", "waiting NOERROR [30] ede 3"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, q, name := New(tt.cfg), query(t, inps, dns.TypeA, false, false), canonical(t, inps)
			put := func(rcode int, ttl time.Duration, now time.Time) {
				c.Put(name, dns.TypeA, 1, false, false, 0, answer(t, inps, dns.TypeA, rcode, inps+" 60 A 192.0.2.1"), ttl, false, now)
			}
			for i, s := range tt.steps {
				now := start.Add(s.at)
				switch s.do {
				case "fail", "unreachable":
					c.Fail(name, dns.TypeA, 1, false, false, 0, s.do == "unreachable", now)
				case "answer":
					put(0, time.Minute, now)
				case "answer not kept":
					put(0, 0, now)
				case "servfail":
					put(dns.RcodeServerFailure, time.Minute, now)
				case "flush":
					c.Flush()
				case "flush name":
					c.FlushName(name)
				case "forget":
					c.ForgetFailures()
				}
				if got := found(t, c, q, 0, now); got != s.want {
					t.Errorf("step %d: %s, want %s", i+1, got, s.want)
				}
			}
		})
	}
}

func TestFailuresAreKeptApartAndBounded(t *testing.T) {
	c := New(Config{})
	c.Fail(canonical(t, inps), dns.TypeA, 1, false, false, 0, false, start)
	for text, q := range map[string]*wire.Query{
		"another type": query(t, inps, dns.TypeAAAA, false, false), "CD": query(t, inps, dns.TypeA, false, true),
		"DO": query(t, inps, dns.TypeA, true, false), "another name": query(t, "inps.it.", dns.TypeA, false, false),
	} {
		if got := found(t, c, q, 0, start); got != "miss" {
			t.Errorf("%s: %s", text, got)
		}
	}
	if got := found(t, c, query(t, inps, dns.TypeA, false, false), 1, start); got != "miss" {
		t.Errorf("another group: %s", got)
	}
	for i := range maxFailures + 100 {
		c.Fail(canonical(t, fmt.Sprintf("host%d.inps.it.", i)), dns.TypeA, 1, false, false, 0, false, start)
	}
	if got := c.Stats().Failing; got != maxFailures {
		t.Errorf("%d failures are kept, want %d", got, maxFailures)
	}
}

func TestAPopularAnswerIsRefreshedOnceShortlyBeforeItsEnd(t *testing.T) {
	tests := []struct {
		name string
		off  bool
		life time.Duration
		hits []time.Duration // after it was put
		want string          // the outcome of each
	}{
		{"asked twice, the second time near its end", false, 100 * time.Second, []time.Duration{1, 91}, "fresh due"},
		{"only one is told to", false, 100 * time.Second, []time.Duration{1, 91, 92, 99}, "fresh due fresh fresh"},
		{"asked once", false, 100 * time.Second, []time.Duration{95}, "fresh"},
		{"asked twice near its end", false, 100 * time.Second, []time.Duration{95, 96}, "fresh due"},
		{"not with a tenth of its life left", false, 100 * time.Second, []time.Duration{1, 2, 90}, "fresh fresh fresh"},
		{"a life of ten seconds", false, 10 * time.Second, []time.Duration{1, 9, 10}, "fresh fresh miss"},
		{"a life of eleven seconds", false, 11 * time.Second, []time.Duration{1, 10}, "fresh due"},
		{"a life under ten seconds is too short", false, 9 * time.Second, []time.Duration{1, 2, 8}, "fresh fresh fresh"},
		{"not when it is off", true, 100 * time.Second, []time.Duration{1, 91}, "fresh fresh"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, q := New(Config{Prefetch: !tt.off}), query(t, inps, dns.TypeA, false, false)
			c.Put(canonical(t, inps), dns.TypeA, 1, false, false, 0, answer(t, inps, dns.TypeA, 0, inps+" 100 A 192.0.2.1"), tt.life, false, start)
			got := ""
			for _, after := range tt.hits {
				var b wire.Builder
				outcome := c.Get(&b, nil, q, 0, start.Add(after*time.Second))
				got += " " + map[Outcome]string{Miss: "miss", Fresh: "fresh", Due: "due"}[outcome]
			}
			if got != " "+tt.want {
				t.Errorf("got%s, want %s", got, tt.want)
			}
		})
	}
}

func TestKeepForgetsTheAnswersOfOtherGroups(t *testing.T) {
	c := New(Config{})
	for group := range uint64(3) {
		c.Put(canonical(t, inps), dns.TypeA, 1, false, false, group, answer(t, inps, dns.TypeA, 0, inps+" 60 A 192.0.2.1"), time.Minute, false, start)
	}
	c.Keep(func(group uint64) bool { return group == 1 })
	for group := range uint64(3) {
		if kept := get(t, c, query(t, inps, dns.TypeA, false, false), group, start) != nil; kept != (group == 1) {
			t.Errorf("group %d: kept %t", group, kept)
		}
	}
}
