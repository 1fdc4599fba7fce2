package townfile

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usciere/cmd/usciere/plainyaml"
	"usciere/policy"
	"usciere/policy/town"
)

// massa is the file of a small town as a person writes it.
const massa = `# Il comune di Massa
town: Comune di Massa
timezone: Europe/Rome
site: [10.20.0.0/16, 2001:db8:20::/48]
offices:
  anagrafe:
    name: Ufficio Anagrafe
    mailbox: anagrafe@comune.example.it
    networks: [10.20.1.0/24]
seats:
  dirigente-anagrafe: {office: anagrafe, role: manager, hosts: [10.20.1.9], holders: [{name: M. Rossi, from: 2025-09-01}]}
services:
  software-house: {rules: [.suite.example.com], source: "supplier's letter, protocol 3/2026"}
grants:
  - {office: anagrafe, service: inps, request: {protocol: 12/2026, date: 2026-03-02, seat: dirigente-anagrafe, reason: verifica posizioni contributive}}
  - {everyone: true, service: connectivity, request: {protocol: 1/2026, reason: sonde di connettività}}
`

func TestAFileIsReadAsAPersonMeansIt(t *testing.T) {
	f, err := Read(strings.NewReader(massa), "town.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &town.Document{
		Town: "Comune di Massa", Timezone: "Europe/Rome", Site: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("2001:db8:20::/48")},
		Offices: map[town.ID]town.Office{"anagrafe": {Name: "Ufficio Anagrafe", Mailbox: "anagrafe@comune.example.it", Networks: []netip.Prefix{netip.MustParsePrefix("10.20.1.0/24")}}},
		Seats: map[town.ID]town.Seat{"dirigente-anagrafe": {
			Office: "anagrafe", Role: policy.Manager, Hosts: []town.Workstation{{Addr: netip.MustParseAddr("10.20.1.9")}}, Holders: []town.Holder{{Name: "M. Rossi", From: "2025-09-01"}},
		}},
		Services: map[town.ID]town.Service{"software-house": {Rules: []town.ServiceRule{{Rule: ".suite.example.com"}}, Source: "supplier's letter, protocol 3/2026"}},
		Grants: []town.Grant{
			{Office: "anagrafe", Service: "inps", Request: &town.Request{Protocol: "12/2026", Date: "2026-03-02", Seat: "dirigente-anagrafe", Reason: "verifica posizioni contributive"}},
			{Everyone: true, Service: "connectivity", Request: &town.Request{Protocol: "1/2026", Reason: "sonde di connettività"}},
		},
	}
	if !reflect.DeepEqual(f.Document, want) {
		t.Errorf("%+v\nwant %+v", f.Document, want)
	}
	for path, at := range map[string]string{
		"grants[1].request.reason": "16:81", "grants[0]": "15:5", "seats.dirigente-anagrafe.hosts[0].addr": "11:65",
		"offices.anagrafe.networks[0]": "9:16", "offices.sport": "6:3", "nothing": "1:1",
	} {
		got := f.Place([]policy.Problem{{Path: path, Message: "m"}})[0]
		if fmt.Sprintf("%d:%d", got.Line, got.Column) != at {
			t.Errorf("%s is at %d:%d, want %s", path, got.Line, got.Column, at)
		}
	}
}

func TestReadNamesTheProblemAndItsPlace(t *testing.T) {
	const request = ", request: {protocol: 1/2026, reason: x}}"
	for _, tc := range []struct{ about, file, want string }{
		{"an unknown section", "ofices: {}", `1:1: unknown key "ofices": did you mean offices?`},
		{"an unknown key", "offices:\n  a: {name: A, colour: red}", `2:16: unknown key "colour" in offices.a: expected one of name, mailbox, ipa, networks, sinkhole`},
		{"a section twice", "offices: {}\nseats: {}\noffices: {}", "3:1: offices: given twice, first on line 1"},
		{"an office twice", "offices:\n  a: {name: A}\n  a: {name: B}", "3:3: offices.a: given twice, first on line 2"},
		{"an address twice, written in two ways", "hosts:\n  \"2001:db8::1\": {name: a}\n  \"2001:DB8:0::1\": {name: b}", "3:3: hosts.2001:db8::1: given twice, first on line 2"},
		{"an id with capitals", "offices:\n  Anagrafe: {name: A}", `2:3: offices: "Anagrafe" is no id of an office, a seat, a token or a service`},
		{"an office without a name", "offices:\n  a: {mailbox: a@b.it}", "2:6: offices.a: expected a key name"},
		{"an office of nothing", "offices:\n  a:\n", "2:3: offices.a: expected a key name"},
		{"an office with an empty name", "offices:\n  a: {name: \"\"}", "2:6: offices.a: name is empty"},
		{"a service without rules", "services:\n  a: {rules}", "2:6: services.a: rules is empty"},
		{"a list of offices", "offices: [a]", "1:10: offices: expected keys and values, such as id: {…}, found a list"},
		{"one grant for a list", "grants: {office: a}", "1:9: grants: expected a list, such as [a, b], found a mapping"},
		{"an empty grant", "grants:\n  - {everyone: true, service: a" + request + "\n  -\n", "3:5: grants[1]: empty"},
		{"a grant without a request", "grants:\n  - {office: a, service: b}", "2:5: grants[0]: a grant without a request cannot be made (Art. 5)"},
		{"a grant with an empty request", "grants:\n  - {office: a, service: b, request: }", "2:5: grants[0]: a grant without a request cannot be made (Art. 5)"},
		{"a network that is none", "offices:\n  a: {name: A, networks: [10.20.1.0/24, 10.20/16]}", `2:41: offices.a.networks[1]: "10.20/16" is no network: write it as 10.20.1.0/24`},
		{"an address that is none", "seats:\n  a: {office: b, hosts: [10.20.1]}", `2:26: seats.a.hosts[0].addr: "10.20.1" is no address: write it as 10.20.1.9`},
		{"a role that is none", "seats:\n  a: {office: b, role: boss}", `2:24: seats.a.role: "boss" is no role: the roles are employee, server, manager`},
		{"a minute for a day", "seats:\n  a: {office: b, holders: [{name: A, from: 2026-01-01T10:00}]}", `2:44: seats.a.holders[0].from: "2026-01-01T10:00" is no day`},
		{"a day that there is not", "grants:\n  - {office: a, service: b, until: 2026-02-30" + request, `2:36: grants[0].until: "2026-02-30" is no date`},
		{"a schedule that is none", "grants:\n  - {office: a, service: b, schedule: always" + request, `2:39: grants[0].schedule: schedule "always"`},
		{"a record type that is none", "grants:\n  - {office: a, service: b, types: [A, WORLD]" + request, `2:40: grants[0].types[1]: "WORLD" is no record type`},
		{"yes for true", "grants:\n  - {everyone: yes, service: b" + request, `2:16: grants[0].everyone: "yes" is neither true nor false`},
		{"an anchor", "offices: &a {}", `1:10: "&": anchors`},
		{"an alias bomb", "offices:\n  a: {name: &a [x]}\n  b: {name: [*a, *a]}", `2:13: "&": anchors`},
		{"lists in lists without end", "site: " + strings.Repeat("[", 1000), "nested too deep"},
		{"text in a block", "offices:\n  a: {name: A}\nservices:\n  \"a\": > # x\n    b\n", "4:8: text in block form (>) is not used here: write it in quotes on one line"},
		{"a quote in a name before a block", "offices:\n  a\"b: | # \"\n    b\n", "2:8: text in block form (|)"},
		{"a > before a # in quotes", `town: "a > # b"`, `1:10: text in block form (>) is not used here: write it in quotes on one line, in "…" with \u0023 for the # after it`},
		{"a second document", "offices: {}\n---\nseats: {}", "2:1: a second document: a file is one"},
		{"text for the file", "usciere", "1:1: the file: expected keys and values"},
		{"octets that are no UTF-8", "offices:\n  a: {name: \xff}", "2:1: not UTF-8 text"},
		{"a bracket that is not closed", "site: [", "not YAML"},
		{"one line that is too long", "town: " + strings.Repeat("x", limits.Octets), "1:1: larger than 8 MiB"},
	} {
		t.Run(tc.about, func(t *testing.T) {
			_, err := Read(strings.NewReader(tc.file), "town.yaml", nil)
			if !errors.As(err, new(plainyaml.Problems)) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v\nwant %s", err, tc.want)
			}
		})
	}
}

// A long file is read in pieces; places and repetitions are those of the whole.
func TestALongFileIsReadInPieces(t *testing.T) {
	var b strings.Builder
	b.WriteString("# a long file\nseats: {}\n\noffices: # by id\n")
	const n = 3*maxEntries + 7
	for i := range n {
		fmt.Fprintf(&b, "  # number %d\n  ufficio-%d:\n    name: Ufficio\n\n    ipa: \"%d\"\n", i, i, i)
	}
	b.WriteString("grants:\n")
	for i := range n {
		fmt.Fprintf(&b, "- office: ufficio-%d\n  rule: www.x%d.it\n  request: {protocol: 1/2026,\n    reason: x}\n", i, i)
	}
	heard := int64(0)
	f, err := Read(strings.NewReader(b.String()), "town.yaml", func(octets int64) { heard = octets })
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Document.Offices) != n || len(f.Document.Grants) != n || heard != int64(b.Len()) || len(f.Document.Seats) > 0 {
		t.Fatalf("%d offices, %d grants, %d octets", len(f.Document.Offices), len(f.Document.Grants), heard)
	}
	lines := strings.Split(b.String(), "\n")
	for _, i := range []int{0, 1, maxEntries - 1, maxEntries, maxEntries + 1, 2 * maxEntries, n - 1} {
		at := f.at(fmt.Sprintf("offices.ufficio-%d.ipa", i))
		if line := lines[at.Line-1]; line != fmt.Sprintf("    ipa: \"%d\"", i) || at.Column != 10 {
			t.Errorf("office %d is at %v: %q", i, at, line)
		}
		at = f.at(fmt.Sprintf("grants[%d].rule", i))
		if line := lines[at.Line-1]; line != fmt.Sprintf("  rule: www.x%d.it", i) || at.Column != 9 {
			t.Errorf("grant %d is at %v: %q", i, at, line)
		}
	}
	twice := strings.Replace(b.String(), "  ufficio-1400:", "  ufficio-3:", 1)
	if _, err := Read(strings.NewReader(twice), "t", nil); err == nil || !strings.Contains(err.Error(), "offices.ufficio-3: given twice, first on line 22") {
		t.Errorf("%v", err)
	}
}

// Any text comes back as it was written, wherever it stands.
func TestAnyTextIsReadAsItWasWritten(t *testing.T) {
	texts := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"", " ", "true", "null", "~", "1e5", "0x1F", "12/2026", "2026-01-01", "a: b", "a #b", "- a", "? a", "*a", "&a", "!a", "%a", "@a", "`a`", "it's", `"x"`, "a,b", "[a]", "{a}", "|", ">", "a |",
		"::1", "10.20.1.9", ".inf", "1_000", "a\nb", "a\tb", "\u0085", "\u2028", "\U0001f600", "è ß 語", "\\", `\n`, "'", "#", "---", "a---", "...", "=", "<<", "1:30", "on",
	}))
	rapid.Check(t, func(r *rapid.T) {
		text := texts.Draw(r, "text")
		doc := &town.Document{
			Town:    text,
			Offices: map[town.ID]town.Office{"a": {Name: text, Mailbox: text}},
			Grants:  []town.Grant{{Office: text, Rule: text, Request: &town.Request{Protocol: text, Reason: text, Asked: []string{text, text}}}, {Service: "x", Request: &town.Request{Protocol: text}}},
		}
		var out bytes.Buffer
		if err := Write(&out, doc); err != nil {
			r.Fatalf("%v", err)
		}
		f, err := Read(&out, "town.yaml", nil)
		if text == "" {
			return // an empty text is one left out
		}
		if err != nil {
			r.Fatalf("%q: %v", text, err)
		}
		if !reflect.DeepEqual(f.Document, doc) {
			r.Fatalf("%q\n%+v\nwant %+v", text, f.Document, doc)
		}
	})
}

// A > or | before a # in quotes is no head of a block scalar with a comment.
func TestTextLikeABlockScalarIsReadAsItWasWritten(t *testing.T) {
	for _, text := range []string{
		"vedi ticket -> #1234", "SUE | #12", "SUE |#12", ">2-  #", "| # > # |", "a >\t# b", `\> # "`, "# > #", "> \u00a0# |", "a | # b\nc > # d",
	} {
		doc := &town.Document{
			Offices: map[town.ID]town.Office{"a": {Name: text}},
			Grants:  []town.Grant{{Office: "a", Rule: "www.inps.it", Request: &town.Request{Protocol: "1/2026", Reason: text, Asked: []string{text, text}}}},
		}
		var out bytes.Buffer
		if err := Write(&out, doc); err != nil {
			t.Fatal(err)
		}
		written := out.String()
		f, err := Read(&out, "town.yaml", nil)
		if err != nil {
			t.Errorf("%q: %v\n%s", text, err, written)
		} else if !reflect.DeepEqual(f.Document, doc) {
			t.Errorf("%q\n%+v\nwant %+v", text, f.Document, doc)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(massa))
	for _, text := range []string{"grants:\n- a\n- {b\n", "offices:\n  a:\n  }\n", "a: [\n]\n", "\"offices\": {}\n", "--- \nsite: [::1]\n", "offices:\n\ta: b", "hosts: {? a}", "seats:\r\n  a: {office: b, hosts: [{addr: 10.0.0.1}]}\r\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		began := time.Now()
		file, err := Read(bytes.NewReader(data), "town.yaml", nil)
		if took := time.Since(began); took > 10*time.Second {
			t.Fatalf("%d octets took %s", len(data), took)
		}
		if err != nil {
			if !errors.As(err, new(plainyaml.Problems)) {
				t.Fatal(err)
			}
			return
		}
		var out bytes.Buffer
		if err := Write(&out, file.Document); err != nil {
			t.Fatal(err)
		}
		written := out.String()
		back, err := Read(&out, "town.yaml", nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		var again bytes.Buffer
		if err := Write(&again, back.Document); err != nil || again.String() != written {
			t.Fatalf("%s\nis read back as\n%s", written, again.String())
		}
	})
}
