package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// plainGrants are grants as a town makes them, which must not need encoding/json at start.
func plainGrants() []Grant {
	created := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	var out []Grant
	for i, text := range []string{"inps.it", "*.inps.it", ".inps.it", "a-b.c_d.gov.it", strings.Repeat("a", 63) + ".it", "www.xn--citt-3na.it"} {
		r := rule(text)
		g := Grant{ID: GrantID(i + 1), Subject: Subject{Office: "anagrafe"}, Rule: &r, Channel: Web, Request: 7, Created: created, Version: 9}
		out = append(out, g)
		g.Subject, g.Channel, g.Types = Subject{Everyone: true}, Mail, []Type{TypeA, TypeMX, 65}
		out = append(out, g)
		g.From, g.Until, g.Schedule = "2026-03-02", "2026-03-02T18:00", "mon-fri 08:00-14:00; tue 15:00-17:00"
		out = append(out, g)
		g.Revoked = &Revocation{At: created, By: `a "name", or two`, Reason: "x\ny"}
		out = append(out, g)
		g.Revoked, g.Rule, g.Service = nil, nil, "inps"
		out = append(out, g)
	}
	return out
}

func TestPlainGrantsAreReadAsJSONReadsThem(t *testing.T) {
	var g storedGrant
	for _, want := range plainGrants() {
		text, err := json.Marshal(&want)
		if err != nil {
			t.Fatal(err)
		}
		if !g.read(text) {
			t.Errorf("not read: %s", text)
			continue
		}
		sameGrant(t, &g, &want)
		var terms Grant
		if err := json.Unmarshal(fmt.Appendf(nil, `{"rule":".x.it"%s}`, g.terms), &terms); !g.revoked && err != nil {
			t.Errorf("terms of %s: %s, %v", text, g.terms, err)
		}
		terms.Rule, want.Rule = nil, nil
		if terms.terms() != want.terms() {
			t.Errorf("terms of %s: %s", text, g.terms)
		}
	}
}

func sameGrant(t *testing.T, got *storedGrant, want *Grant) {
	t.Helper()
	if got.revoked != (want.Revoked != nil) {
		t.Errorf("revoked: %v; want %+v", got.revoked, want)
	}
	if got.id != want.ID || string(got.office) != want.Office || (len(got.office) == 0) != want.Everyone || got.rule != (want.Rule != nil) {
		t.Errorf("read as %d, %q, %v; want %+v", got.id, got.office, got.rule, want)
	}
	if !got.rule && string(got.service) != want.Service || got.rule && (Rule{got.kind, Name(got.name())}) != *want.Rule {
		t.Errorf("opens %q, %v; want %s", got.service, Rule{got.kind, Name(got.name())}, want.Opens())
	}
}

func TestWhatIsNoPlainGrantIsLeftToJSON(t *testing.T) {
	var g storedGrant
	for name, text := range map[string]string{
		"nothing":                   ``,
		"a grant of a role":         `{"id":"g-1","role":"server","rule":"a.it","channel":"web","request":"r-1","created":"x","version":1}`,
		"members in another order":  `{"office":"a","id":"g-1","rule":"a.it","channel":"web","request":"r-1","created":"x","version":1}`,
		"two subjects":              `{"id":"g-1","office":"a","everyone":true,"rule":"a.it","channel":"web","request":"r-1","created":"x","version":1}`,
		"no subject":                `{"id":"g-1","rule":"a.it","channel":"web","request":"r-1","created":"x","version":1}`,
		"an upper-case name":        `{"id":"g-1","office":"a","rule":"A.it","channel":"web","request":"r-1","created":"x","version":1}`,
		"a name with an empty part": `{"id":"g-1","office":"a","rule":"a..it","channel":"web","request":"r-1","created":"x","version":1}`,
		"a name with a final dot":   `{"id":"g-1","office":"a","rule":"a.it.","channel":"web","request":"r-1","created":"x","version":1}`,
		"a sign alone":              `{"id":"g-1","office":"a","rule":"*.","channel":"web","request":"r-1","created":"x","version":1}`,
		"an escape":                 `{"id":"g-1","office":"a","rule":"a\u002eit","channel":"web","request":"r-1","created":"x","version":1}`,
		"a long label":              `{"id":"g-1","office":"a","rule":"` + strings.Repeat("a", 64) + `.it","channel":"web","request":"r-1","created":"x","version":1}`,
		"a long name":               `{"id":"g-1","office":"a","rule":"` + strings.Repeat("a.", 127) + `it","channel":"web","request":"r-1","created":"x","version":1}`,
		"number 0":                  `{"id":"g-0","office":"a","rule":"a.it","channel":"web","request":"r-1","created":"x","version":1}`,
		"a number beyond 32 bits":   `{"id":"g-4294967296","office":"a","rule":"a.it","channel":"web","request":"r-1","created":"x","version":1}`,
		"more after the end":        `{"id":"g-1","office":"a","rule":"a.it","channel":"web","request":"r-1","created":"x","version":1}}`,
		"a cut one":                 `{"id":"g-1","office":"a","rule":"a.it","channel":"web","request":"r-1"`,
	} {
		if g.read([]byte(text)) {
			t.Errorf("%s: read as %d, %q, %s", name, g.id, g.office, Name(g.name()))
		}
	}
}

// What is read without encoding/json, encoding/json reads alike, or refuses for what the rules do not look at.
func FuzzStoredGrant(f *testing.F) {
	for _, g := range plainGrants() {
		text, err := json.Marshal(&g)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var fast storedGrant
		var slow Grant
		if !fast.read(text) || fast.revoked || json.Unmarshal(text, &slow) != nil {
			return
		}
		// A member written twice, which Put never does, could hide among the terms.
		var terms map[string]json.RawMessage
		if json.Unmarshal(append(append([]byte("{"), fast.terms[1:]...), '}'), &terms) != nil {
			return
		}
		for _, known := range []string{"channel", "types", "from", "until", "schedule"} {
			delete(terms, known)
		}
		if len(terms) == 0 {
			sameGrant(t, &fast, &slow)
		}
	})
}
