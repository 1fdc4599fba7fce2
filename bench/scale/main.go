// Command scale measures how the cost of Usciere grows: with domain rules, offices, clients and cores; how long a start takes and what
// memory it needs with many rules; and how long a change takes to be acknowledged, and to be in force.
//
//	scale [--rounds N] [--seconds N] [--rules N] [--towns FOLDER] --usciere FILE --echo FILE
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"usciere/bench/measure"
	"usciere/bench/testbed"
)

type options struct {
	rounds, seconds, port int
	rules                 int
	program, limit, towns string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often each point of a curve is measured, in turns")
	flag.IntVar(&o.seconds, "seconds", 3, "how long each time")
	flag.IntVar(&o.port, "port", 5400, "the first of the ports of 127.0.0.1 that are used")
	flag.IntVar(&o.rules, "rules", 1_000_000, "domain rules of the largest town")
	flag.StringVar(&o.program, "usciere", "usciere", "program")
	flag.StringVar(&o.limit, "echo", "echo", "program of bench/echo")
	flag.StringVar(&o.towns, "towns", "", "folder that keeps the stores that were built, for the next run; they take minutes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	if o.rules < 100*offices {
		return fmt.Errorf("--rules %d: the largest town has at least %d, so that the smaller ones have some for every office", o.rules, 100*offices)
	}
	if o.program, err = filepath.Abs(o.program); err != nil {
		return err
	}
	if o.limit, err = filepath.Abs(o.limit); err != nil {
		return err
	}
	b := &bench{options: o, towns: map[town]*running{}, echoes: map[int]*echo{}}
	if b.folder, err = os.MkdirTemp("", "usciere-scale-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.folder)) }()
	if b.options.towns == "" {
		b.options.towns = filepath.Join(b.folder, "towns")
	}
	if b.load, b.server, err = measure.Cores(); err != nil {
		return err
	}
	if b.upstream, err = testbed.StartUpstream(ctx, filepath.Join(b.folder, "nsd"), []int{b.load}, b.address()); err != nil {
		return err
	}
	defer b.close()
	fmt.Printf("%s\n%d rounds of %d s in turns; median (least–greatest); CPU is the server process's own, user and kernel, a query answered\n",
		measure.Machine(time.Now()), o.rounds, o.seconds)
	for _, part := range []func(context.Context) error{b.starts, b.curves, b.changes, inProcess} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// verdict prints whether a target is met.
func verdict(met bool, format string, args ...any) {
	is := "missed"
	if met {
		is = "met"
	}
	fmt.Printf("%-6s  %s\n", is, fmt.Sprintf(format, args...))
}

func table(title string, rows [][]string) error {
	fmt.Printf("\n%s\n\n", title)
	return measure.WriteTable(os.Stdout, rows)
}
