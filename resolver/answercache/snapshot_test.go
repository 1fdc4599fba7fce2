package answercache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// saved is a snapshot of a cache.
func saved(t testing.TB, c *Cache, now time.Time) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := c.Save(&b, now); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAnswersOutliveARestart(t *testing.T) {
	tests := []struct {
		name    string
		age     time.Duration // of the answer, which lives for 60 s, when it is written
		gap     time.Duration // until it is read
		restart Config
		want    string
	}{
		{"at once", 10 * time.Second, 0, Config{StaleMax: 3600}, "fresh NOERROR [50] ad"},
		{"the time that went by counts", 10 * time.Second, 30 * time.Second, Config{StaleMax: 3600}, "fresh NOERROR [20] ad"},
		{"past its life it is stale", 10 * time.Second, 50 * time.Second, Config{StaleMax: 3600}, "expired"},
		{"a stale one stays so", 70 * time.Second, 50 * time.Second, Config{StaleMax: 3600}, "expired"},
		{"too old to be of use", 10 * time.Second, 2 * time.Hour, Config{StaleMax: 3600}, "miss"},
		{"with stale answers off by now", 10 * time.Second, 50 * time.Second, Config{}, "miss"},
		{"a clock set back does not make it younger", 10 * time.Second, -time.Hour, Config{StaleMax: 3600}, "fresh NOERROR [50] ad"},
		{"nor older", 59 * time.Second, -24 * time.Hour, Config{StaleMax: 3600}, "fresh NOERROR [1] ad"},
		{"the settings of the new run hold", 10 * time.Second, 0, Config{MaxTTL: 20}, "fresh NOERROR [10] ad"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, q := New(Config{StaleMax: 3600}), query(t, inps, dns.TypeA, true, true)
			before.Put(canonical(t, inps), dns.TypeA, 1, true, true, 7<<40, answer(t, inps, dns.TypeA, 0, inps+" 60 A 192.0.2.1"), time.Minute, true, start)
			before.Fail(canonical(t, "other.inps.it."), dns.TypeA, 1, false, false, 0, false, start)
			at := start.Add(tt.age)
			snapshot := saved(t, before, at)
			after := New(tt.restart)
			n, err := after.Load(bytes.NewReader(snapshot), at.Add(tt.gap))
			if err != nil || n > 0 != (tt.want != "miss") {
				t.Errorf("%d answers, %v", n, err)
			}
			if got := found(t, after, q, 7<<40, at.Add(tt.gap)); got != tt.want {
				t.Errorf("found %s, want %s", got, tt.want)
			}
			if s := after.Stats(); s.Failing != 0 || s.Entries != n {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestWhatIsOfNoUseIsNotWritten(t *testing.T) {
	c := New(Config{StaleMax: 10})
	for i, ttl := range []time.Duration{time.Second, 50 * time.Second, 60 * time.Second} {
		name := fmt.Sprintf("host%d.inps.it.", i)
		c.Put(canonical(t, name), dns.TypeA, 1, false, false, 0, answer(t, name, dns.TypeA, 0, name+" 60 A 192.0.2.1"), ttl, false, start)
	}
	if n, err := c.Save(new(bytes.Buffer), start.Add(59*time.Second)); n != 2 || err != nil {
		t.Errorf("%d answers written, %v", n, err)
	}
	if n, err := c.Save(broken{}, start); n != 0 || !errors.Is(err, errBroken) {
		t.Errorf("%d answers, %v", n, err)
	}
}

type broken struct{}

var errBroken = errors.New("no space left")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestADamagedOrForeignSnapshotIsRefusedWhole(t *testing.T) {
	c := New(Config{})
	for i := range 20 {
		name := fmt.Sprintf("host%d.inps.it.", i)
		c.Put(canonical(t, name), dns.TypeA, 1, false, false, 0, answer(t, name, dns.TypeA, 0, name+" 60 A 192.0.2.1"), time.Minute, false, start)
	}
	sound := saved(t, c, start)
	damaged := map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "zeros": make([]byte, len(sound)), "another version": append([]byte("usciere cache 2\n"), sound[16:]...),
		"cut short": sound[:len(sound)-1], "one octet more": append(slices.Clone(sound), 0), "twice": append(slices.Clone(sound), sound...),
		"only the header": sound[:snapshotHeader], "half": sound[:len(sound)/2],
	}
	for at := 0; at < len(sound); at += 7 {
		flipped := slices.Clone(sound)
		flipped[at] ^= 0x10
		damaged[fmt.Sprintf("a bit flipped at %d", at)] = flipped
	}
	for name, snapshot := range damaged {
		into := New(Config{})
		if n, err := into.Load(bytes.NewReader(snapshot), start); !errors.Is(err, ErrSnapshot) || n != 0 || into.Stats().Entries != 0 {
			t.Errorf("%s: %d answers, %v", name, n, err)
		}
	}
	if n, err := New(Config{}).Load(bytes.NewReader(sound), start); n != 20 || err != nil {
		t.Errorf("the sound one: %d answers, %v", n, err)
	}
}

func TestASmallerCacheTakesOfASnapshotWhatItHasRoomFor(t *testing.T) {
	c := New(Config{Entries: 500})
	for i := range 400 {
		name, msg := sized(t, i, 10)
		c.Put(canonical(t, name), dns.TypeTXT, 1, false, false, 0, msg, time.Minute, false, start)
	}
	small := New(Config{Entries: 100})
	if _, err := small.Load(bytes.NewReader(saved(t, c, start)), start); err != nil {
		t.Fatal(err)
	}
	if s := small.Stats(); s.Entries != 100 {
		t.Errorf("%+v", s)
	}
}

// sealed puts a checksum behind octets, and a header before them.
func sealed(body []byte) []byte {
	b := binary.BigEndian.AppendUint64([]byte(snapshotMagic), uint64(start.UnixNano()))
	b = append(b, body...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// FuzzLoad: whatever a snapshot holds, also under a right checksum, is refused or served, within the bounds, and saved
// again it is the same.
func FuzzLoad(f *testing.F) {
	c := New(Config{StaleMax: 3600})
	for i, records := range [][]string{{inps + " 60 A 192.0.2.1"}, {soa}, {inps + " 30 CNAME a.example.", "a.example. 7200 A 192.0.2.1"}} {
		c.Put(canonical(f, inps), dns.TypeA, 1, i == 0, i == 1, uint64(i), answer(f, inps, dns.TypeA, 0, records...), time.Minute, true, start)
		snapshot := saved(f, c, start)
		f.Add(snapshot[snapshotHeader : len(snapshot)-sha256.Size])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c := New(Config{Entries: 1000, Bytes: 1 << 20, StaleMax: 3600})
		_, _ = c.Load(bytes.NewReader(body), start)
		n, err := c.Load(bytes.NewReader(sealed(body)), start)
		s := c.Stats()
		if s.Entries > n || s.Bytes > 1<<20 || err != nil && !errors.Is(err, ErrSnapshot) {
			t.Fatalf("%d answers, %+v, %v", n, s, err)
		}
		again := New(Config{Entries: 1000, Bytes: 1 << 20, StaleMax: 3600})
		if m, err := again.Load(bytes.NewReader(saved(t, c, start)), start); err != nil || m != s.Entries {
			t.Fatalf("saved again: %d answers of %d, %v", m, s.Entries, err)
		}
	})
}
