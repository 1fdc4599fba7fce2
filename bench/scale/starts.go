package main

import (
	"context"
	"fmt"
	"time"

	"usciere/bench/measure"
	"usciere/bench/testbed"
)

// The largest of the towns, as the targets have it but for its number of rules.
const (
	offices  = 1000
	services = 200
)

func sized(rules int) town {
	return town{testbed.Town{Rules: rules, Offices: offices, Services: services}, 1}
}

// sizes are the points of the curve of rules.
func (b *bench) sizes() []int { return []int{500, b.rules / 100, b.rules / 10, b.rules} }

// settled is how long after the first answer memory is read: what the start left behind has been given back by then.
const settled = 3 * time.Second

// starts measures the time to the first answer, and memory after it, with more and more rules.
func (b *bench) starts(ctx context.Context) error {
	type point struct {
		label string
		*running
		seconds, anonymous measure.Figures
	}
	points := []*point{{label: "none, no office"}}
	towns := []town{{}}
	for _, rules := range b.sizes() {
		points, towns = append(points, &point{label: fmt.Sprint(rules)}), append(towns, sized(rules))
	}
	for i, p := range points {
		var err error
		if p.running, err = b.prepare(towns[i]); err != nil {
			return err
		}
		p.cores = b.cores() // a start may use all there are
	}
	for range 3 {
		for _, p := range points {
			took, err := p.start(ctx)
			if err != nil {
				return err
			}
			time.Sleep(settled)
			memory, err := p.process.Memory()
			p.process.Stop()
			if err != nil {
				return err
			}
			p.seconds = append(p.seconds, took.Seconds())
			p.anonymous = append(p.anonymous, float64(memory.Anonymous)/1e6)
		}
	}
	rows := [][]string{{"rules", "start to first answer, s", "RssAnon, MB"}}
	for _, p := range points {
		rows = append(rows, []string{p.label, p.seconds.Show(2), p.anonymous.Show(0)})
	}
	if err := table("start and memory; 1,000 offices, 10,000 networks, 200 services; 3 starts", rows); err != nil {
		return err
	}
	most, over := points[len(points)-1], points[len(points)-1].anonymous.Median()-points[0].anonymous.Median()
	fmt.Println()
	verdict(most.seconds.Median() <= 1.5, "F6 start with %d rules: %.2f s, at most 1.5", b.rules, most.seconds.Median())
	verdict(over <= 80, "F6 memory over the empty server: %.0f MB, at most 80", over)
	return nil
}
