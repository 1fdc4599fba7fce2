package upstream

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

func TestAFlightLandsOnceAlsoWhenNobodyWaits(t *testing.T) {
	release, held := make(chan struct{}), make(chan struct{}, 1)
	honest := dnstest.Records("www.inps.it. 60 IN A 192.0.2.1")
	g := group(t, Config{}, dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
		held <- struct{}{}
		return []dnstest.Send{honest(q)[0].After(release)}
	}))
	q := question(t, "www.inps.it", dns.TypeA)
	landed := make(chan Answer, 10)
	k := Keeper{Landed: func(a Answer, err error) {
		if err != nil {
			t.Error(err)
		}
		landed <- a
	}}
	ctx, leave := context.WithCancel(context.Background())
	left := make(chan error, 1)
	go func() {
		_, err := g.Fetch(ctx, q, k)
		left <- err
	}()
	<-held
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller left with %v", err)
	}
	if _, err := g.Fetch(ctx, q, k); !errors.Is(err, context.Canceled) { // joins the flight and leaves
		t.Errorf("the second caller left with %v", err)
	}
	close(release)
	address(t, parsed(t, <-landed))
	g.Close()
	if n := len(landed); n != 0 {
		t.Errorf("landed %d times more", n)
	}
}

func TestNoFlightIsBegunForWhatIsKnown(t *testing.T) {
	server := dnstest.Start(t, dnstest.Records("www.inps.it. 60 IN A 192.0.2.1"))
	g := group(t, Config{}, server)
	q := question(t, "www.inps.it", dns.TypeA)
	var kept atomic.Bool
	k := Keeper{Known: kept.Load, Landed: func(Answer, error) { kept.Store(true) }}
	for i, want := range []error{nil, ErrKnown, ErrKnown} {
		if _, err := g.Fetch(context.Background(), q, k); !errors.Is(err, want) {
			t.Errorf("call %d: %v, want %v", i+1, err, want)
		}
	}
	if n := server.Asked("www.inps.it"); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}
