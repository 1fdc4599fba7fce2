// Command peers gives the same job to Usciere, to the servers of others that are installed, and to the echo that is the limit, and
// measures what it costs each of them: processor time a query from the cache and for new names, and start and memory with a million
// domains. It installs nothing.
//
//	peers [--rounds N] [--seconds N] [--only NAME,…] [--json FILE] --usciere FILE --echo FILE
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

type options struct {
	rounds, seconds, port int
	domains               int
	only                  string
	json                  string
	programs              map[string]string // where a server's program is, by its name
	cold                  bool
	warmUp                time.Duration
}

func main() {
	o := options{programs: map[string]string{}}
	flag.IntVar(&o.rounds, "rounds", 5, "how often each server is measured, in turns")
	flag.IntVar(&o.seconds, "seconds", 6, "how long each time")
	flag.IntVar(&o.port, "port", 5400, "the first of the ports of 127.0.0.1 that are used")
	flag.IntVar(&o.domains, "domains", 1_000_000, "domains of the measurement of start and memory; 0 leaves it out")
	flag.StringVar(&o.only, "only", "", "names of servers, with commas; empty: all that are installed")
	flag.StringVar(&o.json, "json", "", "file for the figures")
	short := flag.Bool("short", false, "a quick look: no new names, no million domains, 3 rounds of 2 seconds")
	for _, name := range []string{"usciere", "echo", "coredns"} {
		flag.Func(name, "program of "+name, func(path string) (err error) {
			o.programs[name], err = filepath.Abs(path)
			return err
		})
	}
	flag.Parse()
	o.cold, o.warmUp = !*short, 12*time.Second
	if *short {
		o.rounds, o.seconds, o.domains, o.warmUp = 3, 2, 0, 4*time.Second
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	found, err := look(o)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "usciere-peers-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	b, err := newBench(ctx, o, folder)
	if err != nil {
		return err
	}
	defer b.close()
	if err := b.startAll(ctx, found); err != nil {
		return err
	}
	if err := b.warm(ctx); err != nil {
		return err
	}
	if o.cold {
		if err := b.unknown(ctx); err != nil {
			return err
		}
	}
	if o.domains > 0 {
		b.startBigOnes(ctx)
	}
	if err := b.report(os.Stdout); err != nil {
		return err
	}
	if o.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(b.results(), "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, append(text, '\n'), 0o644)
}

// look finds the programs, and says how to get those that are missing.
func look(o options) ([]*server, error) {
	for _, needed := range [][2]string{{"nsd", "nsd"}, {"nsd-control", "nsd"}, {"dnsperf", "dnsperf"}} {
		if _, err := exec.LookPath(needed[0]); err != nil {
			return nil, fmt.Errorf("%s is missing (is /usr/sbin on the PATH?): apt-get install %s", needed[0], needed[1])
		}
	}
	var found []*server
	var missing []string
	for _, s := range servers() {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), s.name) {
			continue
		}
		path, given := o.programs[s.name]
		if !given {
			path, _ = exec.LookPath(s.program)
		}
		switch {
		case path != "":
			s.program = path
			found = append(found, s)
		case s.debian != "":
			missing = append(missing, s.debian)
		}
	}
	if len(missing) > 0 {
		fmt.Println("not installed, and left out: apt-get install --no-install-recommends", strings.Join(missing, " "))
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no server of these: %s", o.only)
	}
	return found, nil
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
