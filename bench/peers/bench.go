package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/miekg/dns"

	"usciere/bench/measure"
	"usciere/bench/testbed"
)

// bench is a run: the upstream, the servers that do the job, and what was measured of them.
type bench struct {
	options
	folder       string
	load, server int // cores
	upstream     *testbed.Upstream
	servers      []*running
	notDoing     []string // the job, with why
}

// running is a server that was started with the job, and its figures.
type running struct {
	*server
	addr    netip.AddrPort
	process *measure.Process

	release    string // its version
	warm, cold measure.Rounds
	big        *big
}

// big is a server with very many domains.
type big struct {
	Start  time.Duration  `json:"start_ns"` // until the first answer for a name that is allowed
	Memory measure.Memory `json:"memory"`
	Failed string         `json:"failed,omitempty"`
}

func newBench(ctx context.Context, o options, folder string) (*bench, error) {
	b := &bench{options: o, folder: folder}
	var err error
	if b.load, b.server, err = measure.Cores(); err != nil {
		return nil, err
	}
	if b.load == b.server {
		progress("only one core: the load takes from the servers what it measures")
	}
	if b.upstream, err = testbed.StartUpstream(ctx, filepath.Join(folder, "nsd"), []int{b.load}, b.address(0)); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *bench) address(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(b.port+i))
}

func (b *bench) close() {
	for _, s := range b.servers {
		s.process.Stop()
	}
	b.upstream.Stop()
}

// startAll starts the servers and keeps those that do the job, paused.
func (b *bench) startAll(ctx context.Context, found []*server) error {
	for i, s := range found {
		r, err := b.start(ctx, s, b.address(i+1))
		if err != nil {
			if s.limit || s.name == "usciere" {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			b.notDoing = append(b.notDoing, fmt.Sprintf("%s is not doing the job: %v", s.name, err))
			progress("%s", b.notDoing[len(b.notDoing)-1])
			continue
		}
		b.servers = append(b.servers, r)
		progress("%s %s does the job", s.name, r.release)
	}
	return ctx.Err()
}

// startTime is how long a server may take to its first answer.
const startTime = 30 * time.Second

func (b *bench) start(ctx context.Context, s *server, addr netip.AddrPort) (*running, error) {
	r := &running{server: s, addr: addr, release: s.tellVersion(ctx, s.program)}
	in := setup{program: s.program, folder: filepath.Join(b.folder, s.name), addr: addr, upstream: b.upstream.Addr, domains: testbed.Domains, core: b.server}
	if err := os.MkdirAll(in.folder, 0o755); err != nil {
		return nil, err
	}
	args, err := s.prepare(ctx, in)
	if err != nil {
		return nil, err
	}
	if r.process, err = measure.Start(ctx, []int{b.server}, in.folder, s.program, args...); err != nil {
		return nil, err
	}
	if err := b.ready(ctx, r); err != nil {
		r.process.Stop()
		return nil, err
	}
	return r, nil
}

// ready waits for a server, sees that it does the job, and pauses it.
func (b *bench) ready(ctx context.Context, r *running) error {
	waiting, stop := context.WithTimeout(ctx, startTime)
	defer stop()
	first := dns.RcodeSuccess
	if r.limit {
		first = dns.RcodeRefused
	}
	if _, err := r.process.Await(waiting, r.addr, testbed.Domain(testbed.Domains-1), first); err != nil {
		return err
	}
	if !r.limit {
		if err := check(ctx, r.addr, b.upstream); err != nil {
			return err
		}
	}
	return r.process.Pause()
}

// warm measures the servers with names that they know.
func (b *bench) warm(ctx context.Context) error {
	file := filepath.Join(b.folder, "warm")
	if err := testbed.WarmQueries(file); err != nil {
		return err
	}
	for _, s := range b.servers {
		warmUp := measure.Load{Server: s.addr, Queries: file, Time: b.warmUp, Rate: 3000, Cores: []int{b.load}}
		if err := s.process.During(func() error {
			_, err := warmUp.Run(ctx)
			return err
		}); err != nil {
			return fmt.Errorf("%s: warm up: %w", s.name, err)
		}
	}
	progress("warmed up")
	return b.inTurns(func(round int, s *running) error {
		load := measure.Load{Server: s.addr, Queries: file, Time: b.length(), Cores: []int{b.load}}
		return s.warm.Add(ctx, b.meter(s), true, load.Run)
	})
}

// unknown measures the servers with names that they do not know: in each round others, the same for all.
func (b *bench) unknown(ctx context.Context) error {
	const fastest = 100_000 // queries a second that no server reaches
	file := filepath.Join(b.folder, "new")
	written := -1
	return b.inTurns(func(round int, s *running) error {
		if s.limit {
			return nil
		}
		if written != round {
			if err := testbed.NewQueries(file, fastest*b.seconds, round); err != nil {
				return err
			}
			written = round
		}
		load := measure.Load{Server: s.addr, Queries: file, Time: b.length(), Once: true, Cores: []int{b.load}}
		return s.cold.Add(ctx, b.meter(s), false, load.Run)
	})
}

func (b *bench) length() time.Duration { return time.Duration(b.seconds) * time.Second }

func (b *bench) meter(s *running) measure.Meter {
	return measure.Meter{Server: s.process, Others: []*measure.Process{b.upstream.Process}, Cores: b.cores()}
}

// cores are those of load and servers.
func (b *bench) cores() []int {
	if b.load == b.server {
		return []int{b.load}
	}
	return []int{b.load, b.server}
}

func (b *bench) inTurns(do func(round int, s *running) error) error {
	var processes []*measure.Process
	for _, s := range b.servers {
		processes = append(processes, s.process)
	}
	return measure.InTurns(b.rounds, processes, func(round, i int) error {
		progress("round %d of %d: %s", round+1, b.rounds, b.servers[i].name)
		return do(round, b.servers[i])
	})
}
