package wire

import "testing"

var benchQuery = packet(7, 0x0100, oneAndOne, "\x03www\x0aservizi-pa\x0finnovazionevera\x02it\x00", inA, opt)

func TestTheFastPathDoesNotAllocate(t *testing.T) {
	pkt := packet(7, 0x0100, oneAndOne, inps, inA, "\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x04\x00\x03\x00\x00")
	msg := typicalAnswer(t)
	ttls, _ := TTLOffsets(msg)
	q, b := new(Query), &Builder{NSID: []byte("porta")}
	dst := make([]byte, 0, maxMessage)
	text := "Not granted to this office; ask your manager."
	for name, run := range map[string]func(){
		"Read":      func() { q.Read(pkt) },
		"Read junk": func() { q.Read(pkt[:len(pkt)-3]) },
		"Relay":     func() { q.Read(pkt); b.Relay(dst, q, msg, ttls, 5, 300, false, false); b.Finish(512) },
		"sinkhole": func() {
			q.Read(pkt)
			b.Begin(dst, q, RcodeNoError, false)
			b.Record(Answer, 1, 10, loopback)
			b.SOA([]byte("\x00"), []byte("\x00"), 1, 30, 30)
			b.EDE(15, text)
			b.Finish(512)
		},
		"truncation": func() { q.Read(pkt); b.Relay(dst, q, msg, ttls, 5, 300, false, false); b.Finish(80) },
	} {
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	var q Query
	b.ReportAllocs()
	for b.Loop() {
		if q.Read(benchQuery) != Good {
			b.Fatal("not good")
		}
	}
}

func BenchmarkRelay(b *testing.B) {
	msg := typicalAnswer(b)
	ttls, _ := TTLOffsets(msg)
	q := ask(packet(7, 0x0100, oneAndOne, inps, inA, opt))
	dst := make([]byte, 0, maxMessage)
	var builder Builder
	b.ReportAllocs()
	for b.Loop() {
		builder.Relay(dst, q, msg, ttls, 5, 300, false, false)
		builder.Finish(UDPSize)
	}
}

func BenchmarkSinkhole(b *testing.B) {
	q := ask(packet(7, 0x0100, oneAndOne, inps, inA, opt))
	dst := make([]byte, 0, maxMessage)
	var builder Builder
	b.ReportAllocs()
	for b.Loop() {
		builder.Begin(dst, q, RcodeNoError, false)
		builder.Record(Answer, 1, 10, loopback)
		builder.EDE(15, "Not granted to this office; ask your manager.")
		builder.Finish(UDPSize)
	}
}
