package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/miekg/dns"

	"usciere/bench/measure"
	"usciere/bench/testbed"
)

// bigStart is how long a server may take for the preparation and for the start with very many domains.
const bigStart = 5 * time.Minute

// startBigOnes starts each server once more with very many domains, on both cores.
func (b *bench) startBigOnes(ctx context.Context) {
	for _, s := range b.servers {
		if s.limit {
			continue
		}
		progress("%s with %d domains", s.name, b.domains)
		s.big = &big{}
		if err := b.startBig(ctx, s); err != nil {
			s.big.Failed = err.Error()
			progress("%s: %v", s.name, err)
		}
	}
}

func (b *bench) startBig(ctx context.Context, s *running) (err error) {
	ctx, stop := context.WithTimeout(ctx, bigStart)
	defer stop()
	in := setup{program: s.program, folder: filepath.Join(b.folder, s.name+"-big"), addr: b.address(len(b.servers) + 1), upstream: b.upstream.Addr,
		domains: b.domains, core: b.server}
	if err := os.MkdirAll(in.folder, 0o755); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(in.folder)) }()
	args, err := s.prepare(ctx, in)
	if err != nil {
		return err
	}
	p, err := measure.Start(ctx, b.cores(), in.folder, s.program, args...)
	if err != nil {
		return err
	}
	defer p.Stop()
	if s.big.Start, err = p.Await(ctx, in.addr, testbed.Domain(in.domains-1), dns.RcodeSuccess); err != nil {
		return err
	}
	if err := isRefused(in.addr, testbed.Blocked(0)); err != nil {
		return err
	}
	s.big.Memory, err = p.Memory()
	return err
}
