package main

import (
	"context"
	"fmt"
	"time"

	"usciere/bench/measure"
	"usciere/bench/testbed"
)

// point is one of a curve: a town and how many of its workstations ask.
type point struct {
	label   string
	town    town
	clients int
}

// curve is a row of points that are measured in turns; the last is held against the first.
type curve struct {
	title, of string
	points    []point
	target    string
	most      float64 // of the last over the first
	echoed    bool    // the echo bears each load as well: what it takes more is the kernel's
}

func (b *bench) curves(ctx context.Context) error {
	rules := curve{title: "rules: 1,000 offices, 500 workstations of as many offices", of: "rules", target: "F6 rules", most: 1.10}
	for _, n := range b.sizes() {
		rules.points = append(rules.points, point{fmt.Sprint(n), sized(n), 500})
	}
	people := curve{title: fmt.Sprintf("clients: %d rules, 1,000 offices", b.rules), of: "addresses", target: "clients flat", most: 1.10, echoed: true}
	for _, n := range []int{1, 10, 100, 2000} {
		people.points = append(people.points, point{fmt.Sprint(n), sized(b.rules), n})
	}
	units := curve{title: fmt.Sprintf("offices: %d rules, 500 workstations", b.rules/100), of: "offices", target: "offices flat", most: 1.10}
	for _, n := range []int{1, 10, 100, 1000} {
		units.points = append(units.points, point{fmt.Sprint(n), town{testbed.Town{Rules: b.rules / 100, Offices: n, Services: services}, 1}, 500})
	}
	both := sized(b.rules / 100)
	both.cores = 2
	cores := curve{title: fmt.Sprintf("cores: %d rules, 1,000 offices, 2,000 workstations; the load shares one of the two", b.rules/100), of: "readers",
		target: "F10 readers", most: 1.10, echoed: true, points: []point{{"1", sized(b.rules / 100), 2000}, {"2", both, 2000}}}
	for _, c := range []curve{rules, people, units, cores} {
		if err := b.draw(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// draw measures a curve and prints it.
func (b *bench) draw(ctx context.Context, c curve) error {
	var (
		processes []*measure.Process
		loads     []crowd
	)
	for _, p := range c.points {
		r, err := b.of(ctx, p.town)
		if err != nil {
			return err
		}
		processes = append(processes, r.process)
		loads = append(loads, crowd{server: r.Addr, questions: r.town.Questions(p.clients), core: b.load, length: time.Duration(b.seconds) * time.Second})
	}
	if c.echoed {
		for i, p := range c.points {
			echo, err := b.echoOn(ctx, p.town.cores)
			if err != nil {
				return err
			}
			load := loads[i]
			load.server = echo.addr
			processes, loads = append(processes, echo.process), append(loads, load)
		}
	}
	progress("%s", c.title)
	results := make([]measure.Rounds, len(loads))
	const warmUps = 2 // rounds that do not count: the first asks the upstream
	err := measure.InTurns(warmUps+b.rounds, processes, func(round, i int) error {
		switch {
		case round < warmUps && i < len(c.points):
			return rehearse(ctx, loads[i])
		case round < warmUps:
			return nil
		}
		meter := measure.Meter{Server: processes[i], Others: []*measure.Process{b.upstream.Process}, Cores: b.cores()}
		return results[i].Add(ctx, meter, true, loads[i].Run)
	})
	if err != nil {
		return err
	}
	return c.print(results)
}

// print prints the results of the points, and those of the echo if they follow.
func (c curve) print(results []measure.Rounds) error {
	rows := [][]string{{c.of, "µs CPU a query", "over the first", "queries/s", "lost", "noise"}}
	n := len(c.points)
	for i, r := range results {
		label := c.points[i%n].label
		if i >= n {
			label += ", the echo"
		}
		rows = append(rows, []string{label, r.Micros.Show(2), r.Micros.Over(results[i/n*n].Micros).Show(2), fmt.Sprintf("%.0f", r.PerSecond.Median()),
			fmt.Sprintf("%d of %d", r.Lost, r.Completed+r.Lost), fmt.Sprintf("%.1f %%", r.Noise.Median())})
	}
	if err := table(c.title, rows); err != nil {
		return err
	}
	last := results[n-1].Micros.Over(results[0].Micros)
	fmt.Println()
	verdict(last.Median() <= c.most, "%s: %s of the first, at most %.2f", c.target, last.Show(2), c.most)
	if c.echoed {
		fmt.Printf("        the echo, for which only the kernel works: %s\n", results[2*n-1].Micros.Over(results[n].Micros).Show(2))
	}
	return nil
}

// rehearse puts the load on and sees that the answers are those of the mix: 70 % of names that are granted.
func rehearse(ctx context.Context, load crowd) error {
	r, err := load.Run(ctx)
	if err != nil {
		return err
	}
	if granted := 100 * float64(r.Codes["NOERROR"]) / float64(max(1, r.Completed)); granted < 68 || granted > 72 {
		return fmt.Errorf("%.1f %% of the names were answered, and 70 are granted: %v of %d, %d lost", granted, r.Codes, r.Completed, r.Lost)
	}
	return nil
}

// cores are those of load and servers.
func (b *bench) cores() []int {
	if b.load == b.server {
		return []int{b.load}
	}
	return []int{b.load, b.server}
}
