package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"usciere/bench/measure"
)

// results are the figures of a run, for other programs.
func (b *bench) results() any {
	type row struct {
		Name    string         `json:"name"`
		Version string         `json:"version,omitempty"`
		Warm    measure.Rounds `json:"warm"`
		Cold    measure.Rounds `json:"cold"`
		Big     *big           `json:"big,omitempty"`
	}
	out := struct {
		Machine string   `json:"machine"`
		Servers []row    `json:"servers"`
		Not     []string `json:"not_doing_the_job,omitempty"`
	}{Machine: measure.Machine(time.Now()), Not: b.notDoing}
	for _, s := range b.servers {
		out.Servers = append(out.Servers, row{s.name, s.release, s.warm, s.cold, s.big})
	}
	return out
}

// report writes the tables, and which targets are met.
func (b *bench) report(w io.Writer) error {
	fmt.Fprintf(w, "\n%s\n%d rounds of %d s in turns; median (least–greatest); CPU is the server process's own, user and kernel, a query answered\n",
		measure.Machine(time.Now()), b.rounds, b.seconds)
	fmt.Fprintf(w, "\nfrom the cache, 70 %% of the names allowed and 30 %% refused\n\n")
	if err := measure.WriteTable(w, b.table(func(s *running) measure.Rounds { return s.warm })); err != nil {
		return err
	}
	if b.cold {
		fmt.Fprintf(w, "\nevery name new\n\n")
		if err := measure.WriteTable(w, b.table(func(s *running) measure.Rounds { return s.cold })); err != nil {
			return err
		}
	}
	if b.domains > 0 {
		fmt.Fprintf(w, "\nwith %d domains\n\n", b.domains)
		if err := measure.WriteTable(w, b.bigTable()); err != nil {
			return err
		}
	}
	for _, line := range b.notDoing {
		fmt.Fprintf(w, "\n%s\n", line)
	}
	fmt.Fprintln(w)
	for _, t := range b.targets() {
		fmt.Fprintln(w, t)
	}
	_, err := fmt.Fprint(w, "\nNot in these numbers: queries a second of a whole machine, the network card, other loads than this one; and dnsperf's own\nchoice of when to ask, which is as fast as it gets answers.\n")
	return err
}

func (b *bench) find(name string) *running {
	if i := slices.IndexFunc(b.servers, func(s *running) bool { return s.name == name }); i >= 0 {
		return b.servers[i]
	}
	return nil
}

// table has a row for each server that has figures.
func (b *bench) table(of func(*running) measure.Rounds) [][]string {
	rows := [][]string{{"server", "version", "µs CPU a query", "over the echo", "usciere over it", "queries/s", "lost", "noise"}}
	echo, usciere := b.find("echo"), b.find("usciere")
	for _, s := range b.servers {
		r := of(s)
		if r.Micros == nil {
			continue
		}
		over, under := measure.Figures(nil), measure.Figures(nil)
		if echo != nil && s != echo {
			over = r.Micros.Over(of(echo).Micros)
		}
		if usciere != nil && s != usciere {
			under = of(usciere).Micros.Over(r.Micros)
		}
		rows = append(rows, []string{s.name, s.release, r.Micros.Show(2), over.Show(2), under.Show(2),
			fmt.Sprintf("%.0f", r.PerSecond.Median()), fmt.Sprintf("%d of %d", r.Lost, r.Completed+r.Lost), fmt.Sprintf("%.1f %%", r.Noise.Median())})
	}
	return rows
}

func (b *bench) bigTable() [][]string {
	rows := [][]string{{"server", "start to first answer", "RSS", "of that anonymous"}}
	for _, s := range b.servers {
		switch m := s.big; {
		case m == nil:
		case m.Failed != "":
			rows = append(rows, []string{s.name, "–", "–", "–"})
		default:
			rows = append(rows, []string{s.name, fmt.Sprintf("%.2f s", m.Start.Seconds()), megabytes(m.Memory.RSS), megabytes(m.Memory.Anonymous)})
		}
	}
	return rows
}

func megabytes(octets int64) string { return fmt.Sprintf("%d MB", octets/1e6) }

// targets says of each target that this run is about whether it is met.
func (b *bench) targets() []string {
	usciere, echo, unbound := b.find("usciere"), b.find("echo"), b.find("unbound")
	if usciere == nil {
		return nil
	}
	var out []string
	target := func(what string, ratio measure.Figures, most float64) {
		is := "met"
		if ratio.Median() > most {
			is = "missed"
		}
		out = append(out, fmt.Sprintf("%-6s  %s: %s, at most %.2f", is, what, ratio.Show(2), most))
	}
	if echo != nil {
		target("F1 warm over the echo", usciere.warm.Micros.Over(echo.warm.Micros), 1.10)
	}
	cheapest := func(is func(*running) bool) (best *running) {
		for _, s := range b.servers {
			if is(s) && (best == nil || s.warm.Micros.Median() < best.warm.Micros.Median()) {
				best = s
			}
		}
		return best
	}
	if best := cheapest(func(s *running) bool { return s.debian != "" }); best != nil {
		target("F2 warm over the best peer, "+best.name, usciere.warm.Micros.Over(best.warm.Micros), 0.90)
	}
	if best := cheapest(func(s *running) bool { return s.golang }); best != nil {
		target("F3 warm over the best other one in Go, "+best.name, usciere.warm.Micros.Over(best.warm.Micros), 0.15)
	}
	if unbound != nil && b.cold {
		target("F5 new names over unbound", usciere.cold.Micros.Over(unbound.cold.Micros), 0.85)
	}
	return out
}
