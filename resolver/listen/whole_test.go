package listen_test

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/policy"
	"usciere/policy/store"
	"usciere/resolver"
	"usciere/resolver/answercache"
	"usciere/resolver/dnstest"
	"usciere/resolver/listen"
	"usciere/resolver/upstream"
)

// The whole way of a packet, from the batch that the kernel filled to the batch of replies that it takes: what is left out is the
// kernel. The names are as many as an office town has in use at a time.
const wholeNames = 512

type whole struct {
	*resolver.Resolver
	now    time.Time
	client netip.AddrPort
	local  netip.AddrPort
}

func openWhole(b *testing.B) *whole {
	w := &whole{
		now:    time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		client: netip.MustParseAddrPort("10.20.1.5:40000"), local: netip.MustParseAddrPort("10.20.0.53:53"),
	}
	clock := func() time.Time { return w.now }
	st, err := store.Open(b.TempDir(), store.Options{Now: clock})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	town := policy.Town{Site: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8")}, Zone: time.UTC}
	rules, err := policy.Open(st, town, clock)
	if err != nil {
		b.Fatal(err)
	}
	names := make([]string, wholeNames)
	for i := range names {
		names[i] = fmt.Sprintf("www.d%d.example.it", i)
	}
	_, err = rules.Apply(policy.Actor{Name: "bench"},
		policy.AddOffice{ID: "anagrafe", Name: "Ufficio Anagrafe", Networks: []netip.Prefix{netip.MustParsePrefix("10.20.1.0/24"), netip.MustParsePrefix("127.0.0.1/32")}},
		policy.AddSeat{ID: "dirigente", Office: "anagrafe", Holder: "M. Rossi", From: "2025-01-01"},
		policy.AddGrants{Subject: policy.Subject{Office: "anagrafe"}, Names: names, Protocol: "1/2026", Reason: "x"})
	if err != nil {
		b.Fatal(err)
	}
	records := make([]string, wholeNames)
	for i, n := range names {
		records[i] = n + ". 3600 IN A 192.0.2.7"
	}
	server := dnstest.Start(b, dnstest.Records(records...))
	group := upstream.New(upstream.Config{Name: "test", Servers: []netip.AddrPort{server.Addr}})
	b.Cleanup(group.Close)
	w.Resolver = resolver.New(rules, answercache.New(answercache.Config{}), clock)
	w.Use(resolver.Setup{Upstream: group, Sinkhole: resolver.Sinkhole{Contact: "interno 100"}, ClientTTL: 300})
	w.warm(b, names)
	return w
}

// warm asks each name once, through a real socket, so that the cache has the answer.
func (w *whole) warm(b *testing.B, names []string) {
	s, err := listen.Open(listen.Config{Addrs: []string{"127.0.0.1:0"}, Readers: 1, Now: func() time.Time { return w.now }})
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(w.Resolver) }()
	for _, n := range names {
		m := new(dns.Msg).SetQuestion(n+".", dns.TypeA)
		if reply := dnstest.Exchange(b, "udp", s.Addrs()[0].String(), "127.0.0.1", m); len(reply.Answer) != 1 {
			b.Fatalf("not answered: %v", reply)
		}
	}
	if err := s.Shutdown(context.Background()); err != nil {
		b.Fatal(err)
	}
	<-served
}

// packets are the questions of a batch after another.
func packets(b *testing.B, format string, edns bool) [][]byte {
	out := make([][]byte, wholeNames)
	for i := range out {
		m := new(dns.Msg).SetQuestion(fmt.Sprintf(format, i)+".", dns.TypeA)
		if edns {
			m.SetEdns0(1232, false)
		}
		var err error
		if out[i], err = m.Pack(); err != nil {
			b.Fatal(err)
		}
	}
	return out
}

func BenchmarkWholePacket(b *testing.B) {
	for _, kind := range []struct {
		name, format string
		edns         bool
	}{
		{"cached", "www.d%d.example.it", false},
		{"cached-edns", "www.d%d.example.it", true},
		{"sinkholed", "www.d%d.example.com", false},
		{"sinkholed-edns", "www.d%d.example.com", true},
	} {
		b.Run(kind.name, func(b *testing.B) {
			w, asked := openWhole(b), packets(b, kind.format, kind.edns)
			readers := runtime.GOMAXPROCS(0)
			b.ReportAllocs()
			b.ResetTimer()
			var work sync.WaitGroup
			for lane := range readers { // not RunParallel, whose counters share lines of the processor's cache
				work.Go(func() {
					r := listen.NewReader(w.local, lane+1, func() time.Time { return w.now })
					for i := range b.N/readers + 1 {
						r.Put(0, w.client, asked[i%len(asked)])
						if r.Serve(w.Resolver, 1) != 1 {
							b.Error("no reply")
							return
						}
					}
				})
			}
			work.Wait()
		})
	}
}
