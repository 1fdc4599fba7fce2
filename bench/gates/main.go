// Command gates is the short measured run for every change: it fails when the query path allocates, when deciding costs more with many
// rules, or when the built binary costs far more than the echo does in the same run. Its bounds are wide, so that they hold on a noisy
// machine: they find a mistake, not a few per cent.
//
//	gates --peers FILE --usciere FILE --echo FILE
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"usciere/bench/measure"
)

// The bounds.
const (
	mostOverEcho = 1.6 // processor time a query of the binary over that of the echo
	mostOverFew  = 3.0 // time to decide at 1 M rules over that at 500: what the processor's caches no longer hold
)

// free are the benchmarks that must not allocate.
const free = "^Benchmark(Decide|Who|Exists|CacheHit|Read|Relay|Sinkhole|WholePacket)$"

func main() {
	peers := flag.String("peers", ".build/peers", "program of bench/peers")
	usciere := flag.String("usciere", ".build/usciere", "program")
	echo := flag.String("echo", ".build/echo", "program of bench/echo")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := errors.Join(allocations(ctx), deciding(ctx), overEcho(ctx, *peers, *usciere, *echo)); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func allocations(ctx context.Context) error {
	found, err := measure.RunGoBenchmarks(ctx, free, "-short", "-benchmem", "-benchtime", "20000x", "-cpu", "1",
		"./policy", "./resolver/wire", "./resolver/answercache", "./resolver/listen")
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return errors.New("no benchmark of the query path was found: have they been renamed?")
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if n := found[name].Allocations.Median(); n != 0 {
			err = errors.Join(err, fmt.Errorf("%s: %.0f allocations a query, and there may be none", name, n))
		}
	}
	fmt.Printf("allocations: %d benchmarks of the query path\n", len(found))
	return err
}

func deciding(ctx context.Context) error {
	found, err := measure.RunGoBenchmarks(ctx, "^BenchmarkDecide$/^(500|1M)$", "-benchtime", "0.3s", "-count", "3", "-cpu", "1", "./policy")
	if err != nil {
		return err
	}
	for _, kind := range []string{"granted", "sinkholed"} {
		// The least of each: other programs only make it slower.
		few, many := found["BenchmarkDecide/500/"+kind].Nanoseconds.Quantile(0), found["BenchmarkDecide/1M/"+kind].Nanoseconds.Quantile(0)
		if few == 0 || many == 0 {
			return errors.New("BenchmarkDecide was not found: has it been renamed?")
		}
		text := fmt.Sprintf("decide, %s: %.0f ns with 1 M rules, %.0f ns with 500: %.2f times, at most %.1f", kind, many, few, many/few, mostOverFew)
		fmt.Println(text)
		if many/few > mostOverFew {
			err = errors.Join(err, errors.New(text))
		}
	}
	return err
}

func overEcho(ctx context.Context, peers, usciere, echo string) (err error) {
	folder, err := os.MkdirTemp("", "usciere-gates-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	file := filepath.Join(folder, "figures.json")
	out, err := exec.CommandContext(ctx, peers, "--short", "--only", "usciere,echo", "--json", file, "--usciere", usciere, "--echo", echo).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var figures struct {
		Servers []struct {
			Name string         `json:"name"`
			Warm measure.Rounds `json:"warm"`
		} `json:"servers"`
	}
	if err := json.Unmarshal(text, &figures); err != nil {
		return err
	}
	cost := map[string]measure.Figures{}
	for _, s := range figures.Servers {
		cost[s.Name] = s.Warm.Micros
	}
	ratio := cost["usciere"].Over(cost["echo"])
	said := fmt.Sprintf("from the cache: usciere %s, the echo %s µs CPU a query: %s times, at most %.1f", cost["usciere"].Show(2), cost["echo"].Show(2),
		ratio.Show(2), mostOverEcho)
	fmt.Println(said)
	if ratio.Median() > mostOverEcho {
		return errors.New(said)
	}
	return nil
}
