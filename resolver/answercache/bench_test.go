package answercache

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/resolver/wire"
)

// filled returns a cache of 10,000 answers and the questions to them.
func filled(b *testing.B) (*Cache, []*wire.Query) {
	c := New(Config{})
	queries := make([]*wire.Query, 10_000)
	for i := range queries {
		name := fmt.Sprintf("host%d.servizi.inps.it.", i)
		queries[i] = query(b, name, dns.TypeA, false, false)
		msg := answer(b, name, dns.TypeA, 0, name+" 60 A 192.0.2.1", name+" 60 A 192.0.2.2")
		for range 2 { // the second makes it a frequent one
			c.Put(queries[i].Name(), dns.TypeA, 1, false, false, 0, msg, time.Minute, false, start)
		}
	}
	return c, queries
}

func BenchmarkCacheHit(b *testing.B) {
	c, queries := filled(b)
	var builder wire.Builder
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if c.Get(&builder, dst, queries[i%1000], 0, start) != Fresh {
			b.Fatal("miss")
		}
		builder.Finish(wire.UDPSize)
	}
}

func BenchmarkCacheHitParallel(b *testing.B) {
	c, queries := filled(b)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var builder wire.Builder
		dst := make([]byte, 0, 4096)
		for i := rand.IntN(1000); pb.Next(); i++ {
			if c.Get(&builder, dst, queries[i%1000], 0, start) != Fresh {
				b.Error("miss")
				return
			}
			builder.Finish(wire.UDPSize)
		}
	})
}

func BenchmarkPut(b *testing.B) {
	for name, cfg := range map[string]Config{"roomy": {}, "entries full": {Entries: 5000}, "memory full": {Bytes: 2 << 20}} {
		b.Run(name, func(b *testing.B) {
			_, queries := filled(b)
			c := New(cfg)
			msgs := make([][]byte, len(queries))
			for i := range msgs {
				name := fmt.Sprintf("host%d.servizi.inps.it.", i)
				msgs[i] = answer(b, name, dns.TypeA, 0, name+" 60 A 192.0.2.1")
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				n := i % len(queries)
				c.Put(queries[n].Name(), dns.TypeA, 1, false, false, 0, msgs[n], time.Minute, false, start)
			}
		})
	}
}
