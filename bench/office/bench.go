package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"time"

	"usciere/bench/officeload"
)

// bench is the servers of a run with their load.
type bench struct {
	options
	town     *officeload.Town
	folder   string
	upstream *upstream
	resolver *server
	echo     *server
	players  map[*server]*player
	fresh    uint64 // of the last play
}

// open starts what is needed.
func (b *bench) open(ctx context.Context) (err error) {
	if b.folder, err = os.MkdirTemp("", "usciere-office-"); err != nil {
		return err
	}
	text := b.options.upstream
	if text == "" && b.target != "" {
		text = defaultUpstream
	}
	at, err := netip.ParseAddrPort(orDefault(text, "127.0.0.1:0"))
	if err != nil {
		return fmt.Errorf("--upstream: %w", err)
	}
	if b.upstream, err = startUpstream(at); err != nil {
		return err
	}
	if err := b.openResolver(ctx); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	if b.echo, err = startEcho(ctx, b.folder, port); err != nil {
		return err
	}
	b.players = map[*server]*player{}
	for _, s := range []*server{b.resolver, b.echo} {
		if b.players[s], err = newPlayer(s.addr); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) openResolver(ctx context.Context) error {
	if b.target != "" {
		addr, err := netip.ParseAddrPort(b.target)
		if err != nil {
			return fmt.Errorf("--target: %w", err)
		}
		b.resolver = &server{addr: addr}
		return nil
	}
	addr, err := freePort()
	if err != nil {
		return err
	}
	if err := b.town.Write(b.folder, addr, b.upstream.addr()); err != nil {
		return err
	}
	if b.soak > 0 {
		if err := addSettings(b.folder, soakSettings); err != nil {
			return err
		}
	}
	b.resolver, err = startUsciere(ctx, b.program, b.folder, addr)
	return err
}

func (b *bench) close() {
	for _, p := range b.players {
		p.close()
	}
	for _, s := range []*server{b.resolver, b.echo} {
		if s != nil {
			s.stop()
		}
	}
	if b.upstream != nil {
		b.upstream.stop()
	}
	if b.folder != "" {
		_ = os.RemoveAll(b.folder)
	}
}

// turn is one play against one server, and what it cost that.
type turn struct {
	*result
	cpu          time.Duration
	hits, misses uint64 // of the answer cache
}

// perQuery is the processor time a reply.
func (t turn) perQuery() time.Duration { return t.cpu / time.Duration(max(t.answered(), 1)) }

func (b *bench) play(ctx context.Context, s *server, events []officeload.Event, rules rules) (turn, error) {
	cpu, err := s.cpu()
	if err != nil {
		return turn{}, err
	}
	hits, misses, err := s.cache(ctx)
	if err != nil {
		return turn{}, err
	}
	t := turn{}
	if t.result, err = b.players[s].play(ctx, events, rules); err != nil {
		return turn{}, err
	}
	after, err := s.cpu()
	if err != nil {
		return turn{}, err
	}
	t.cpu = after - cpu
	nowHits, nowMisses, err := s.cache(ctx)
	t.hits, t.misses = nowHits-hits, nowMisses-misses
	return t, err
}

const (
	warmRate   = 6000 // questions a second of the warm-up: all of them go to the upstream
	warmPasses = 5
)

// warm asks all that can be cached until the upstream is not asked any more, and says how many questions that are.
func (b *bench) warm(ctx context.Context) (int, error) {
	events := b.town.Warm(warmRate)
	for range warmPasses {
		before := b.upstream.asked.Load()
		t, err := b.play(ctx, b.resolver, events, rules{verdicts: true, warming: true})
		switch {
		case err != nil:
			return 0, err
		case t.Wrong > 0:
			return 0, fmt.Errorf("%d of %d answers of the warm-up are wrong: is the server set up with what --write-town wrote? The first: %s", t.Wrong, len(events), t.First)
		case b.upstream.asked.Load() == before && t.Lost[officeload.Cached]+t.Failed[officeload.Cached] == 0:
			return len(events), nil
		}
	}
	return 0, fmt.Errorf("after %d times the same %d questions the server still asks its upstream, fails or loses some: is its cache large enough, and does it ask %s?", warmPasses, len(events), b.upstream.addr())
}

// The times of day that are played around: the middle of the log-on, and of the morning's work.
var logonMiddle, workMiddle = officeload.Clock(8, 0), officeload.Clock(10, 30)

// parts are the rounds of a length each, which follow each other around a time of day, played so fast that the questions come at the
// rate of the run in the mean.
func (b *bench) parts(middle, length time.Duration) []officeload.Play {
	whole := time.Duration(b.rounds) * length
	// The faster, the more of the day is played, and that changes the town's own rate: a few steps come near enough.
	from, to := middle-time.Minute, middle+time.Minute
	speed := 1.0
	for range 5 {
		speed = b.rate / b.town.Rate(from, to)
		half := time.Duration(float64(whole) * speed / 2)
		from, to = middle-half, middle+half
	}
	var parts []officeload.Play
	for i := range b.rounds {
		span := (to - from) / time.Duration(b.rounds)
		parts = append(parts, officeload.Play{From: from + time.Duration(i)*span, To: from + time.Duration(i+1)*span, Speed: speed})
	}
	return parts
}

// events are those of a part, with first-time names that were never asked in this run.
func (b *bench) events(p *officeload.Play) []officeload.Event {
	b.fresh++
	p.Fresh = b.fresh
	return b.town.Events(*p)
}

// What the upstream takes while there is a flood, and how much more than that the flood is.
const (
	upstreamRate = 500 // questions a second
	floodTimes   = 3
)

// run plays the morning, then the flood.
func (b *bench) run(ctx context.Context) (*figures, error) {
	f := &figures{options: b.options, started: time.Now(), machine: machine(), load: b.town.Load(0, 24*time.Hour, loadStep)}
	var err error
	if f.warmed, err = b.warm(ctx); err != nil {
		return nil, err
	}
	checked := rules{verdicts: true}
	f.morning = b.parts(logonMiddle, b.round)
	for _, p := range f.morning {
		events := b.events(&p)
		if err := b.turns(ctx, &f.resolver, b.resolver, events, checked); err != nil {
			return nil, err
		}
		if err := b.turns(ctx, &f.echo, b.echo, events, rules{}); err != nil {
			return nil, err
		}
	}
	if f.rss, err = b.resolver.rss(); err != nil {
		return nil, err
	}
	b.upstream.pace(upstreamRate)
	for _, p := range b.parts(workMiddle, b.floodRound) {
		if err := b.turns(ctx, &f.calm, b.resolver, b.events(&p), checked); err != nil {
			return nil, err
		}
		events := b.town.WithFlood(b.events(&p), p, floodTimes*upstreamRate)
		if err := b.turns(ctx, &f.flood, b.resolver, events, rules{verdicts: true, overload: true}); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// turns plays once more and keeps the figures.
func (b *bench) turns(ctx context.Context, to *[]turn, s *server, events []officeload.Event, rules rules) error {
	t, err := b.play(ctx, s, events, rules)
	*to = append(*to, t)
	return err
}
