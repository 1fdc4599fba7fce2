package tap

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dnstap/golang-dnstap"
	"github.com/miekg/dns"
	"google.golang.org/protobuf/proto"

	"usciere/resolver/listen"
)

var at = time.Date(2026, 3, 2, 8, 0, 0, 5, time.UTC)

func exchange(t *testing.T, client, name string) Exchange {
	t.Helper()
	question := new(dns.Msg).SetQuestion(name, dns.TypeA)
	reply := new(dns.Msg).SetReply(question)
	rr, err := dns.NewRR(name + " 60 IN A 192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	reply.Answer = []dns.RR{rr}
	e := Exchange{Asked: at, Told: at.Add(3 * time.Millisecond), Client: netip.MustParseAddrPort(client), Local: netip.MustParseAddrPort("10.20.0.53:53"), Office: "anagrafe", Verdict: "allowed"}
	if e.Question, err = question.Pack(); err != nil {
		t.Fatal(err)
	}
	if e.Reply, err = reply.Pack(); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWhoIsTraced(t *testing.T) {
	office, machine := Scope{Office: "anagrafe"}, Scope{Office: "anagrafe", Client: netip.MustParseAddr("10.20.1.9")}
	for _, c := range []struct {
		of     Scope
		office string
		client string
		want   bool
	}{
		{office, "anagrafe", "10.20.1.9", true},
		{office, "anagrafe", "fd00::9", true},
		{office, "tributi", "10.20.1.9", false},
		{office, "", "10.20.1.9", false},
		{machine, "anagrafe", "10.20.1.9", true},
		{machine, "", "10.20.1.9", true},
		{machine, "tributi", "10.20.1.9", true}, // moved meanwhile
		{machine, "anagrafe", "10.20.1.10", false},
		{Scope{}, "", "10.20.1.9", false},
	} {
		var tap Tap
		if tap.Of(c.office, netip.MustParseAddr(c.client)) != nil {
			t.Fatal("traced, and nobody looks on")
		}
		trace := tap.Open(c.of, 1<<20)
		if got := tap.Of(c.office, netip.MustParseAddr(c.client)) == trace; got != c.want {
			t.Errorf("%+v: %s at %s traced: %v", c.of, c.office, c.client, got)
		}
	}
}

func TestTheOldestMakeRoom(t *testing.T) {
	var tap Tap
	e := exchange(t, "10.20.1.9:5353", "www.inps.it.")
	trace := tap.Open(Scope{Office: "anagrafe"}, 10*e.size())
	for range 25 {
		trace.Note(e)
	}
	for _, c := range []struct {
		from  uint64
		most  int
		first uint64
		n     int
	}{{1, 100, 16, 10}, {1, 3, 16, 3}, {20, 100, 20, 6}, {25, 1, 25, 1}, {26, 10, 0, 0}, {1, 0, 0, 0}} {
		kept, seen := trace.From(c.from, c.most)
		if seen != 25 || len(kept) != c.n || c.n > 0 && kept[0].Number != c.first {
			t.Errorf("from %d, at most %d: %d of %d, %+v", c.from, c.most, len(kept), seen, kept)
		}
	}
	trace.room = e.size() - 1
	trace.Note(e)
	if kept, seen := trace.From(1, 100); len(kept) != 0 || seen != 26 || trace.octets != 0 {
		t.Errorf("one that has no room at all: %d of %d kept, %d octets", len(kept), seen, trace.octets)
	}
}

func TestWhatIsGivenAtOnceIsBounded(t *testing.T) {
	var tap Tap
	e := exchange(t, "10.20.1.9:5353", "www.inps.it.")
	e.Reply = make([]byte, 60_000)
	trace := tap.Open(Scope{Office: "anagrafe"}, 8*maxPage)
	for range 40 {
		trace.Note(e)
	}
	e.Reply = make([]byte, 2*maxPage)
	trace.Note(e)
	got := []int{}
	for next := uint64(1); next <= 41; {
		kept, _ := trace.From(next, 100)
		if len(kept) == 0 || kept[0].Number != next {
			t.Fatalf("%d from %d on", len(kept), next)
		}
		got = append(got, len(kept))
		next = kept[len(kept)-1].Number + 1
	}
	if want := []int{17, 17, 6, 1}; !slices.Equal(got, want) {
		t.Errorf("%v at once, want %v", got, want)
	}
}

func TestWhatIsKeptIsItsOwn(t *testing.T) {
	var tap Tap
	e := exchange(t, "10.20.1.9:5353", "www.inps.it.")
	trace := tap.Open(Scope{Office: "anagrafe"}, 1<<20)
	trace.Note(e)
	clear(e.Question) // as a reader uses its buffer again
	clear(e.Reply)
	kept, _ := trace.From(1, 1)
	if got := kept[0].Show(); got.Name != "www.inps.it." || got.Type != "A" || got.Rcode != "NOERROR" || len(got.Answer) != 1 || got.Answer[0] != "www.inps.it. 60 IN A 192.0.2.1" {
		t.Errorf("%+v", got)
	}
	if got := e.Show(); got.Name != "" {
		t.Errorf("zeros: %+v", got)
	}
}

func TestTheEndForgets(t *testing.T) {
	var tap Tap
	e := exchange(t, "10.20.1.9:5353", "www.inps.it.")
	first := tap.Open(Scope{Office: "anagrafe"}, 1<<20)
	first.Note(e)
	second := tap.Open(Scope{Office: "tributi"}, 1<<20)
	tap.Close(first)
	first.Note(e) // whoever was still at it
	if kept, seen := first.From(1, 10); len(kept) != 0 || seen != 1 {
		t.Errorf("%d of %d are kept after the end", len(kept), seen)
	}
	if tap.Of("tributi", e.Client.Addr()) != second {
		t.Error("the end of one ended another")
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if trace := tap.Of("tributi", e.Client.Addr()); trace != nil {
					trace.Note(e)
					trace.From(1, 5)
				}
			}
		})
	}
	tap.Close(second)
	all.Wait()
	if kept, _ := second.From(1, 10); len(kept) != 0 {
		t.Errorf("%d are kept after the end", len(kept))
	}
}

func TestDnstap(t *testing.T) {
	var all []Exchange
	trace := new(Tap).Open(Scope{Office: "anagrafe"}, 1<<20)
	for _, over := range []listen.Transport{listen.UDP, listen.TCP, listen.TLS, listen.HTTPS, listen.QUIC} {
		e := exchange(t, map[bool]string{false: "10.20.1.9:5353", true: "[fd00::9]:5353"}[over == listen.QUIC], "www.inps.it.")
		e.Transport = over
		all = append(all, e)
		trace.Note(e)
	}
	var file bytes.Buffer
	if err := trace.WriteDnstap(&file, "usciere-1", "usciere test"); err != nil {
		t.Fatal(err)
	}
	in, err := dnstap.NewReader(&file, nil)
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 4096)
	for i := range 2 * len(all) {
		n, err := in.ReadFrame(frame)
		if err != nil {
			t.Fatal(err)
		}
		var d dnstap.Dnstap
		if err := proto.Unmarshal(frame[:n], &d); err != nil {
			t.Fatal(err)
		}
		e, m := all[i/2], d.GetMessage()
		text := e.Question
		if i%2 == 1 {
			text = e.Reply
			if m.GetType() != dnstap.Message_CLIENT_RESPONSE || m.GetResponseTimeNsec() != 3_000_005 || !bytes.Equal(m.GetResponseMessage(), text) {
				t.Errorf("%d: %v", i, m)
			}
		} else if m.GetType() != dnstap.Message_CLIENT_QUERY || !bytes.Equal(m.GetQueryMessage(), text) {
			t.Errorf("%d: %v", i, m)
		}
		client, _ := netip.AddrFromSlice(m.GetQueryAddress())
		if client != e.Client.Addr() || m.GetQueryPort() != 5353 || m.GetResponsePort() != 53 || m.GetQueryTimeSec() != uint64(at.Unix()) ||
			string(d.GetExtra()) != "office=anagrafe verdict=allowed" || string(d.GetIdentity()) != "usciere-1" ||
			int(m.GetSocketProtocol()) != []int{1, 2, 3, 4, 7}[i/2] || client.Is6() != (m.GetSocketFamily() == dnstap.SocketFamily_INET6) {
			t.Errorf("%d: %v %q", i, m, d.GetExtra())
		}
	}
	if _, err := in.ReadFrame(frame); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
}

// closing is a writer that ends the trace while it is written.
type closing struct {
	tap   *Tap
	trace *Trace
	n     int
}

func (c *closing) Write(p []byte) (int, error) {
	if c.n += len(p); c.n > 1000 {
		c.tap.Close(c.trace)
	}
	return len(p), nil
}

func TestWhatIsWrittenEndsWithTheTrace(t *testing.T) {
	var tap Tap
	trace := tap.Open(Scope{Office: "anagrafe"}, 1<<20)
	for range 10 * page {
		trace.Note(exchange(t, "10.20.1.9:5353", "www.inps.it."))
	}
	if err := trace.WriteDnstap(&closing{tap: &tap, trace: trace}, "", ""); !errors.Is(err, ErrOver) {
		t.Errorf("got %v", err)
	}
}
