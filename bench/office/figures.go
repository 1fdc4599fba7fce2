package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"usciere/bench/measure"
	"usciere/bench/officeload"
)

// figures are what a run found.
type figures struct {
	options  options
	started  time.Time
	machine  string
	warmed   int                     // questions of the warm-up
	load     [][officeload.Kinds]int // of the day, in steps, as the town asks
	morning  []officeload.Play       // its parts
	resolver []turn                  // the morning, a part a turn
	echo     []turn                  // the same
	calm     []turn                  // at work
	flood    []turn                  // with a flood on top
	rss      int64                   // octets, after the morning
}

const loadStep = 15 * time.Minute

// machine says what this is measured on.
func machine() string {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d × %s, Linux %s, %s", runtime.NumCPU(), model, strings.TrimSpace(string(kernel)), runtime.Version())
}

// total is the sum of some turns.
func total(turns []turn) turn {
	sum := turn{result: newResult()}
	for _, t := range turns {
		sum.add(t.result)
		sum.cpu += t.cpu
		sum.hits += t.hits
		sum.misses += t.misses
	}
	return sum
}

// ratios compares two servers or loads round by round.
func ratios(turns, against []turn, value func(turn) time.Duration) (s measure.Figures) {
	for i := range turns {
		s = append(s, float64(value(turns[i]))/float64(max(value(against[i]), 1)))
	}
	return s
}

func p99(k officeload.Kind) func(turn) time.Duration {
	return func(t turn) time.Duration { return t.Latency[k].Quantile(0.99) }
}

// target is what must hold.
type target struct {
	id, what string
	got      measure.Figures
	most     float64
}

func (t target) met() bool { return t.got.Median() <= t.most }

func (f *figures) targets() []target {
	return []target{
		{"F8", "p99 of cached answers, of the echo's", ratios(f.resolver, f.echo, p99(officeload.Cached)), 1.5},
		{"F9", "p99 of cached answers under the flood, of that without", ratios(f.flood, f.calm, p99(officeload.Cached)), 2},
		{"F9", "p99 of blocked answers under the flood, of that without", ratios(f.flood, f.calm, p99(officeload.Blocked)), 2},
	}
}

// mayLose is the share of questions without a reply beyond which the server did not bear the load.
const mayLose = 0.001

// verdict is an error when an answer was wrong, or questions were lost that nothing stood in the way of. Targets are missed without one.
func (f *figures) verdict() error {
	for _, turns := range [][]turn{f.resolver, f.calm, f.flood} {
		sum := total(turns)
		if sum.Wrong > 0 {
			return fmt.Errorf("%d answers are wrong; the first: %s", sum.Wrong, sum.First)
		}
		for _, k := range []officeload.Kind{officeload.Cached, officeload.Blocked, officeload.Local} {
			if lost, sent := sum.Lost[k], sum.Sent[k]; float64(lost) > mayLose*float64(sent) {
				return fmt.Errorf("%d of %d questions (%s) have no reply: is the machine busy with something else?", lost, sent, k)
			}
		}
	}
	return nil
}

var quantiles = []struct {
	name string
	q    float64
}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}}

// latencyRow is how long the answers took, as a table shows it.
func latencyRow(name string, h *measure.Histogram) []string {
	row := []string{name, grouped(h.Count())}
	if h.Count() == 0 {
		return append(row, "–", "–", "–", "–", "–")
	}
	for _, q := range quantiles {
		row = append(row, short(h.Quantile(q.q)))
	}
	return append(row, short(h.Max()))
}

var latencyHead = []string{"", "answers", "p50", "p90", "p99", "p99.9", "max"}

// latencies are the rows of the resolver's kinds and of the echo.
func (f *figures) latencies() (rows [][]string) {
	morning, limit := total(f.resolver), total(f.echo)
	for _, k := range shownKinds {
		rows = append(rows, latencyRow(k.String(), morning.Latency[k]))
	}
	return append(rows,
		latencyRow("all", morning.all()),
		latencyRow("echo, where cached", limit.Latency[officeload.Cached]),
		latencyRow("echo, all", limit.all()))
}

var shownKinds = []officeload.Kind{officeload.Cached, officeload.Blocked, officeload.Local, officeload.Cold}

func (f *figures) floodLatencies() (rows [][]string) {
	calm, flood := total(f.calm), total(f.flood)
	for _, k := range shownKinds {
		rows = append(rows, latencyRow(k.String()+", calm", calm.Latency[k]), latencyRow(k.String()+", flood", flood.Latency[k]))
	}
	return append(rows, latencyRow("the flood itself", flood.Latency[officeload.Flood]))
}

// short is a time with three digits.
func short(d time.Duration) string {
	v, unit := d.Seconds()*1e6, "µs"
	switch {
	case d >= time.Second:
		v, unit = d.Seconds(), "s"
	case d >= time.Millisecond:
		v, unit = d.Seconds()*1e3, "ms"
	}
	decimals := 0
	if v < 10 {
		decimals = 2
	} else if v < 100 {
		decimals = 1
	}
	return fmt.Sprintf("%.*f %s", decimals, v, unit)
}

// grouped is a number with its thousands apart.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
