package officeload

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// plain is an event without pointers.
type plain struct {
	at     time.Duration
	client string
	q      Question
}

func plainly(events []Event) (out []plain) {
	for _, e := range events {
		out = append(out, plain{e.At, e.Station.Addr.String(), *e.Question})
	}
	return out
}

func TestTheSameSeedMakesTheSameDay(t *testing.T) {
	p := Play{From: Clock(8, 0), To: Clock(8, 2), Speed: 10}
	first, second, other := plainly(New(7).Events(p)), plainly(New(7).Events(p)), plainly(New(8).Events(p))
	if !reflect.DeepEqual(first, second) {
		t.Error("two towns of one seed differ")
	}
	if reflect.DeepEqual(first, other) {
		t.Error("two seeds make the same town")
	}
}

func TestFirstTimeNamesAreNewInEachPlaying(t *testing.T) {
	town := New(1)
	seen := map[string]bool{}
	for fresh := range uint64(2) {
		asked := map[string]int{}
		for _, e := range town.Events(Play{From: Clock(9, 0), To: Clock(9, 5), Fresh: fresh}) {
			if e.Question.Kind == Cold {
				asked[e.Question.Name]++
			}
		}
		if len(asked) < 100 {
			t.Fatalf("only %d first-time names", len(asked))
		}
		for name, n := range asked {
			if n > len(webTypes) || seen[name] {
				t.Errorf("%s was asked before", name)
			}
			seen[name] = true
		}
	}
}

func TestTheDayHasTheSharesDocumented(t *testing.T) {
	town := New(1)
	const step = 15 * time.Minute
	load := town.Load(0, 24*time.Hour, step)
	var kinds [Kinds]float64
	var day, office float64
	perStep := make([]float64, len(load))
	for i, counts := range load {
		for k, n := range counts {
			kinds[k] += float64(n)
			perStep[i] += float64(n)
		}
		day += perStep[i]
		if at := time.Duration(i) * step; at >= Clock(7, 45) && at < Clock(16, 45) {
			office += perStep[i]
		}
	}
	within := func(what string, got, least, most float64) {
		t.Helper()
		if got < least || got > most {
			t.Errorf("%s: %.3f; want %.3f to %.3f", what, got, least, most)
		}
	}
	within("questions a workstation and day", day/workstations, 4000, 5000)
	within("share of the nine hours", office/day, 0.75, 0.85)
	within("blocked of all", kinds[Blocked]/day, 0.25, 0.33)
	within("blocked of what is not local", kinds[Blocked]/(day-kinds[Local]), 0.25, 0.33)
	within("cold of all", kinds[Cold]/day, 0.012, 0.022)
	within("local of all", kinds[Local]/day, 0.03, 0.15)
	within("flood", kinds[Flood], 0, 0)
	logonRate := (perStep[31] + perStep[32]) / 2 // 7:45 to 8:15
	within("the log-on burst against the mean of the day", logonRate/(day/float64(len(load))), 2.5, 5)
}

func TestEveryWorkstationLogsOnOnceInTheHalfHour(t *testing.T) {
	town := New(3)
	middle := 0
	for _, s := range town.Stations {
		times := 0
		town.sessions(s, func(e session) {
			if e.what != logon {
				return
			}
			times++
			if e.at < Clock(7, 45) || e.at >= Clock(8, 15) {
				t.Errorf("%s logs on at %s", s.Name, e.at)
			}
			if e.at >= Clock(7, 52)+30*time.Second && e.at < Clock(8, 7)+30*time.Second {
				middle++
			}
		})
		if times != 1 {
			t.Errorf("%s logs on %d times", s.Name, times)
		}
	}
	if share := float64(middle) / workstations; share < 0.7 || share > 0.8 {
		t.Errorf("%.2f of them in the middle quarter of an hour; want 0.75", share)
	}
}

func TestAPageAsksTenToFortyNamesForThreeTypesTogether(t *testing.T) {
	town := New(1)
	source := &rand.PCG{}
	a := &asker{town: town, station: town.Stations[0], r: rand.New(source)}
	sizes := map[int]bool{}
	for seed := range uint64(500) {
		var asked []Event
		a.emit = func(after time.Duration, q *Question) { asked = append(asked, Event{after, a.station, q}) }
		source.Seed(seed, 0)
		a.page()
		if len(asked)%3 != 0 {
			t.Fatalf("%d questions", len(asked))
		}
		for i := 0; i < len(asked); i += 3 {
			for j, typ := range webTypes {
				e := asked[i+j]
				if e.Question.Type != typ || e.Question.Name != asked[i].Question.Name || e.At-asked[i].At != time.Duration(j)*between {
					t.Fatalf("not together: %+v and %+v", asked[i], e)
				}
				if e.At > longest {
					t.Fatalf("a question after %s", e.At)
				}
			}
		}
		if k := asked[0].Question.Kind; k != Cached {
			t.Errorf("the page itself is %s", k)
		}
		sizes[len(asked)/3] = true
	}
	if len(sizes) != 31 || !sizes[10] || !sizes[40] {
		t.Errorf("pages of %d different numbers of names; want 10 to 40", len(sizes))
	}
}

func TestPopularityFollowsZipfsLaw(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const n, draws = 2520, 1_000_000
	l := newLaw(n)
	var counts [n]float64
	for range draws {
		counts[l.draw(r)]++
	}
	// The slope of log(count) over log(rank), between ranks that are drawn often enough.
	slope := func(from, to int) float64 {
		return math.Log(counts[from-1]/counts[to-1]) / math.Log(float64(to)/float64(from))
	}
	for _, tc := range [][2]int{{1, 10}, {1, 100}, {10, 200}} {
		if got := slope(tc[0], tc[1]); math.Abs(got-zipf) > 0.06 {
			t.Errorf("between ranks %d and %d the exponent is %.2f; want %.2f", tc[0], tc[1], got, zipf)
		}
	}
}

func TestPlayedFasterTheSessionsMoveTogetherAndNothingIsLost(t *testing.T) {
	town := New(1)
	from, to := Clock(7, 55), Clock(8, 5)
	natural := town.Rate(from, to)
	p := Play{From: from, To: to, Speed: 20}
	events := town.Events(p)
	if p.Length() != 30*time.Second {
		t.Errorf("lasts %s", p.Length())
	}
	if rate := float64(len(events)) / p.Length().Seconds(); math.Abs(rate/(20*natural)-1) > 0.05 {
		t.Errorf("%.0f questions a second; want 20 times %.0f", rate, natural)
	}
	// Bursts: within a hundredth of a second there is many times the mean.
	perStep := map[time.Duration]float64{}
	for i, e := range events {
		if i > 0 && e.At < events[i-1].At || e.At < 0 || e.At >= p.Length() {
			t.Fatalf("event %d is at %s", i, e.At)
		}
		perStep[e.At/(10*time.Millisecond)]++
	}
	most := 0.0
	for _, n := range perStep {
		most = max(most, n)
	}
	if mean := float64(len(events)) / 3000; most < 1.5*mean {
		t.Errorf("at most %.0f questions in 10 ms, and %.0f in the mean: no bursts", most, mean)
	}
}

func TestTheWarmUpAsksWhateverCanBeCached(t *testing.T) {
	town := New(1)
	asked := map[*Question]bool{}
	for _, e := range town.Warm(1000) {
		if e.Question.Kind != Cached || asked[e.Question] {
			t.Fatalf("%+v is asked", e.Question)
		}
		asked[e.Question] = true
	}
	for _, e := range town.Events(Play{From: Clock(7, 58), To: Clock(8, 2)}) {
		if e.Question.Kind == Cached && !asked[e.Question] {
			t.Fatalf("%+v is not asked", e.Question)
		}
	}
}

func TestAFloodComesOnTopOfTheDay(t *testing.T) {
	town := New(1)
	p := Play{From: Clock(10, 0), To: Clock(10, 5), Speed: 30, Fresh: 5}
	calm := town.Events(p)
	names := map[string]bool{}
	for _, e := range town.WithFlood(calm, p, 300) {
		if e.Question.Kind == Flood {
			names[e.Question.Name] = true
			if !covered(e.Question.Name, town.Everyone) && !covered(e.Question.Name, e.Station.Office.Domains) {
				t.Errorf("%s was not granted to %s", e.Question.Name, e.Station.Office.ID)
			}
		}
	}
	if n := len(names); n < 2990 || n > 3000 {
		t.Errorf("%d new names in 10 s; want 300 a second", n)
	}
	if n := len(town.WithFlood(calm, p, 300)) - len(calm); n != len(names) {
		t.Errorf("%d questions more, %d names", n, len(names))
	}
}
