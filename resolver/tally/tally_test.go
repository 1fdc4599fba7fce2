package tally

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"usciere/policy"
)

func client(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 20, byte(n >> 8), byte(n)}) }

func TestANameIsToldOfOnceThreeClientsAskedForIt(t *testing.T) {
	var tally Tally
	name := []byte("\x03www\x04inps\x02it\x00")
	takes := func(when string, want ...policy.AskedName) {
		t.Helper()
		if got := tally.Take()["anagrafe"]; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	for range 100 {
		tally.Note("anagrafe", name, client(1), false)
		tally.Note("anagrafe", name, client(2), true)
	}
	takes("two clients")
	tally.Note("tributi", name, client(3), true)
	takes("a third of another office")
	tally.Note("anagrafe", name, client(3), true)
	takes("three clients", policy.AskedName{Name: policy.Name(name), Allowed: 101, Sinkholed: 100})
	takes("nothing since")
	tally.Note("anagrafe", name, client(1), true)
	takes("one of them once more", policy.AskedName{Name: policy.Name(name), Allowed: 1})
	tally.Forget()
	tally.Note("anagrafe", name, client(1), true)
	takes("another day")
}

func TestOneMachineIsOneClientHoweverManyAddressesItHas(t *testing.T) {
	var tally Tally
	name := []byte("\x03www\x04inps\x02it\x00")
	for _, text := range []string{"10.20.0.1", "10.20.0.2", "::ffff:10.20.0.1", "fd00:20::1", "fd00:20::2", "fd00:20::3%eth0", "fd00:20:0:1::1"} {
		tally.Note("anagrafe", name, netip.MustParseAddr(text), false)
	}
	if got := tally.Take(); len(got) > 0 {
		t.Errorf("%v", got)
	}
	tally.Note("anagrafe", name, netip.MustParseAddr("::ffff:10.20.0.3"), false)
	if got := tally.Take()["anagrafe"]; len(got) != 1 || got[0].Sinkholed != 8 {
		t.Errorf("of the third: %v", got)
	}
}

func TestNamesWithoutEndFillNothing(t *testing.T) {
	var tally Tally
	usual := []byte("\x03www\x04inps\x02it\x00")
	for i := range 3 {
		tally.Note("anagrafe", usual, client(i), true)
	}
	for round := range 5 {
		for i := range 10 * maxNames {
			tally.Note("anagrafe", fmt.Appendf(nil, "\x0c%012d\x02it\x00", round*1_000_000+i), client(1), true)
		}
		if n := len(tally.offices["anagrafe"]); n > maxNames {
			t.Fatalf("%d names are remembered", n)
		}
		tally.Note("anagrafe", usual, client(1), true)
		if got := tally.Take()["anagrafe"]; len(got) != 1 || got[0].Name != policy.Name(usual) {
			t.Fatalf("round %d: %v", round, got)
		}
	}
}

func TestOfficesWithoutEndFillNothing(t *testing.T) {
	var tally Tally
	usual := []byte("\x03www\x04inps\x02it\x00")
	for i := range 3 {
		tally.Note("anagrafe", usual, client(i), true)
	}
	for round := range 3 {
		for i := range 3 * maxAll {
			tally.Note(fmt.Sprint("ufficio-", i/1000), fmt.Appendf(nil, "\x0c%012d\x02it\x00", round*1_000_000+i), client(1), true)
		}
		n := 0
		for _, names := range tally.offices {
			n += len(names)
		}
		if n != tally.all || n > maxAll {
			t.Fatalf("%d names are remembered, %d are counted", n, tally.all)
		}
		tally.Note("anagrafe", usual, client(1), true)
		if got := tally.Take(); len(got) != 1 || len(got["anagrafe"]) != 1 {
			t.Fatalf("round %d: %v", round, got)
		}
		if tally.all != 1 {
			t.Errorf("round %d: %d names are left", round, tally.all)
		}
	}
}

func TestCountingWhatIsKnownAllocatesNothing(t *testing.T) {
	var tally Tally
	name := []byte("\x03www\x04inps\x02it\x00")
	tally.Note("anagrafe", name, client(1), true)
	if n := testing.AllocsPerRun(100, func() { tally.Note("anagrafe", name, client(2), true) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
