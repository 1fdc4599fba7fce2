package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"usciere/bench/report"
)

// print writes what came of a soak.
func (s *soak) print(w io.Writer) {
	fmt.Fprintln(w, s.lead())
	fmt.Fprint(w, columns(s.rows()))
}

func (s *soak) lead() string {
	return fmt.Sprintf("%s of the town's day, ten times as fast: %d changes, %d reloads, %d times a silent upstream (%d questions told so), %d restart by kill -9 (%d questions without a reply meanwhile).",
		s.samples[len(s.samples)-1].at*soakSpeed, s.changes, s.reloads, s.faults, s.duringFaults, s.restarts, s.unavailable)
}

func (s *soak) rows() (rows [][]string) {
	for _, p := range s.promises() {
		verdict := "held"
		if !p.met {
			verdict = "MISSED"
		}
		rows = append(rows, []string{p.what, p.got, p.most, verdict})
	}
	return rows
}

// writeReport draws what the server had, over time.
func (s *soak) writeReport(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	w, err := os.Create(file)
	if err != nil {
		return err
	}
	page := report.Page{
		Title: "A town hall's day, ten times as fast",
		Lead:  []string{"On " + machine() + ".", s.lead()},
		Sections: []report.Section{
			{Title: "What was promised", Text: "Every answer is held against the model of the town; growth is that of the second half since the restart over the first.",
				Table: report.Table{Head: []string{"", "found", "at most", ""}, Rows: s.rows()}},
			s.drawn("Memory", "MiB", func(m sample) float64 { return float64(m.memory) / (1 << 20) }),
			s.drawn("Goroutines", "goroutines", func(m sample) float64 { return float64(m.goroutines) }),
			s.drawn("Descriptors", "open files and sockets", func(m sample) float64 { return float64(m.descriptors) }),
			s.drawn("Disk", "MiB of the store", func(m sample) float64 { return float64(m.store) / (1 << 20) }),
			s.drawn("Load", "questions a second", func(m sample) float64 { return float64(m.sent) / s.samples[0].at.Seconds() }),
		},
		Not: []string{"A day of one town is no month of a region; nobody's workstation is switched off in between."},
	}
	if err := page.Write(w); err != nil {
		_ = w.Close() // the first error counts
		return err
	}
	return w.Close()
}

// drawn is one value of the samples over time.
func (s *soak) drawn(title, unit string, value func(sample) float64) report.Section {
	curve := report.Series{Name: title}
	table := report.Table{Head: []string{"minute", unit}}
	most := 0.0
	for _, m := range s.samples {
		minute, v := m.at.Minutes(), value(m)
		most = max(most, v)
		curve.Points = append(curve.Points, report.Point{X: minute, Y: v})
		table.Rows = append(table.Rows, []string{fmt.Sprintf("%.1f", minute), fmt.Sprintf("%.1f", v)})
	}
	end := s.samples[len(s.samples)-1].at.Minutes()
	return report.Section{
		Title: title,
		Picture: report.Lines{
			Shows:  title + " of the server over the minutes of the run, with the restart in the middle.",
			X:      report.Axis{Label: "minutes of the run", Ticks: report.Steps(end, plainly)},
			Y:      report.Axis{Label: unit, Ticks: report.Steps(most, plainly)},
			Series: []report.Series{curve},
		},
		Table: table,
	}
}
