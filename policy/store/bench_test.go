package store

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"usciere/policy"
)

// grants fills a store with so many grants.
func grants(b *testing.B, s *Store, n int) {
	b.Helper()
	rule, _, err := policy.ParseRule("*.www.comune.massa.ms.it")
	if err != nil {
		b.Fatal(err)
	}
	err = s.Update(func(x policy.Tx) error {
		for i := range n {
			g := policy.Grant{ID: policy.GrantID(i + 1), Subject: policy.Subject{Office: fmt.Sprintf("office-%d", i%100)}, Rule: &rule,
				Channel: policy.Web, Request: policy.RequestID(i/10 + 1), Created: now, Version: uint64(i)}
			if err := x.Put(policy.TableGrants, string(binary.BigEndian.AppendUint64(nil, uint64(g.ID))), &g); err != nil {
				return err
			}
		}
		return x.Journal(policy.Entry{Time: now, Actor: clerk, Kind: "test"})
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkEach(b *testing.B) {
	const n = 100_000
	s := begin(b, b.TempDir())
	grants(b, s, n)
	var raw struct{}
	for name, into := range map[string]func() any{"grants": func() any { return new(policy.Grant) }, "checksums": func() any { return &raw }} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				err := s.View(func(x policy.Tx) error {
					return x.Each(policy.TableGrants, "", func(_ string, decode func(any) error) error { return decode(into()) })
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed()/time.Duration(b.N))/n, "ns/record")
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s := begin(b, dir)
	grants(b, s, 1_000_000)
	s.Close()
	for b.Loop() {
		s, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

func BenchmarkUpdate(b *testing.B) {
	s := begin(b, b.TempDir())
	for b.Loop() {
		if err := s.Update(put("tributi", policy.Office{ID: "tributi", Name: "Tributi"})); err != nil {
			b.Fatal(err)
		}
	}
}
