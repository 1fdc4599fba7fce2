package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"usciere/bench/testbed"
)

// check asks a server that has just been started for names of each kind and says what is wrong: names that are not allowed are REFUSED
// and never reach the upstream; the others have the right address, first from the upstream and then from the cache.
func check(ctx context.Context, addr netip.AddrPort, upstream *testbed.Upstream) error {
	steps := []struct {
		ask  func(netip.AddrPort) error
		asks bool // the upstream
		is   string
	}{
		{askBlocked, false, "names that are not allowed"},
		{askAllowed, true, "names asked for the first time"},
		{askAllowed, false, "names asked for again"},
		{askBlocked, false, "names that are not allowed, again"},
	}
	before, err := upstream.Queries(ctx)
	if err != nil {
		return err
	}
	for _, step := range steps {
		if err := step.ask(addr); err != nil {
			return err
		}
		now, err := upstream.Queries(ctx)
		if err != nil {
			return err
		}
		if asked := now - before; (asked > 0) != step.asks {
			return fmt.Errorf("%s made it ask the upstream %d times", step.is, asked)
		}
		before = now
	}
	return nil
}

// checked is how many domains are looked at, and stride how far apart they are.
const checked, stride = 20, 23

func askAllowed(addr netip.AddrPort) error {
	for i := 0; i < checked*stride; i += stride {
		domain := testbed.Domain(i)
		for _, name := range []string{domain, "www." + domain, "a.b.c." + domain} {
			if err := hasAddress(addr, name, testbed.Address(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func askBlocked(addr netip.AddrPort) error {
	for i := range checked {
		other := testbed.Blocked(i)
		for _, name := range []string{other, "www." + other, "x" + testbed.Domain(i), "example", "www.example.org"} {
			if err := isRefused(addr, name); err != nil {
				return err
			}
		}
	}
	return nil
}

var client = dns.Client{Timeout: 2 * time.Second}

func exchange(addr netip.AddrPort, name string) (*dns.Msg, error) {
	m, _, err := client.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA), addr.String())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

func hasAddress(addr netip.AddrPort, name string, want netip.Addr) error {
	m, err := exchange(addr, name)
	if err != nil {
		return err
	}
	if m.Rcode != dns.RcodeSuccess || len(m.Answer) != 1 {
		return fmt.Errorf("%s is allowed, and got %s with %d records", name, dns.RcodeToString[m.Rcode], len(m.Answer))
	}
	if a, ok := m.Answer[0].(*dns.A); !ok || a.A.String() != want.String() {
		return fmt.Errorf("%s has the address %s, and got %s", name, want, m.Answer[0])
	}
	return nil
}

func isRefused(addr netip.AddrPort, name string) error {
	m, err := exchange(addr, name)
	if err != nil {
		return err
	}
	if m.Rcode != dns.RcodeRefused {
		return fmt.Errorf("%s is to be REFUSED, and got %s with %d records", name, dns.RcodeToString[m.Rcode], len(m.Answer))
	}
	return nil
}
