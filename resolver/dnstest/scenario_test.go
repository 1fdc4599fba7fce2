package dnstest

import (
	"reflect"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestAScenarioIsItsStatementsWithWhatIsIndentedBelow(t *testing.T) {
	s, err := ParseScenario("# A title.\r\n#\n# Some words.\n\nupstream \"two words\"  # a remark, with one \" in it\n" +
		"\ta.it 60 TXT \"x # y; z\" ; kept\n\nask 127.0.0.1 a.it TXT\n    → NOERROR; a.it 60 TXT \"x; \\\"y\"  # said\n    -> ede 4\nlast#word")
	if err != nil {
		t.Fatal(err)
	}
	want := &Scenario{Title: "A title.", Steps: []Step{
		{Line: Line{5, `upstream "two words"`}, Words: []string{"upstream", "two words"}, Block: []Line{{6, `a.it 60 TXT "x # y; z" ; kept`}}},
		{Line: Line{8, "ask 127.0.0.1 a.it TXT"}, Words: []string{"ask", "127.0.0.1", "a.it", "TXT"},
			Expects: []Line{{9, "NOERROR"}, {9, `a.it 60 TXT "x; \"y"`}, {10, "ede 4"}}},
		{Line: Line{11, "last#word"}, Words: []string{"last#word"}},
	}}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
}

func TestWhatIsNoScenarioIsRefusedWithItsLine(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"an empty text", "", "1: a scenario begins with its title"},
		{"no title", "ask x\n", "1: a scenario begins with its title"},
		{"an empty title", "# \nask x\n", "1: a scenario begins with its title"},
		{"nothing happens", "# T.\n\n# more\n", "4: nothing happens"},
		{"an indented line at the start", "# T.\n\n  www A 192.0.2.1\n", "3: an indented line belongs to a statement"},
		{"an expectation that is not indented", "# T.\nask x\n→ NOERROR\n", "3: what is expected is indented"},
		{"an empty expectation", "# T.\nask x\n  →\n", "3: an expectation that says nothing"},
		{"an empty part of one", "# T.\nask x\n  → a;; b\n", "3: an expectation that says nothing"},
		{"a quote that is not closed", "# T.\nask \"x\n", "2: a quote is not closed"},
		{"a quote in a block that is not closed", "# T.\nask x\n  \"y\n", "3: a quote is not closed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := ParseScenario(tc.text); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestAQuestionIsWordsAsDigHasThem(t *testing.T) {
	m, network, err := ParseQuestion(strings.Fields(`a\046B.it TYPE65280 CH +tcp +bufsize=4096 +dnssec +cdflag +adflag +norecurse +edns=1 +opcode=5 +ednsopt=65001`))
	if err != nil {
		t.Fatal(err)
	}
	opt := m.IsEdns0()
	if network != "tcp" || m.Question[0] != (dns.Question{Name: `a\046B.it.`, Qtype: 65280, Qclass: dns.ClassCHAOS}) || !m.CheckingDisabled ||
		!m.AuthenticatedData || m.RecursionDesired || m.Opcode != 5 || !opt.Do() || opt.UDPSize() != 4096 || opt.Version() != 1 || len(opt.Option) != 1 {
		t.Errorf("%s %v", network, m)
	}
	m, network, err = ParseQuestion([]string{".", "NS", "+noedns"})
	if err != nil || network != "udp" || m.IsEdns0() != nil || !m.RecursionDesired {
		t.Errorf("%s %v %v", network, m, err)
	}
	for _, tc := range []struct{ words, want string }{
		{"a.it", "a name and a type"},
		{"a..it A", `"a..it" is no name`},
		{"a.it AA", `"AA" is no type`},
		{"a.it TYPE65536", `"TYPE65536" is no type`},
		{"a.it A XX", `"XX" is no class`},
		{"a.it A +nothing", `"+nothing" is no option`},
		{"a.it A +bufsize=x", `"+bufsize=x" is no option`},
		{"a.it A +bufsize=-1", `"+bufsize=-1" is no option`},
	} {
		if _, _, err := ParseQuestion(strings.Fields(tc.words)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %s", tc.words, err, tc.want)
		}
	}
}

func FuzzParseScenario(f *testing.F) {
	f.Add("# A title.\n\ntown\n    office a 127.10.1.0/24\nask a www.inps.it A +tcp ×3 # remark\n    → NOERROR; …; ede 15 \"x;y\"\n")
	f.Add("# T.\nask \\\" \"\" \\\r\n -> a\n\t→ b;c\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseScenario(text)
		if err != nil {
			return
		}
		last := 1
		for _, step := range s.Steps {
			lines := append(append([]Line{step.Line}, step.Block...), step.Expects...)
			for _, line := range lines {
				if line.Text == "" || line.Text != strings.TrimSpace(line.Text) || line.Number < step.Number {
					t.Errorf("line %+v of step %+v", line, step)
				}
			}
			if step.Number <= last || len(step.Words) == 0 {
				t.Errorf("step %+v behind line %d", step, last)
			}
			last = step.Number
			if len(step.Words) < 2 {
				continue
			}
			if m, _, err := ParseQuestion(step.Words[1:]); err == nil {
				if _, err := m.Pack(); err != nil {
					t.Errorf("%q does not pack: %v", step.Words, err)
				}
			}
		}
	})
}
