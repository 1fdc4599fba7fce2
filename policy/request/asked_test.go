package request_test

import (
	"strings"
	"testing"

	"usciere/policy"
	"usciere/policy/request"
)

func TestAddressesAreReadAsTheLetterHasThem(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"www.inps.it", "www.inps.it"},
		{" https://WWW.inps.it:443/portale?x=1 ", "www.inps.it"},
		{"inps.it e sottodomini", ".inps.it"},
		{"inps.it, e tutti i sottodomini", ".inps.it"},
		{"https://www.inps.it/a E SOTTODOMINI", ".www.inps.it"},
		{"inps.it and all subdomains", ".inps.it"},
		{"inps.it mit Subdomains", ".inps.it"},
		{".inps.it", ".inps.it"},
		{"*.inps.it", "*.inps.it"},
		{"*.inps.it e sottodomini", "*.inps.it"},
		{"perché.example.it", "xn--perch-fsa.example.it"},
		{"gov.it e sottodomini", "error: public suffix"},
		{"e sottodomini", "error: not a valid name"},
		{"inps.ite sottodomini", "error: not a valid name"},
		{"inps.it e altri", "error: not a valid name"},
		{"", "error: empty"},
	} {
		rule, _, err := request.ParseAsked(tc.text)
		got := rule.String()
		if err != nil {
			got = "error: " + err.Error()
		}
		if want, failed := strings.CutPrefix(tc.want, "error: "); failed && !strings.Contains(got, want) || !failed && got != tc.want {
			t.Errorf("%q: %s; want %s", tc.text, got, tc.want)
		}
	}
}

func rule(text string) policy.Rule {
	r, _, err := policy.ParseRule(text)
	if err != nil {
		panic(err)
	}
	return r
}

// Within is held against what the rules cover, name by name.
func TestWithinIsWhatTheRulesCover(t *testing.T) {
	var names []policy.Name
	var rules []policy.Rule
	for _, base := range []string{"a.it", "b.a.it", "c.b.a.it", "x.a.it", "b.it"} {
		rules = append(rules, rule(base), rule("*."+base), rule("."+base))
		for _, below := range []string{"", "y.", "z.y."} {
			n, err := policy.ParseName(below + base)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, n)
		}
	}
	for _, inner := range rules {
		for _, outer := range rules {
			want := true
			for _, n := range names {
				want = want && (!inner.Covers(n) || outer.Covers(n))
			}
			if got := inner.Within(outer); got != want {
				t.Errorf("Within(%s, %s) = %v", inner, outer, got)
			}
		}
	}
}

func FuzzParseAsked(f *testing.F) {
	for _, s := range []string{"www.inps.it", "inps.it e sottodomini", "https://a.b/c", "\x00 e sottodomini", ".it", "*.a.it mit subdomains"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, _, err := request.ParseAsked(text)
		if err != nil {
			return
		}
		again, _, err := request.ParseAsked(r.String())
		if err != nil || again != r {
			t.Errorf("%q is %s, which is %s, %v", text, r, again, err)
		}
	})
}
