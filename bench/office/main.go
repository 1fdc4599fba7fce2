// Command office plays the day of a town hall (bench/officeload) against the resolver, an open loop of 10,000 questions a second from
// 2,000 workstations, checks every reply, and says how long the answers took: of each kind, beside the echo that is the limit of what
// can answer (bench/echo), and while a flood of new names is more than the upstream can take.
//
//	office [--short] [--report FILE]
//	office --write-town DIR [--target ADDR:PORT] [--upstream ADDR:PORT]
//	office --target ADDR:PORT [--upstream ADDR:PORT]
//	office --soak 2h24m
//
// Without --target it starts the program (.build/usciere, from make build) in a folder of its own and sets it up. With it the server is
// one that runs already, set up with what --write-town wrote; it must ask the upstream that this program plays.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"usciere/bench/officeload"
)

// options are what the flags say.
type options struct {
	target     string
	upstream   string
	writeTown  string
	program    string
	report     string
	seed       uint64
	rate       float64       // questions a second
	round      time.Duration // of the morning
	floodRound time.Duration
	rounds     int
	short      bool
	soak       time.Duration
}

// Where the server and its upstream are when they are not started here.
const (
	defaultTarget   = "127.0.0.1:5301"
	defaultUpstream = "127.0.0.1:5302"
)

func main() {
	var o options
	flag.StringVar(&o.target, "target", "", "`ADDR:PORT` of a server that runs already, set up with what --write-town wrote")
	flag.StringVar(&o.upstream, "upstream", "", "`ADDR:PORT` to be the upstream at (with --target or --write-town "+defaultUpstream+", else a free port)")
	flag.StringVar(&o.writeTown, "write-town", "", "write the settings and the town for a server into `DIR`, and end")
	flag.StringVar(&o.program, "program", ".build/usciere", "the `PROGRAM` to start")
	flag.StringVar(&o.report, "report", ".build/bench-office.html", "`FILE` to write the report to; empty: none")
	flag.Uint64Var(&o.seed, "seed", 1, "`NUMBER` that town and day are made of")
	flag.Float64Var(&o.rate, "rate", 10_000, "questions a `second`, in the mean")
	flag.DurationVar(&o.round, "round", 7*time.Second, "how long a round of the morning is")
	flag.DurationVar(&o.floodRound, "flood-round", 3*time.Second, "how long a round with or without the flood is")
	flag.IntVar(&o.rounds, "rounds", 8, "rounds, each against the server and the echo in turn")
	flag.BoolVar(&o.short, "short", false, "one round of 2 s each: checks the answers, says little about latency")
	flag.DurationVar(&o.soak, "soak", 0, "instead of measuring, play the day ten times as fast as life for so `long` (2h24m is all of it), with changes, reloads, faults and a restart")
	flag.Parse()
	if o.short {
		o.round, o.floodRound, o.rounds = 2*time.Second, 2*time.Second, 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

func run(ctx context.Context, o options) error {
	if flag.NArg() > 0 || o.rounds < 1 || o.soak != 0 && (o.soak < 10*time.Second || o.target != "") || o.rate <= 0 || o.round <= 0 || o.floodRound <= 0 {
		return errors.New("see --help: no arguments; rounds, their lengths and the rate above 0; a soak of 10 s at least, of a server that is started here")
	}
	town := officeload.New(o.seed)
	if o.writeTown != "" {
		return writeTown(town, o)
	}
	b := &bench{options: o, town: town}
	defer b.close()
	if err := b.open(ctx); err != nil {
		return err
	}
	if o.soak > 0 {
		return b.runSoak(ctx)
	}
	f, err := b.run(ctx)
	if err != nil {
		return err
	}
	f.print(os.Stdout)
	if o.report != "" {
		if err := f.writeReport(o.report); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		fmt.Println("report   ", o.report)
	}
	return f.verdict()
}

func writeTown(town *officeload.Town, o options) error {
	target, err := netip.ParseAddrPort(orDefault(o.target, defaultTarget))
	if err != nil {
		return fmt.Errorf("--target: %w", err)
	}
	up, err := netip.ParseAddrPort(orDefault(o.upstream, defaultUpstream))
	if err != nil {
		return fmt.Errorf("--upstream: %w", err)
	}
	if err := os.MkdirAll(o.writeTown, 0o755); err != nil {
		return err
	}
	if err := town.Write(o.writeTown, target, up); err != nil {
		return err
	}
	settings, townFile := filepath.Join(o.writeTown, officeload.SettingsFile), filepath.Join(o.writeTown, officeload.TownFile)
	fmt.Printf("wrote     %s, %s and two zones\nthen      usciere serve --config %s\n          usciere apply --socket %s -f %s\n          office --target %s --upstream %s\n",
		settings, townFile, settings, filepath.Join(o.writeTown, officeload.Socket), townFile, target, up)
	return nil
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
