package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"usciere/bench/measure"
	"usciere/bench/officeload"
	"usciere/bench/report"
)

// writeReport writes the figures as a page with pictures.
func (f *figures) writeReport(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	w, err := os.Create(file)
	if err != nil {
		return err
	}
	page := report.Page{
		Title:    "A town hall's morning",
		Lead:     append([]string{"On " + f.machine + "."}, f.lead()...),
		Sections: []report.Section{f.targetSection(), f.latencySection(), f.floodSection(), f.costSection(), f.loadSection(), f.kindSection()},
		Not:      notFigures,
	}
	if err := page.Write(w); err != nil {
		_ = w.Close() // the first error counts
		return err
	}
	return w.Close()
}

func (f *figures) targetSection() report.Section {
	return report.Section{
		Title: "Targets",
		Text:  "Medians of the rounds' ratios, with the least and the greatest.",
		Table: report.Table{Head: []string{"", "found", "target", ""}, Rows: f.targetRows()},
	}
}

func (f *figures) latencySection() report.Section {
	morning, limit := total(f.resolver), total(f.echo)
	var series []report.Series
	for _, k := range shownKinds {
		series = appendDistribution(series, k.String(), morning.Latency[k])
	}
	series = appendDistribution(series, "echo", limit.all())
	return report.Section{
		Title:   "Latency by kind",
		Text:    "How long an answer took from when its question was due: the further right, the rarer. Cold ones wait for the upstream.",
		Picture: distributions("Latency of the resolver's answers by kind and of the echo, from the median to the slowest in 100,000.", series),
		Table:   report.Table{Head: latencyHead, Rows: f.latencies()},
	}
}

func (f *figures) floodSection() report.Section {
	calm, flood := total(f.calm), total(f.flood)
	var series []report.Series
	for _, k := range []officeload.Kind{officeload.Cached, officeload.Blocked} {
		series = appendDistribution(series, k.String()+", calm", calm.Latency[k])
		series = appendDistribution(series, k.String()+", flood", flood.Latency[k])
	}
	return report.Section{
		Title:   "Latency under a flood of new names",
		Text:    f.floodText() + ".",
		Picture: distributions("Latency of cached and blocked answers with and without the flood.", series),
		Table:   report.Table{Head: latencyHead, Rows: f.floodLatencies()},
	}
}

// appendDistribution appends the curve of a histogram, if there is anything in it: the latency over the share of answers that took no
// longer, which nears 1 in decades.
func appendDistribution(series []report.Series, name string, h *measure.Histogram) []report.Series {
	if h.Count() == 0 {
		return series
	}
	s := report.Series{Name: name}
	const perDecade = 20
	most := min(max(float64(h.Count()), 10), 1e5) // one answer in so many is slower
	for i := 0; ; i++ {
		rarity := 2 * math.Pow(10, float64(i)/perDecade) // from the median on
		if rarity > most {
			return append(series, s)
		}
		s.Points = append(s.Points, report.Point{X: rarity, Y: milliseconds(h.Quantile(1 - 1/rarity))})
	}
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1e3 }

func distributions(shows string, series []report.Series) report.Lines {
	least, most := 0.2, 1.0 // milliseconds: an axis that is no shorter than that
	for _, s := range series {
		for _, p := range s.Points {
			least, most = min(least, p.Y), max(most, p.Y)
		}
	}
	least = max(least, 1e-3)
	return report.Lines{
		Shows: shows,
		X: report.Axis{Label: "share of answers that took no longer", Log: true, Ticks: []report.Tick{
			{At: 2, Text: "50 %"}, {At: 10, Text: "90 %"}, {At: 100, Text: "99 %"}, {At: 1e3, Text: "99.9 %"}, {At: 1e4, Text: "99.99 %"}, {At: 1e5, Text: "99.999 %"},
		}},
		Y: report.Axis{Label: "latency", Log: true, Ticks: report.Decades(least, most, func(ms float64) string {
			switch {
			case ms >= 1000:
				return fmt.Sprintf("%g s", ms/1000)
			case ms >= 1:
				return fmt.Sprintf("%g ms", ms)
			}
			return fmt.Sprintf("%g µs", math.Round(ms*1000))
		})},
		Series: series,
	}
}

func (f *figures) costSection() report.Section {
	s := report.Section{
		Title: "Processor time a query, against the limit",
		Text: "User and kernel time of the server's process over its replies: the median of the rounds, with the least and the greatest. The echo only turns datagrams round, " +
			"and under full load nothing costs less. At this rate a question often comes alone, and most of the cost is to wake up for it, which the two do in different ways.",
		Table: report.Table{Head: f.cost()[0], Rows: f.cost()[1:]},
	}
	if !f.ours() {
		return s
	}
	bars := report.Bars{Shows: "Processor time a query of the resolver and of the echo."}
	most := 0.0
	for i, side := range []struct {
		name   string
		turns  []turn
		colour int // that of its latencies
	}{{"resolver", f.resolver, 0}, {"echo", f.echo, len(shownKinds)}} {
		var each measure.Figures
		for n, t := range side.turns {
			each = append(each, t.perQuery().Seconds()*1e6)
			if i == 0 {
				s.Table.Rows = append(s.Table.Rows, []string{fmt.Sprintf("CPU a query, round %d", n+1), short(t.perQuery()), short(f.echo[n].perQuery())})
			}
		}
		most = max(most, slices.Max(each))
		bars.Bars = append(bars.Bars, report.Bar{
			Name: side.name, Value: each.Median(), From: slices.Min(each), To: slices.Max(each), Text: fmt.Sprintf("%.1f µs", each.Median()), Colour: side.colour,
		})
	}
	bars.Axis = report.Axis{Label: "µs a query", Ticks: report.Steps(most, plainly)}
	s.Picture = bars
	return s
}

func plainly(v float64) string { return fmt.Sprintf("%g", v) }

func (f *figures) loadSection() report.Section {
	var series []report.Series
	sums := make([]float64, len(f.load))
	most := 0.0
	for _, k := range shownKinds {
		s := report.Series{Name: k.String()}
		for i, counts := range f.load {
			rate := float64(counts[k]) / loadStep.Seconds()
			s.Points = append(s.Points, report.Point{X: float64(i) * loadStep.Hours(), Y: rate})
			sums[i] += rate
			most = max(most, sums[i])
		}
		// The last quarter of an hour lasts until midnight.
		s.Points = append(s.Points, report.Point{X: 24, Y: s.Points[len(s.Points)-1].Y})
		series = append(series, s)
	}
	var hours []report.Tick
	for h := 0; h <= 24; h += 3 {
		hours = append(hours, report.Tick{At: float64(h), Text: fmt.Sprintf("%d:00", h)})
	}
	table := report.Table{Head: []string{"questions a second", "cached", "blocked", "local", "cold", "all"}}
	for i := 0; i < len(f.load); i += 4 {
		row, sum := []string{fmt.Sprintf("%d:00", i/4)}, 0.0
		for _, k := range shownKinds {
			rate := 0.0
			for _, counts := range f.load[i : i+4] {
				rate += float64(counts[k]) / (4 * loadStep.Seconds())
			}
			row = append(row, fmt.Sprintf("%.1f", rate))
			sum += rate
		}
		table.Rows = append(table.Rows, append(row, fmt.Sprintf("%.1f", sum)))
	}
	return report.Section{
		Title: "Load over the day",
		Text:  fmt.Sprintf("What the 2,000 workstations ask a second by themselves, in steps of a quarter of an hour. The log-on above is played %.0f times as fast.", f.morning[0].Speed),
		Picture: report.Lines{
			Shows:   "Questions a second over the day by kind: a peak at the log-on, a high morning, a low afternoon, chatter at night.",
			X:       report.Axis{Label: "time of day", Ticks: hours},
			Y:       report.Axis{Label: "questions a second", Ticks: report.Steps(most, plainly)},
			Series:  series,
			Stacked: true,
		},
		Table: table,
	}
}

func (f *figures) kindSection() report.Section {
	morning := total(f.resolver)
	sum := float64(max(morning.answered(), 1))
	bars := report.Bars{Shows: "Share of each kind among the answers of the morning."}
	table := report.Table{Head: []string{"", "answers", "share", "without a reply"}}
	most := 0.0
	for i, k := range shownKinds {
		n := morning.Sent[k] - morning.Lost[k]
		share := 100 * float64(n) / sum
		most = max(most, share)
		bars.Bars = append(bars.Bars, report.Bar{Name: k.String(), Value: share, Text: fmt.Sprintf("%.1f %%", share), Colour: i})
		table.Rows = append(table.Rows, []string{k.String(), grouped(n), fmt.Sprintf("%.1f %%", share), grouped(morning.Lost[k])})
	}
	bars.Axis = report.Axis{Label: "% of the answers", Ticks: report.Steps(most, plainly)}
	return report.Section{Title: "Answers by kind", Text: "What became of the morning's questions.", Picture: bars, Table: table}
}
