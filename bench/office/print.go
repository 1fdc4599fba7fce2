package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"usciere/bench/measure"
	"usciere/bench/officeload"
)

// print writes the figures for a terminal.
func (f *figures) print(w io.Writer) {
	fmt.Fprintf(w, "machine   %s\n%s\n\n", f.machine, strings.Join(f.lead(), "\n"))
	fmt.Fprintf(w, "latency from when the question was due\n%s\n", columns(append([][]string{latencyHead}, f.latencies()...)))
	fmt.Fprintf(w, "cost\n%s\n", columns(f.cost()))
	fmt.Fprintf(w, "%s\n%s\n", f.floodText(), columns(append([][]string{latencyHead}, f.floodLatencies()...)))
	fmt.Fprintf(w, "targets\n%s", columns(f.targetRows()))
	fmt.Fprintf(w, "\nwhat these figures are not\n")
	for _, line := range notFigures {
		fmt.Fprintln(w, " ", line)
	}
}

// lead says what was done.
func (f *figures) lead() []string {
	morning, limit := total(f.resolver), total(f.echo)
	o := f.options
	what := o.program
	if o.target != "" {
		what = o.target
	}
	lines := []string{
		fmt.Sprintf("%s: %s, seed %d, %d rounds of %s in turn with the echo", f.started.Format("2006-01-02 15:04 MST"), what, o.seed, o.rounds, o.round),
		fmt.Sprintf("The log-on of 2,000 workstations in 60 offices, from %s to %s, %.0f times as fast as life: %s questions, %.0f a second, sent whether answered or not.",
			clock(f.morning[0].From), clock(f.morning[len(f.morning)-1].To), f.morning[0].Speed, grouped(sentOf(morning)), float64(sentOf(morning))/morning.Length.Seconds()),
		fmt.Sprintf("%s questions were cached before. Every reply was checked: %d wrong, %d without a reply (the echo: %d). Questions left %s after they were due in the median, %s at p99.",
			grouped(f.warmed), morning.Wrong, lostOf(morning), lostOf(limit), short(morning.Late.Quantile(0.5)), short(morning.Late.Quantile(0.99))),
	}
	if late := morning.Late.Quantile(0.99); late > mayBeLate {
		lines = append(lines, fmt.Sprintf("The machine was busy with something else: one question in a hundred left %s late or more. The latencies say little; run it again on an idle machine.", short(late)))
	}
	return lines
}

// mayBeLate is how late one question in a hundred may leave: more than a core's turn, which the scheduler gives a process for a few
// milliseconds, is not the server's doing.
const mayBeLate = 4 * time.Millisecond

// clock is a time of day.
func clock(d time.Duration) string { return time.Time{}.Add(d).Format("15:04") }

func sentOf(t turn) (n int) {
	for _, k := range t.Sent {
		n += k
	}
	return n
}

func lostOf(t turn) (n int) {
	for _, k := range t.Lost {
		n += k
	}
	return n
}

// cost are the rows of what the servers used.
func (f *figures) cost() [][]string {
	morning, limit := total(f.resolver), total(f.echo)
	rows := [][]string{
		{"", "resolver", "echo"},
		{"answers a second", fmt.Sprintf("%.0f", float64(morning.answered())/morning.Length.Seconds()), fmt.Sprintf("%.0f", float64(limit.answered())/limit.Length.Seconds())},
	}
	if !f.ours() {
		return append(rows, []string{"CPU a query", "not known", short(limit.perQuery())})
	}
	return append(rows,
		[]string{"CPU a query", short(morning.perQuery()), short(limit.perQuery())},
		[]string{"CPU a query, of the echo's", f.cpuRatio().Show(2) + " ×", ""},
		[]string{"cache hit ratio", fmt.Sprintf("%.2f %%", 100*float64(morning.hits)/float64(max(morning.hits+morning.misses, 1))), ""},
		[]string{"RSS", fmt.Sprintf("%.1f MB", float64(f.rss)/1e6), ""})
}

// ours says whether the resolver was started here, so that its cost is known.
func (f *figures) ours() bool { return f.options.target == "" }

func (f *figures) cpuRatio() measure.Figures { return ratios(f.resolver, f.echo, turn.perQuery) }

func (f *figures) floodText() string {
	flood := total(f.flood)
	n := flood.Sent[officeload.Flood]
	return fmt.Sprintf("Around 10:30 at the same rate, with and without a flood of new granted names, %d times the %d a second that the upstream takes; %s of %s flood questions were answered, %s got SERVFAIL",
		floodTimes, upstreamRate, grouped(n-flood.Lost[officeload.Flood]-flood.Failed[officeload.Flood]), grouped(n), grouped(flood.Failed[officeload.Flood]))
}

func (f *figures) targetRows() (rows [][]string) {
	for _, t := range f.targets() {
		word := "met"
		if !t.met() {
			word = "missed"
		}
		rows = append(rows, []string{t.id + "  " + t.what, t.got.Show(2) + " ×", fmt.Sprintf("at most %.1f ×", t.most), word})
	}
	return rows
}

var notFigures = []string{
	"Not the latency of a network: everything is on one machine, and the load shares its cores with the server.",
	"Not the most that the server can take: the rate is given. For the cost of a query under full load see bench/peers.",
	"Not comparable between runs or machines: only the ratios within one run are. CPU a query is higher than under full load, since most questions come alone.",
	"Not the life of answers: the day is played faster, but TTLs are not.",
}

// columns sets a table, the first column to the left, the others to the right.
func columns(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := "  "
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line += cell + pad
			} else {
				line += "  " + pad + cell
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}
