package policy

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func FuzzParseName(f *testing.F) {
	for _, s := range []string{".", "www.inps.it", `a\.b.it`, `\000\255`, "città.it", "a..b", `a\25`, "ß.it", "xn--a.it", strings.Repeat("a.", 127)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseName(text)
		if err != nil {
			return
		}
		if len(n) == 0 || len(n) > maxName || n[len(n)-1] != 0 || n.Labels() > 127 {
			t.Fatalf("%q is no name", string(n))
		}
		written := n.String()
		back, err := ParseName(written)
		if err != nil || back != n {
			t.Fatalf("%q, written %q, is read back as %q, %v", string(n), written, string(back), err)
		}
		for _, c := range []byte(written) {
			if c <= ' ' || c > '~' {
				t.Fatalf("%q is written with the octet %d", string(n), c)
			}
		}
	})
}

func FuzzParseRule(f *testing.F) {
	for _, s := range []string{"www.inps.it", "*.inps.it", ".inps.it", "https://www.inps.it:443/x?y#z", "//x", ".gov.it", "città.it", "[::1]:80", "r3---sn.googlevideo.com", "。it", "0.\x80", "0.0.0.0."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, note, err := ParseRule(text)
		if err != nil {
			if !IsCode(err, Invalid) {
				t.Fatalf("%q: %v is no refusal", text, err)
			}
			return
		}
		if r.Name.Labels() < 2 || len(r.Name) > maxName || strings.ContainsAny(note, "\n\x00\x1b") {
			t.Fatalf("%q was read as %s, %q", text, r, note)
		}
		var stored Rule
		if err := stored.UnmarshalText([]byte(r.String())); err != nil || stored != r {
			t.Fatalf("%q was read as %s, and from the store as %s, %v", text, r, stored, err)
		}
		if again, note, err := ParseRule(r.String()); err != nil || again != r || note != "" {
			t.Fatalf("%q was read as %s, and that as %s, %q, %v", text, r, again, note, err)
		}
	})
}

func FuzzParseSchedule(f *testing.F) {
	for _, s := range []string{"", "mon-fri 08:00-14:00; tue,thu 14:30-17:30", "dom 22:00-02:00", "mon 00:00-24:00", ";", "mon 08:00-08:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSchedule(text)
		if err != nil {
			if !IsCode(err, Invalid) {
				t.Fatalf("%q: %v is no refusal", text, err)
			}
			return
		}
		if again, err := ParseSchedule(string(s)); err != nil || again != s {
			t.Fatalf("%q was read as %q, and that as %q, %v", text, s, again, err)
		}
		w, err := compileWeek(s)
		if err != nil || (w == nil) != (s == "") {
			t.Fatalf("%q does not compile: %v", s, err)
		}
		if w == nil {
			return
		}
		open := 0
		for minute := range 7 * 24 * 60 {
			if w.open(time.Date(2026, 3, 1, 0, minute, 0, 0, time.UTC)) {
				open++
			}
		}
		if open == 0 {
			t.Fatalf("%q never opens", s)
		}
	})
}

func FuzzParseMoment(f *testing.F) {
	for _, s := range []string{"2027-06-30", "2027-06-30T18:00", "2027-06-30 18:00", "0000-01-01", "9999-12-31", "2027-06-30T9:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMoment(text)
		if err != nil {
			if !IsCode(err, Invalid) {
				t.Fatalf("%q: %v is no refusal", text, err)
			}
			return
		}
		if again, err := ParseMoment(string(m)); err != nil || again != m {
			t.Fatalf("%q was read as %q, and that as %q, %v", text, m, again, err)
		}
		for _, zone := range []*time.Location{rome, time.UTC} {
			start, end := m.Start(zone), m.End(zone)
			if end.Before(start) || len(m) == len(dayLayout) && (DayOf(start, zone) != m || !start.Before(end)) {
				t.Fatalf("%q begins %s and ends %s", m, start, end)
			}
		}
	})
}

func FuzzParseType(f *testing.F) {
	for _, s := range []string{"A", "aaaa", "TYPE65", "TYPE0", "TYPE65536", " mx "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		typ, err := ParseType(text)
		if err != nil {
			if !IsCode(err, Invalid) {
				t.Fatalf("%q: %v is no refusal", text, err)
			}
			return
		}
		if again, err := ParseType(typ.String()); err != nil || again != typ || typ == 0 {
			t.Fatalf("%q was read as %d, and that as %d, %v", text, typ, again, err)
		}
	})
}

// fuzzTown is a town with every kind of rule, and its oracle.
func fuzzTown(t testing.TB) (*Snapshot, *oracle) {
	town := newTown(t)
	rules := func(texts ...string) (out []ServiceRule) {
		for _, text := range texts {
			out = append(out, ServiceRule{Rule: rule(text), Source: "x"})
		}
		return out
	}
	town.do(
		AddService{ID: "svc", Rules: rules(".a.it", "*.a.it", "b.a.it", "a.a.a.it")}, AddService{ID: "posta", Channel: Mail, Rules: rules("b.it", "autodiscover.b.it", "*.c.it")},
		AddHost{Addr: addr("10.20.1.6"), Role: Server}, signing("a.b.it", ".d.it", "b.c.it"),
	)
	town.allow("everyone", "svc")
	town.allow("anagrafe", "svc posta a.it *.b.it .c.it", func(c *AddGrants) { c.Until = "2030-01-01" })
	town.allow("anagrafe", "a.it", mail)
	town.allow("anagrafe", ".b.it", mail)
	town.allow("tributi", "posta a.b.it b.a.it")
	town.allow("role:server", ".a.it *.a.a.it", func(c *AddGrants) { c.Schedule = "mon-fri 08:00-14:00" })
	slow, err := oracleOf(town.store, theSite)
	if err != nil {
		t.Fatal(err)
	}
	return town.Snapshot(), slow
}

// FuzzDecide asks any name, as labels of any octets parted by dots; some letters stand for labels that matter.
func FuzzDecide(f *testing.F) {
	f.Add([]byte("a.it"), uint8(0), uint16(1), uint16(0))
	f.Add([]byte("D.a.it"), uint8(0), uint16(15), uint16(77))
	f.Add([]byte("I.T.b.it"), uint8(1), uint16(33), uint16(5000))
	f.Add([]byte("\x00\xff.a.a.it"), uint8(2), uint16(1), uint16(400))
	f.Add([]byte(""), uint8(3), uint16(0), uint16(9))
	important := map[string]string{"D": "autodiscover", "C": "autoconfig", "I": "_imaps", "S": "_submission", "T": "_tcp", "U": "_udp"}
	clients := []netip.Addr{addr("10.20.1.5"), addr("10.20.2.5"), addr("10.20.1.6"), addr("10.20.1.9"), addr("192.168.7.1"), addr("192.0.2.1")}
	s, slow := fuzzTown(f)
	f.Fuzz(func(t *testing.T, text []byte, client uint8, typ, minute uint16) {
		var wire []byte
		for label := range strings.SplitSeq(string(text), ".") {
			if whole, ok := important[label]; ok {
				label = whole
			}
			if label == "" || len(label) > maxLabel || len(wire)+len(label)+2 > maxName {
				continue
			}
			wire = append(wire, byte(len(label)))
			for _, c := range []byte(label) {
				wire = append(wire, lower(c))
			}
		}
		wire = append(wire, 0)
		now := at("2026-03-01 00:00").Add(time.Duration(minute) * time.Minute)
		if difference := differ(s, slow, clients[int(client)%len(clients)], Name(wire), Type(typ), now); difference != "" {
			t.Fatalf("%q TYPE%d at %s: %s", wire, typ, now, difference)
		}
	})
}
