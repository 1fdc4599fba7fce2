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

// bench is a run: the upstream, and a daemon for each town that was asked for, paused.
type bench struct {
	options
	folder       string
	load, server int // cores
	upstream     *testbed.Upstream
	ports        int // given away
	towns        map[town]*running
	echoes       map[int]*echo // by the cores that they have
}

// echo is the program that only sends datagrams back.
type echo struct {
	addr    netip.AddrPort
	process *measure.Process
}

// echoOn is the echo on as many cores, with a reader on each, paused.
func (b *bench) echoOn(ctx context.Context, cores int) (*echo, error) {
	if e := b.echoes[cores]; e != nil {
		return e, nil
	}
	on := []int{b.server}
	if cores == 2 {
		on = []int{b.load, b.server}
	}
	e := &echo{addr: b.address()}
	folder := filepath.Join(b.folder, fmt.Sprint("echo-", cores))
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	var err error
	if e.process, err = measure.Start(ctx, on, folder, b.limit, "--how", "runtime", "--readers", fmt.Sprint(cores), e.addr.String()); err != nil {
		return nil, err
	}
	b.echoes[cores] = e
	if _, err := e.process.Await(ctx, e.addr, testbed.Blocked(0), dns.RcodeRefused); err != nil {
		return nil, err
	}
	return e, e.process.Pause()
}

// town is a daemon's rules, and on how many cores it runs.
type town struct {
	testbed.Town
	cores int
}

// running is the daemon of a town.
type running struct {
	testbed.Usciere
	town    testbed.Town
	cores   []int
	process *measure.Process
}

func (b *bench) address() netip.AddrPort {
	b.ports++
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(b.port+b.ports-1))
}

func (b *bench) close() {
	for _, r := range b.towns {
		r.process.Stop()
	}
	for _, e := range b.echoes {
		e.process.Stop()
	}
	b.upstream.Stop()
}

// prepare makes a daemon of a town that is not started: it has a copy of the town's store, which is built if it is not there.
func (b *bench) prepare(t town) (*running, error) {
	key := fmt.Sprintf("%d-%d-%d", t.Rules, t.Offices, t.Services)
	built := filepath.Join(b.options.towns, key)
	if _, err := os.Stat(built); err != nil {
		progress("building the town %s (rules, offices, services)", key)
		if err := t.Build(built + ".new"); err != nil {
			return nil, err
		}
		if err := os.Rename(built+".new", built); err != nil {
			return nil, err
		}
	}
	r := &running{town: t.Town, cores: []int{b.server}}
	if t.cores == 2 {
		r.cores = []int{b.load, b.server}
	}
	r.Usciere = testbed.Usciere{Program: b.program, Folder: filepath.Join(b.folder, fmt.Sprintf("%s-%d", key, b.ports)), Addr: b.address()}
	if err := r.Configure(b.upstream.Addr); err != nil {
		return nil, err
	}
	return r, os.CopyFS(filepath.Join(r.Folder, "state"), os.DirFS(built))
}

// startTime is how long a start may take to the first answer.
const startTime = 2 * time.Minute

// start starts the daemon and returns how long it took to the first answer.
func (r *running) start(ctx context.Context) (took time.Duration, err error) {
	if r.process, err = r.Start(ctx, r.cores); err != nil {
		return 0, err
	}
	waiting, stop := context.WithTimeout(ctx, startTime)
	defer stop()
	if took, err = r.process.Await(waiting, r.Addr, testbed.Blocked(0), dns.RcodeRefused); err != nil {
		r.process.Stop()
	}
	return took, err
}

// of is the daemon of a town, started if it was not, and paused.
func (b *bench) of(ctx context.Context, t town) (*running, error) {
	if r, found := b.towns[t]; found {
		return r, nil
	}
	r, err := b.prepare(t)
	if err != nil {
		return nil, err
	}
	if _, err := r.start(ctx); err != nil {
		return nil, err
	}
	b.towns[t] = r
	return r, r.process.Pause()
}
