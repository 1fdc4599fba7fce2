package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usciere/bench/measure"
)

// inProcessRounds is how often the benchmarks are run on one processor and on two, in turns.
const inProcessRounds = 7

// inProcess runs the Go benchmarks of the whole query path, from a batch of questions to one of replies, on one processor and on two.
func inProcess(ctx context.Context) error {
	found := map[string]measure.Figures{}
	for range inProcessRounds {
		once, err := measure.RunGoBenchmarks(ctx, "^BenchmarkWholePacket$", "-cpu", "1,2", "-benchtime", "0.5s", "./resolver/listen")
		if err != nil {
			return err
		}
		for name, b := range once {
			found[name] = append(found[name], b.Nanoseconds...)
		}
	}
	rows := [][]string{{"benchmark", "ns on 1 processor", "ns on 2", "times as fast"}}
	least := 0.0
	for _, name := range slices.Sorted(maps.Keys(found)) {
		two, ok := found[name+"-2"]
		if !ok || strings.HasSuffix(name, "-2") {
			continue
		}
		faster := found[name].Over(two)
		if least == 0 || faster.Median() < least {
			least = faster.Median()
		}
		rows = append(rows, []string{strings.TrimPrefix(name, "Benchmark"), found[name].Show(0), two.Show(0), faster.Show(2)})
	}
	if err := table("in process", rows); err != nil {
		return err
	}
	fmt.Println()
	verdict(least >= 1.9, "F10 the path in process on two processors: %.2f times as fast, at least 1.9", least)
	return nil
}
