package zone

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/miekg/dns"
)

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a delegation", "www A 192.0.2.1\nlab NS ns.lab\n", "town.zone:2: NS below the origin would delegate lab.example, which nobody follows here: use a forward for lab.example"},
		{"a record outside the zone", "www A 192.0.2.1\n\n; remark\nwww.example.org. A 192.0.2.1\n", "town.zone:4: www.example.org. is outside the zone example."},
		{"a name that only ends like the origin", "notexample. A 192.0.2.1\n", "town.zone:1: notexample. is outside the zone"},
		{"CNAME beside other data", "www A 192.0.2.1\nwww CNAME x\n", "town.zone:2: www.example. has a CNAME and other data"},
		{"other data beside CNAME", "www CNAME x\nwww A 192.0.2.1\n", "town.zone:2: www.example. has a CNAME and other data"},
		{"a second CNAME", "www CNAME x\nwww CNAME y\n", "town.zone:2: a second CNAME at www.example."},
		{"CNAME at the origin", "@ CNAME x\n", "town.zone:1: CNAME at the origin"},
		{"names below a DNAME", "d DNAME x\na.b.d A 192.0.2.1\n", "town.zone:2: a.b.d.example. stands below d.example., which has a DNAME"},
		{"a DNAME above names", "a.b.d A 192.0.2.1\nd DNAME x\n", "town.zone:2: d.example. has a DNAME and names below it"},
		{"DNAME at a wildcard", "*.d DNAME x\n", "town.zone:1: DNAME at a wildcard"},
		{"a second SOA", "@ SOA a b 1 2 3 4 5\n@ SOA a b 2 2 3 4 5\n", "town.zone:2: a second SOA"},
		{"SOA below the origin", "www SOA a b 1 2 3 4 5\n", "town.zone:1: SOA at www.example."},
		{"class CHAOS", "www CH A 192.0.2.1\n", "town.zone:1: class CH"},
		{"a signed zone", "www RRSIG A 8 2 60 20300101000000 20200101000000 1 example. AAAA\n", "town.zone:1: RRSIG: local zones are served unsigned"},
		{"a type of questions", "www TYPE255 \\# 1 00\n", "town.zone:1: ANY is a type of questions"},
		{"a record without data", "www A\n", "town.zone:1: A without data"},
		{"an MX without data", "www MX\n", "town.zone:1: MX without data"},
		{"an unknown type without data", "www TYPE65300 \\# 0\n", "town.zone:1: TYPE65300 without data"},
		{"a bad address", "www A 192.0.2.1\nw A 300.1.1.1\n", `town.zone:2:13: bad A A: "300.1.1.1"`},
		{"an unknown type", "www ADDRESS 192.0.2.1\n", "town.zone:1:"},
		{"no owner", "  A 192.0.2.1\n", "town.zone:1: the record has no owner"},
		{"$INCLUDE", "www A 192.0.2.1\n$INCLUDE /etc/passwd\n", "town.zone:2:"},
		{"a TTL past the largest", "www 2147483648 A 192.0.2.1\n", "town.zone:1: TTL 2147483648"},
		{"a raw non-ASCII owner", "caff\u00e8 A 192.0.2.1\n", "write its xn-- form"},
		{"a raw non-ASCII target", "www CNAME caff\u00e8\n", "town.zone:1: CNAME target: the name \"caff\u00e8.example.\" is not ASCII"},
		{"a long label", strings.Repeat("x", 64) + " A 192.0.2.1\n", "town.zone:1:"},
		{"a record over several lines", "www A 192.0.2.1\nx.org. SOA a b ( ; serial\n  1 2 3\n  4 5 ) ; end\n", "town.zone:4: x.org. is outside"},
		{"an overlong string", "www TXT " + strings.Repeat("x", 256) + "\nx.org. A 192.0.2.1\n", "town.zone:2: x.org."}, // split by the parser
		{"a set that fits no message", "$GENERATE 0-4000 x TXT \"$ and some more text\"\n", "the TXT records of x.example. are over 49152 octets"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("example", strings.NewReader(c.text), "town.zone")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestParseReadsWhatEditorsLeave(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"no final newline", "www A 192.0.2.1"},
		{"lines of Windows", "; remark\r\nwww A 192.0.2.1\r\n"},
		{"a byte order mark", "\uFEFFwww A 192.0.2.1\n"},
		{"an owner carried over", "www TXT x\n  A 192.0.2.1\n"},
		{"$ORIGIN", "$ORIGIN sub.example.\n$ORIGIN example.\nwww A 192.0.2.1\n"},
		{"$GENERATE", "$GENERATE 1-3 $ A 192.0.2.$\nwww A 192.0.2.1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := parse(t, "example", c.text).Lookup(wire(t, "www.example"), dns.TypeA)
			if got := show(r); got != "NOERROR, www.example. 3600 IN A 192.0.2.1" {
				t.Error(got)
			}
		})
	}
}

func TestParseReportsAReaderThatFails(t *testing.T) {
	fault := errors.New("disk fault")
	_, err := Parse("example", io.MultiReader(strings.NewReader("www A 192.0.2.1\n"), iotest.ErrReader(fault)), "town.zone")
	if !errors.Is(err, fault) || !strings.HasPrefix(err.Error(), "town.zone:1: reading the zone") {
		t.Error(err)
	}
}

func TestOriginsAreChecked(t *testing.T) {
	long := strings.Repeat(strings.Repeat("x", 61)+".", 4) // 4 × 62 + 1 = 249 octets
	for _, c := range []struct{ origin, want, err string }{
		{"Comune.IT", "comune.it.", ""},
		{".", ".", ""},
		{long, long, ""},
		{"", "", "zone origin: the name is empty"},
		{"a..b", "", "is not a domain name"},
		{strings.Repeat("x.", 130), "", "is not a domain name"},
		{"citt\u00e0.it", "", "write its xn-- form"},
	} {
		z, err := Parse(c.origin, strings.NewReader(""), "")
		_, err2 := FromRecords(c.origin, nil)
		switch {
		case c.err == "" && (err != nil || err2 != nil || z.Origin() != c.want):
			t.Errorf("%q: %v, %v", c.origin, err, err2)
		case c.err != "" && (err == nil || err2 == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%q: got %v, %v, want %s", c.origin, err, err2, c.err)
		}
	}
}

func TestFromRecordsLoadsEachByItself(t *testing.T) {
	z, err := FromRecords("comune.test", []string{
		"intranet 60 A 192.0.2.1",
		" www IN CNAME intranet ; remark",
		"@ MX 10 mail.comune.test.",
		"mail A 192.0.2.2",
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, z, []ask{
		{"one TTL is not the next one's", "mail.comune.test A", "NOERROR, mail.comune.test. 3600 IN A 192.0.2.2"},
		{"names are relative to the origin", "www.comune.test A", "NOERROR, www.comune.test. 3600 IN CNAME intranet.comune.test., intranet.comune.test. 60 IN A 192.0.2.1"},
		{"an SOA is made", "comune.test SOA", "NOERROR, comune.test. 3600 IN SOA comune.test. hostmaster.comune.test. 1 86400 7200 3600000 30"},
		{"and gives negatives a short life", "x.comune.test A", "NXDOMAIN; comune.test. 30 SOA"},
	})
}

func TestFromRecordsRefuses(t *testing.T) {
	for _, c := range []struct{ record, want string }{
		{"www A 300.1.1.1", `zone comune.test.: record 2 "www A 300.1.1.1": bad A A: "300.1.1.1"`},
		{"www A", "A without data"},
		{"", "there is no record"},
		{"; remark", "there is no record"},
		{"a A 192.0.2.1\nb A 192.0.2.2", "more than one record"},
		{"$INCLUDE /etc/passwd", "$INCLUDE"},
		{"lab NS ns.lab", "use a forward for lab.comune.test"},
		{"x.org. A 192.0.2.1", "x.org. is outside the zone comune.test."},
		{"ok CNAME x", "ok.comune.test. has a CNAME and other data"},
	} {
		t.Run(c.record, func(t *testing.T) {
			_, err := FromRecords("comune.test", []string{"ok A 192.0.2.1", c.record})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestTheLargestSetBehindTheLongestChainFitsAMessage(t *testing.T) {
	label := strings.Repeat("x", 61)
	var text strings.Builder
	for i := range maxLinks { // names of 255 octets, alike in no suffix but the root
		fmt.Fprintf(&text, "%s DNAME %s\n", longest(i, label), longest(i+1, label))
	}
	last := longest(maxLinks, label)
	for i := range 176 {
		fmt.Fprintf(&text, "y.%s TXT %03d%s\n", last, i, strings.Repeat("z", 7))
	}
	z := parse(t, ".", text.String())
	name := wire(t, "y."+longest(0, label))
	packed, err := z.Lookup(name, dns.TypeTXT).Pack(name, dns.TypeTXT)
	if err != nil || len(packed) > dns.MaxMsgSize {
		t.Fatalf("%d octets, %v", len(packed), err)
	}
	var m dns.Msg
	if err := m.Unpack(packed); err != nil || len(m.Answer) != 2*maxLinks+176 {
		t.Errorf("%d answers, %v", len(m.Answer), err)
	}
}

// longest is a name of 253 octets whose labels all contain i.
func longest(i int, label string) string {
	l := fmt.Sprintf("%02d%s.", i, label[:60])
	return l + l + l + l[:len(l)-3] + "."
}
