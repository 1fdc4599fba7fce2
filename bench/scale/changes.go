package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"usciere/bench/measure"
	"usciere/bench/testbed"
	"usciere/policy"
	"usciere/policy/admin"
)

// rehearsals is how many names are granted and revoked: two changes each.
const rehearsals = 200

// changes measures how long one change takes to be acknowledged with very many rules, and sees that the very next packet is decided by
// it. What the disk takes for an empty transaction is measured in turns with it.
func (b *bench) changes(ctx context.Context) error {
	r, err := b.of(ctx, sized(b.rules))
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(r.Folder, "floor"))
	if err != nil {
		return err
	}
	defer f.Close()
	progress("%d changes", 2*rehearsals)
	client := admin.Dial(r.Socket())
	defer client.Close()
	var took, floor measure.Figures
	stale := 0
	err = r.process.During(func() error {
		for i := range rehearsals {
			from, office := r.town.Client(i)
			name := fmt.Sprintf("nuovo%04d.example", i)
			began := time.Now()
			made, err := client.AddGrants(ctx, policy.AddGrants{Subject: policy.Subject{Office: testbed.Office(office)}, Names: []string{name},
				Protocol: fmt.Sprintf("%d/2025", 1000+i), Reason: "rehearsal"})
			if err != nil {
				return err
			}
			took = append(took, milliseconds(began))
			stale += wrong(r.Addr, from, name, dns.RcodeSuccess)
			if floor, err = emptyTransaction(f, floor); err != nil {
				return err
			}
			began = time.Now()
			if _, err := client.RevokeGrants(ctx, policy.RevokeGrants{Grants: []policy.GrantID{made.Grants[0].ID}, Reason: "rehearsal"}); err != nil {
				return err
			}
			took = append(took, milliseconds(began))
			stale += wrong(r.Addr, from, name, dns.RcodeRefused)
			if floor, err = emptyTransaction(f, floor); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := table(fmt.Sprintf("one change through the admin socket with %d rules, ms until it is acknowledged", b.rules), [][]string{
		{"", "times", "median", "p99", "most"},
		{"a grant, or its revocation", fmt.Sprint(len(took)), show(took.Median()), show(took.Quantile(0.99)), show(took.Quantile(1))},
		{"the disk alone: 8 KiB, flush, 4 KiB, flush", fmt.Sprint(len(floor)), show(floor.Median()), show(floor.Quantile(0.99)), show(floor.Quantile(1))},
	}); err != nil {
		return err
	}
	beyond := took.Quantile(0.99) - floor.Quantile(0.99)
	fmt.Println()
	verdict(beyond <= 10, "F7 p99 of a change beyond that of the disk alone: %.1f ms, at most 10", beyond)
	verdict(stale == 0, "F7 answers to the very next packet that were by the old rules: %d of %d", stale, len(took))
	return nil
}

func show(ms float64) string { return fmt.Sprintf("%.2f", ms) }

func milliseconds(began time.Time) float64 { return float64(time.Since(began).Microseconds()) / 1000 }

// emptyTransaction does what the store's database does at least for a commit: some pages, then the page that makes them valid, each flushed.
func emptyTransaction(f *os.File, times measure.Figures) (measure.Figures, error) {
	began := time.Now()
	for _, octets := range []int{8 << 10, 4 << 10} {
		if _, err := f.WriteAt(make([]byte, octets), 0); err != nil {
			return nil, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return nil, os.NewSyscallError("fdatasync", err)
		}
	}
	return append(times, milliseconds(began)), nil
}

// wrong is 1 if the reply to one packet has not the response code wanted, or does not come.
func wrong(server netip.AddrPort, from netip.Addr, name string, code int) int {
	client := dns.Client{Dialer: &net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}, Timeout: 2 * time.Second}
	m, _, err := client.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA), server.String())
	if err != nil || m.Rcode != code {
		return 1
	}
	return 0
}
