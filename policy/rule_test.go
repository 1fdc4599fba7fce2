package policy

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestDomainRulesAreReadAsPeopleWriteThem(t *testing.T) {
	for _, tc := range []struct{ about, text, want, note string }{
		{"a name is exactly that name", "www.inps.it", "www.inps.it", ""},
		{"a star is every name below", "*.inps.it", "*.inps.it", ""},
		{"a dot is the name and all below", ".inps.it", ".inps.it", ""},
		{"spaces around and capitals are forgiven", "  WWW.INPS.IT ", "www.inps.it", ""},
		{"a final dot is forgiven", "www.inps.it.", "www.inps.it", ""},
		{"the address of a page counts as its host", "https://www.inps.it/it/it.html?x=1#y", "www.inps.it", "using the host of the address: www.inps.it"},
		{"with user and port", "http://user@www.inps.it:8080/", "www.inps.it", ".inps.it would open all below it"},
		{"without a scheme", "www.inps.it/servizi", "www.inps.it", "that name only"},
		{"with a port only", "www.inps.it:443", "www.inps.it", "that name only"},
		{"IDNA", "città.it", "xn--citt-3na.it", ""},
		{"a full-width dot is a dot", "www．inps．it", "www.inps.it", ""},
		{"underscores are names too", "_dmarc.inps.it", "_dmarc.inps.it", ""},
		{"hyphens in the third and fourth place exist", "r3---sn-4g5e.googlevideo.com", "r3---sn-4g5e.googlevideo.com", ""},
		{"a host that is a private suffix, by itself", "github.io", "github.io", ""},
		{"a subtree below a private suffix", ".comune.github.io", ".comune.github.io", ""},
	} {
		t.Run(tc.about, func(t *testing.T) {
			r, note, err := ParseRule(tc.text)
			if err != nil || r.String() != tc.want || !strings.Contains(note, tc.note) || (note == "") != (tc.note == "") {
				t.Errorf("ParseRule(%q) = %s, %q, %v; want %s, %q", tc.text, r, note, err, tc.want, tc.note)
			}
		})
	}
}

func TestWhatIsNoDomainRuleIsRefused(t *testing.T) {
	const suffix = "public suffix"
	for _, tc := range []struct{ about, text, piece string }{
		{"nothing", " ", "empty"},
		{"a top-level domain as a subtree", ".it", suffix},
		{"a top-level domain as a star", "*.it", suffix},
		{"a top-level domain by itself", "it", suffix},
		{"a public suffix as a subtree", ".gov.it", suffix},
		{"a public suffix as a star", "*.gov.it", suffix},
		{"a public suffix by itself", "gov.it", suffix},
		{"a regional suffix", ".toscana.it", suffix},
		{"a private suffix as a subtree", ".github.io", suffix},
		{"a private suffix as a star", "*.github.io", suffix},
		{"a name all of whose children are suffixes", ".kawasaki.jp", suffix},
		{"a suffix under a full-width dot", "*．gov．it", "star where none can be"},
		{"everything", ".", "give the whole name"},
		{"a star", "*", "star where none can be"},
		{"a star in the middle", "www.*.it", "star where none can be"},
		{"two stars", "*.*.it", "star where none can be"},
		{"a star within a label", "w*.inps.it", "star where none can be"},
		{"a star in the address of a page", "https://*.inps.it/", "star where none can be"},
		{"a single label", "intranet", "single label"},
		{"an IPv4 address", "10.1.2.3", "is an address"},
		{"an IPv4 address with a final dot", "10.1.2.3.", "is an address"},
		{"an IPv4 address in full-width digits", "１０.1.2.3", "is an address"},
		{"everything below an IPv4 address", "*.10.1.2.3", "is an address"},
		{"an IPv4 address as a page", "https://10.1.2.3/x", "is an address"},
		{"an IPv6 address as a page", "https://[2001:db8::1]/x", "is an address"},
		{"a mail address", "info@inps.it", "not a valid name"},
		{"a list", "a.inps.it,b.inps.it", "not a valid name"},
		{"a space within", "www inps.it", "not a valid name"},
		{"an escape", `www\.inps.it`, "not a valid name"},
		{"an empty label", "www..inps.it", "empty label"},
		{"an empty label by an invisible character", "\u00ad.inps.it", "empty label"},
		{"a leading hyphen", "-www.inps.it", "hyphen"},
		{"a trailing hyphen", "www-.inps.it", "hyphen"},
		{"a label of 64", strings.Repeat("x", 64) + ".it", "63 are the most"},
		{"an over-long name", strings.Repeat("abcdefg.", 32) + "it", "255 are the most"},
		{"an over-long name beyond ASCII", strings.Repeat("é一", 200_000), "255 are the most"},
		{"a page without a host", "https:///x", "no address of a page"},
		{"broken punycode", "xn--a.it", "not a valid name"},
		{"broken UTF-8", "0.\x80", "not a valid name"},
		{"a line break", "www.inps.it\nexample.com", "not a valid name"},
	} {
		t.Run(tc.about, func(t *testing.T) {
			r, _, err := ParseRule(tc.text)
			if !IsCode(err, Invalid) || !strings.Contains(err.Error(), tc.piece) {
				t.Errorf("ParseRule(%q) = %s, %v; want a refusal with %q", tc.text, r, err, tc.piece)
			}
		})
	}
}

func TestRulesCoverExactlyWhatTheySay(t *testing.T) {
	for _, tc := range []struct{ rule, covers, not string }{
		{"inps.it", "inps.it", "www.inps.it a.b.inps.it xinps.it it"},
		{"*.inps.it", "www.inps.it a.b.inps.it", "inps.it xinps.it www.xinps.it it"},
		{".inps.it", "inps.it www.inps.it a.b.inps.it", "xinps.it inps.it.example.com it"},
	} {
		r := rule(tc.rule)
		for n := range strings.FieldsSeq(tc.covers) {
			if !r.Covers(name(n)) {
				t.Errorf("%s does not cover %s", r, n)
			}
		}
		for n := range strings.FieldsSeq(tc.not) {
			if r.Covers(name(n)) {
				t.Errorf("%s covers %s", r, n)
			}
		}
	}
}

func TestRecordsSurviveJSON(t *testing.T) {
	r := rule("*.inps.it")
	g := Grant{ID: 17, Subject: Subject{Office: "anagrafe"}, Rule: &r, Channel: Web, Types: []Type{TypeA, 1234}, From: "2026-03-02", Request: 3}
	data, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{`"g-17"`, `"*.inps.it"`, `"TYPE1234"`, `"r-3"`} {
		if !strings.Contains(string(data), piece) {
			t.Errorf("%s lacks %s", data, piece)
		}
	}
	var back Grant
	if err := json.Unmarshal(data, &back); err != nil || *back.Rule != r || back.ID != 17 || back.Types[1] != 1234 {
		t.Errorf("read back as %+v, %v", back, err)
	}
	for _, bad := range []string{`{"id":"g-0"}`, `{"id":"17x"}`, `{"types":["AAA"]}`, `{"rule":"a..b"}`, `{"rule":"."}`, `{"rule":"*."}`, `{"rule":""}`, `{"channel":"fax"}`, `{"until":"soon"}`, `{"schedule":"often"}`, `{"role":"boss"}`, `{"request":"q-1"}`} {
		if err := json.Unmarshal([]byte(bad), new(Grant)); !IsCode(err, Invalid) {
			t.Errorf("%s: %v; want a refusal", bad, err)
		}
	}
}
