package policy

import (
	"strings"
	"testing"
)

func TestNamesAreReadIntoCanonicalWireForm(t *testing.T) {
	for _, tc := range []struct{ about, text, wire string }{
		{"a host", "www.inps.it", "\x03www\x04inps\x02it\x00"},
		{"upper case is folded", "WWW.Inps.IT", "\x03www\x04inps\x02it\x00"},
		{"a final dot changes nothing", "www.inps.it.", "\x03www\x04inps\x02it\x00"},
		{"the root", ".", "\x00"},
		{"a single label", "intranet", "\x08intranet\x00"},
		{"an escaped dot belongs to its label", `a\.b.it`, "\x03a.b\x02it\x00"},
		{"any octet by number", `\000\255.it`, "\x02\x00\xff\x02it\x00"},
		{"an escaped capital is folded too", `\065.it`, "\x01a\x02it\x00"},
		{"an internationalised name", "città.it", "\x0cxn--citt-3na\x02it\x00"},
		{"a service name", "_imaps._tcp.comune.it", "\x06_imaps\x04_tcp\x06comune\x02it\x00"},
		{"a name of 255 octets", strings.Repeat("a.", 127), strings.Repeat("\x01a", 127) + "\x00"},
		{"a label of 63", strings.Repeat("x", 63), "\x3f" + strings.Repeat("x", 63) + "\x00"},
	} {
		t.Run(tc.about, func(t *testing.T) {
			if n, err := ParseName(tc.text); err != nil || string(n) != tc.wire {
				t.Errorf("ParseName(%q) = %q, %v; want %q", tc.text, string(n), err, tc.wire)
			}
		})
	}
}

func TestMalformedAndOverlongNamesAreRefused(t *testing.T) {
	for _, tc := range []struct{ about, text, piece string }{
		{"nothing", "", "empty"},
		{"an empty label", "a..it", "empty label"},
		{"a leading dot", ".it", "empty label"},
		{"a label of 64", strings.Repeat("x", 64) + ".it", "63 are the most"},
		{"256 octets", strings.Repeat("a.", 126) + "ab", "255 are the most"},
		{"a million octets", strings.Repeat("abc.", 250_000), "255 are the most"},
		{"a million octets beyond ASCII", strings.Repeat("é一", 200_000), "255 are the most"},
		{"a lone backslash", `a\`, "stands at the end"},
		{"two digits", `a\12`, "three digits"},
		{"digits and a letter", `a\12x`, "three digits"},
		{"no octet", `a\256`, "no octet"},
		{"broken IDNA", "xn--\u00e9.it", "internationalised"},
	} {
		t.Run(tc.about, func(t *testing.T) {
			n, err := ParseName(tc.text)
			if err == nil || !strings.Contains(err.Error(), tc.piece) || len(err.Error()) > 250 {
				t.Errorf("ParseName = %q, %v; want a short error with %q", string(n), err, tc.piece)
			}
		})
	}
}

func TestNamesAreWrittenSafely(t *testing.T) {
	for wire, want := range map[Name]string{
		"\x00":                      ".",
		"":                          ".",
		"\x03www\x04inps\x02it\x00": "www.inps.it",
		"\x03a.b\x00":               `a\.b`,
		"\x05a\x00\n\xff\x1b\x00":   `a\000\010\255\027`,
		"\x08<script>\x00":          `\<script\>`,
		"\x04\"';$\x00":             `\"\'\;\$`,
		"\x02 \x7f\x00":             `\032\127`,
	} {
		if got := wire.String(); got != want {
			t.Errorf("%q is written %s; want %s", string(wire), got, want)
		}
	}
}

func TestNamesKnowTheirPlaceInTheTree(t *testing.T) {
	n := name("www.inps.it")
	if n.Labels() != 3 || Root.Labels() != 0 || n.Parent() != name("inps.it") || Root.Parent() != Root {
		t.Error("labels or parent are wrong")
	}
	for _, tc := range []struct {
		lower, upper string
		under        bool
	}{
		{"www.inps.it", "inps.it", true}, {"inps.it", "inps.it", true}, {"inps.it", ".", true}, {".", ".", true},
		{"inps.it", "www.inps.it", false}, {"xinps.it", "inps.it", false}, {`www\.inps.it`, "inps.it", false}, {".", "it", false},
	} {
		if got := name(tc.lower).Under(name(tc.upper)); got != tc.under {
			t.Errorf("%s under %s: %v", tc.lower, tc.upper, got)
		}
	}
}
