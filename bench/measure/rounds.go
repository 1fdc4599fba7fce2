package measure

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Meter reads what a server costs while a load is on it.
type Meter struct {
	Server *Process
	Others []*Process // that work for the load, such as an upstream
	Cores  []int      // of all of them
}

// Rounds are the figures of one server under one load, round by round.
type Rounds struct {
	Micros    Figures `json:"cpu_us"` // of processor time a query
	PerSecond Figures `json:"per_second"`
	Noise     Figures `json:"noise_percent"` // share of the cores that other programs took
	Lost      int     `json:"lost"`
	Completed int     `json:"completed"`
}

// The most of the cores that other programs may take of a round, and how often it is made if they take more: a server that has to wait
// for its core finds more queries at once when it gets it, and looks cheaper than it is.
const (
	mostNoise = 2 // percent
	attempts  = 4
)

// Add measures a round. Of several attempts the one with the least noise counts; there is only one if the load cannot be repeated.
func (r *Rounds) Add(ctx context.Context, m Meter, repeatable bool, load func(context.Context) (Result, error)) error {
	best := sample{noise: 1000}
	for range attempts {
		got, err := m.sample(ctx, load)
		if err != nil {
			return err
		}
		if got.noise < best.noise {
			best = got
		}
		if best.noise <= mostNoise || !repeatable {
			break
		}
	}
	r.Micros = append(r.Micros, best.micros)
	r.PerSecond = append(r.PerSecond, best.PerSecond)
	r.Noise = append(r.Noise, best.noise)
	r.Lost += best.Lost
	r.Completed += best.Completed
	return nil
}

// sample is one attempt.
type sample struct {
	Result
	micros, noise float64
}

func (m Meter) sample(ctx context.Context, load func(context.Context) (Result, error)) (sample, error) {
	before, err := m.read()
	if err != nil {
		return sample{}, err
	}
	began := time.Now()
	result, err := load(ctx)
	if err != nil {
		return sample{}, err
	}
	available := time.Since(began) * time.Duration(len(m.Cores))
	after, err := m.read()
	if err != nil {
		return sample{}, err
	}
	if result.Completed == 0 {
		return sample{}, errors.New("not one query was answered\n" + m.Server.Output())
	}
	server := after.server - before.server
	strangers := (after.busy - before.busy) - server - (after.others - before.others) - result.CPU
	return sample{
		Result: result,
		micros: float64(server.Microseconds()) / float64(result.Completed),
		noise:  100 * max(0, strangers.Seconds()/available.Seconds()),
	}, nil
}

// reading is processor time so far.
type reading struct{ server, others, busy time.Duration }

func (m Meter) read() (r reading, err error) {
	if r.server, err = m.Server.CPU(); err != nil {
		return r, err
	}
	for _, p := range m.Others {
		used, err := p.CPU()
		if err != nil {
			return r, err
		}
		r.others += used
	}
	r.busy, err = Busy(m.Cores)
	return r, err
}

// InTurns takes paused servers one after the other, round after round, each round beginning with the next of them, and lets each run
// only in its turn.
func InTurns(rounds int, servers []*Process, do func(round, i int) error) error {
	for round := range rounds {
		for n := range servers {
			i := (n + round) % len(servers)
			if err := servers[i].During(func() error { return do(round, i) }); err != nil {
				return fmt.Errorf("%s, round %d: %w", servers[i].name, round+1, err)
			}
		}
	}
	return nil
}

// During lets a paused program run while something is done.
func (p *Process) During(do func() error) error {
	if err := p.Resume(); err != nil {
		return fmt.Errorf("it has ended: %w\n%s", err, p.Output())
	}
	return errors.Join(do(), p.Pause())
}
