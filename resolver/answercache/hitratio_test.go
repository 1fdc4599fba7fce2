package answercache_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"usciere/bench/officeload"
	"usciere/resolver/answercache"
	"usciere/resolver/wire"
)

// asked is a question of the trace as the cache takes it.
type asked struct {
	key   string // name and type
	query *wire.Query
	reply []byte
}

// trace are the questions of a town hall's log-on that go to the cache, and how many different ones there are.
func trace(b *testing.B) ([]*asked, int) {
	town := officeload.New(1)
	known := map[string]*asked{}
	var out []*asked
	for _, e := range town.Events(officeload.Play{From: officeload.Clock(7, 45), To: officeload.Clock(8, 15)}) {
		if e.Question.Kind != officeload.Cached && e.Question.Kind != officeload.Cold {
			continue
		}
		key := fmt.Sprint(e.Question.Name, "/", e.Question.Type)
		a := known[key]
		if a == nil {
			a = newAsked(b, key, e.Question)
			known[key] = a
		}
		out = append(out, a)
	}
	return out, len(known)
}

// newAsked packs a question and a reply to it: one address, whatever was asked.
func newAsked(b *testing.B, key string, q *officeload.Question) *asked {
	packet := []byte{0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(q.Name, ".") {
		packet = append(append(packet, byte(len(label))), label...)
	}
	packet = append(packet, 0)
	packet = binary.BigEndian.AppendUint16(packet, uint16(q.Type))
	packet = append(packet, 0, 1)
	a := &asked{key: key, query: new(wire.Query)}
	if outcome := a.query.Read(packet); outcome != wire.Good {
		b.Fatalf("%s is no question: %v", key, outcome)
	}
	a.reply = append(packet[:len(packet):len(packet)], 0xc0, 12)
	a.reply = binary.BigEndian.AppendUint16(a.reply, uint16(q.Type))
	a.reply = append(a.reply, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, 198, 18, 0, 1)
	a.reply[2], a.reply[3], a.reply[7] = 0x85, 0x80, 1
	return a
}

// BenchmarkHitRatio reports the share of questions of a town hall's log-on that are answered from the cache, and from a plain LRU of as
// many entries, when these are a tenth, a hundredth, a thousandth of the different questions. It is the same in every run but for the
// seeds of the hashes, by which the cache is split into shards.
func BenchmarkHitRatio(b *testing.B) {
	questions, different := trace(b)
	now := time.Unix(1_800_000_000, 0)
	for _, share := range []struct {
		name string
		of   int
	}{{"10 %", 10}, {"1 %", 100}, {"0.1 %", 1000}} {
		b.Run(share.name, func(b *testing.B) {
			entries := different / share.of
			var hits, plainHits int
			for b.Loop() {
				hits, plainHits = 0, 0
				c := answercache.New(answercache.Config{Entries: entries})
				plain, err := lru.New[string, struct{}](entries)
				if err != nil {
					b.Fatal(err)
				}
				var builder wire.Builder
				dst := make([]byte, 0, 512)
				for _, a := range questions {
					if c.Get(&builder, dst, a.query, 0, now) == answercache.Fresh {
						hits++
					} else {
						c.Put(a.query.Name(), a.query.Type, 1, false, false, 0, a.reply, time.Hour, false, now)
					}
					if _, ok := plain.Get(a.key); ok {
						plainHits++
					} else {
						plain.Add(a.key, struct{}{})
					}
				}
			}
			b.ReportMetric(0, "ns/op") // it is not about time
			b.ReportMetric(float64(entries), "entries")
			b.ReportMetric(100*float64(hits)/float64(len(questions)), "%hit")
			b.ReportMetric(100*float64(plainHits)/float64(len(questions)), "%hit-LRU")
		})
	}
}
