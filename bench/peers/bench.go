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
	warm, cold rounds
	million    *million
}

// rounds are the figures of one load, round by round.
type rounds struct {
	Micros    measure.Figures `json:"cpu_us"` // of processor time a query
	PerSecond measure.Figures `json:"per_second"`
	Noise     measure.Figures `json:"noise_percent"` // share of both cores that other programs took
	Lost      int             `json:"lost"`
	Completed int             `json:"completed"`
}

// million is a server with very many domains.
type million struct {
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
		if err := s.during(func() error {
			_, err := b.put(s, measure.Load{Queries: file, Time: b.warmUp, Rate: 3000}).Run(ctx)
			return err
		}); err != nil {
			return fmt.Errorf("%s: warm up: %w", s.name, err)
		}
	}
	return b.inTurns(func(round int, s *running) error {
		return b.measure(ctx, s, &s.warm, b.put(s, measure.Load{Queries: file, Time: time.Duration(b.seconds) * time.Second}))
	})
}

// new measures the servers with names that they do not know: in each round others, the same for all.
func (b *bench) new(ctx context.Context) error {
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
		return b.measure(ctx, s, &s.cold, b.put(s, measure.Load{Queries: file, Time: time.Duration(b.seconds) * time.Second, Once: true}))
	})
}

// put directs a load at a server.
func (b *bench) put(s *running, l measure.Load) measure.Load {
	l.Server, l.Cores = s.addr, []int{b.load}
	return l
}

// inTurns takes the servers one after the other, round after round, each round beginning with the next of them.
func (b *bench) inTurns(do func(round int, s *running) error) error {
	for round := range b.rounds {
		for i := range b.servers {
			s := b.servers[(i+round)%len(b.servers)]
			if err := s.during(func() error { return do(round, s) }); err != nil {
				return fmt.Errorf("%s, round %d: %w", s.name, round+1, err)
			}
		}
		progress("round %d of %d", round+1, b.rounds)
	}
	return nil
}

// during lets the server run while something is done.
func (r *running) during(do func() error) error {
	if err := r.process.Resume(); err != nil {
		return fmt.Errorf("it has ended: %w\n%s", err, r.process.Output())
	}
	if err := do(); err != nil {
		return err
	}
	return r.process.Pause()
}

// The most of both cores that other programs may take of a round, and how often it is made again if they do: a server that has to wait
// for its core finds more queries at once when it gets it, and looks cheaper than it is.
const (
	mostNoise = 0.02
	attempts  = 4
)

// measure puts a load on the server and adds what it cost; of several attempts the one with the least noise counts.
func (b *bench) measure(ctx context.Context, s *running, into *rounds, l measure.Load) error {
	best := sample{noise: 2}
	for range attempts {
		got, err := b.sample(ctx, s, l)
		if err != nil {
			return err
		}
		if got.noise < best.noise {
			best = got
		}
		if best.noise <= mostNoise || l.Once { // names are new only once
			break
		}
	}
	into.Micros = append(into.Micros, best.micros)
	into.PerSecond = append(into.PerSecond, best.load.PerSecond)
	into.Noise = append(into.Noise, 100*best.noise)
	into.Lost += best.load.Lost
	into.Completed += best.load.Completed
	return nil
}

// sample is one attempt.
type sample struct {
	micros float64
	load   measure.Result
	noise  float64 // share of both cores that other programs took
}

func (b *bench) sample(ctx context.Context, s *running, l measure.Load) (sample, error) {
	before, err := b.account(s)
	if err != nil {
		return sample{}, err
	}
	began := time.Now()
	result, err := l.Run(ctx)
	if err != nil {
		return sample{}, err
	}
	took := time.Since(began)
	after, err := b.account(s)
	if err != nil {
		return sample{}, err
	}
	if result.Completed == 0 {
		return sample{}, fmt.Errorf("not one query was answered\n%s", s.process.Output())
	}
	server := after.server - before.server
	others := after.busy - before.busy - server - (after.upstream - before.upstream) - result.CPU
	return sample{
		micros: float64(server.Microseconds()) / float64(result.Completed),
		load:   result,
		noise:  max(0, others.Seconds()/(float64(len(b.cores()))*took.Seconds())),
	}, nil
}

// account is processor time so far.
type account struct{ server, upstream, busy time.Duration }

func (b *bench) account(s *running) (a account, err error) {
	if a.server, err = s.process.CPU(); err != nil {
		return a, err
	}
	if a.upstream, err = b.upstream.CPU(); err != nil {
		return a, err
	}
	a.busy, err = measure.Busy(b.cores())
	return a, err
}

// cores are those of load and server.
func (b *bench) cores() []int {
	if b.load == b.server {
		return []int{b.load}
	}
	return []int{b.load, b.server}
}
