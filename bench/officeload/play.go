package officeload

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// Event is a question at a time.
type Event struct {
	At       time.Duration // since the play began
	Station  *Station
	Question *Question
}

// Play is a part of the day, and how it is played.
type Play struct {
	From, To time.Duration // of the day
	Speed    float64       // times the town's own; 0 is 1
	Fresh    uint64        // a number of its own for each playing against the same server, or first-time names are none
}

// Length is how long the play lasts.
func (p Play) Length() time.Duration { return time.Duration(float64(p.To-p.From) / p.speed()) }

func (p Play) speed() float64 {
	if p.Speed == 0 {
		return 1
	}
	return p.Speed
}

// Events are the questions of a play in order of their time: about 40 octets each, so take hours of the whole town only fast.
func (t *Town) Events(p Play) []Event {
	var events []Event
	length := p.Length()
	// Sessions that began before go on.
	begun := p.From - time.Duration(float64(longest)*p.speed())
	source := &rand.PCG{}
	a := &asker{town: t, r: rand.New(source), fresh: p.Fresh}
	for _, s := range t.Stations {
		a.station = s
		t.sessions(s, func(e session) {
			if e.at < begun || e.at >= p.To {
				return
			}
			start := time.Duration(float64(e.at-p.From) / p.speed())
			a.emit = func(after time.Duration, q *Question) {
				if at := start + after; at >= 0 && at < length {
					events = append(events, Event{at, s, q})
				}
			}
			source.Seed(e.seed, uint64(s.number))
			a.ask(e.what)
		})
	}
	sortByTime(events)
	return events
}

func sortByTime(events []Event) {
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
}

// Rate is the mean of questions a second in a part of the day, as the town asks them.
func (t *Town) Rate(from, to time.Duration) float64 {
	sum := 0
	for _, counts := range t.Load(from, to, to-from) {
		for _, n := range counts {
			sum += n
		}
	}
	return float64(sum) / (to - from).Seconds()
}

// Load counts the questions of a part of the day by kind, in steps.
func (t *Town) Load(from, to, step time.Duration) [][Kinds]int {
	load := make([][Kinds]int, (to-from+step-1)/step)
	source := &rand.PCG{}
	a := &asker{town: t, r: rand.New(source)}
	for _, s := range t.Stations {
		a.station = s
		t.sessions(s, func(e session) {
			if e.at+longest < from || e.at >= to {
				return
			}
			a.emit = func(after time.Duration, q *Question) {
				if at := e.at + after; at >= from && at < to {
					load[(at-from)/step][q.Kind]++
				}
			}
			source.Seed(e.seed, uint64(s.number))
			a.ask(e.what)
		})
	}
	return load
}

// Warm asks every granted name once, for each type, at an even rate a second: after it only first-time names are not cached.
func (t *Town) Warm(rate float64) []Event {
	seen := map[*Question]bool{}
	var events []Event
	ask := func(s *Station, questions []*Question) {
		for _, q := range questions {
			if !seen[q] {
				seen[q] = true
				events = append(events, Event{time.Duration(float64(len(events)) / rate * float64(time.Second)), s, q})
			}
		}
	}
	for _, o := range t.Offices {
		for i, h := range o.reach {
			ask(o.Stations[i%len(o.Stations)], h.granted[:])
		}
	}
	for i, p := range t.chatter.granted {
		ask(t.Stations[i], p[:])
	}
	return events
}

// WithFlood puts first-time names among the events of a play, at an even rate of questions a second: a program that runs wild on all
// workstations at once.
func (t *Town) WithFlood(events []Event, p Play, rate float64) []Event {
	r := rand.New(rand.NewPCG(t.seed, p.Fresh))
	out := slices.Clone(events)
	gap := time.Duration(float64(time.Second) / rate)
	for at := gap; at < p.Length(); at += gap {
		s := t.Stations[r.IntN(len(t.Stations))]
		out = append(out, Event{at, s, t.cold(s, r, p.Fresh, Flood)[0]})
	}
	sortByTime(out)
	return out
}
