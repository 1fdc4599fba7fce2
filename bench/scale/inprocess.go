package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usciere/bench/measure"
)

// inProcess runs the Go benchmarks of the whole query path, from a batch of questions to one of replies, on one processor and on two.
func inProcess(ctx context.Context) error {
	found, err := measure.RunGoBenchmarks(ctx, "^BenchmarkWholePacket$", "-cpu", "1,2", "-count", "8", "-benchtime", "0.5s", "./resolver/listen")
	if err != nil {
		return err
	}
	rows := [][]string{{"benchmark", "ns on 1 processor", "ns on 2", "times as fast, by the least"}}
	least := 0.0
	for _, name := range slices.Sorted(maps.Keys(found)) {
		two, ok := found[name+"-2"]
		if !ok || strings.HasSuffix(name, "-2") {
			continue
		}
		// The least of each: other programs and a processor that cools down only make it slower.
		faster := found[name].Nanoseconds.Quantile(0) / two.Nanoseconds.Quantile(0)
		if least == 0 || faster < least {
			least = faster
		}
		rows = append(rows, []string{strings.TrimPrefix(name, "Benchmark"), found[name].Nanoseconds.Show(0), two.Nanoseconds.Show(0), fmt.Sprintf("%.2f", faster)})
	}
	if err := table("in process", rows); err != nil {
		return err
	}
	fmt.Println()
	verdict(least >= 1.9, "F10 the path in process on two processors: %.2f times as fast, at least 1.9", least)
	return nil
}
