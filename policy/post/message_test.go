package post

import (
	"strings"
	"testing"
	"time"

	"usciere/policy"
)

func TestWhatCannotStandInAHeaderIsNotSent(t *testing.T) {
	good := func() *policy.Letter {
		return &policy.Letter{ID: 1, Kind: policy.Reminder, Issue: &policy.Issue{
			Language: "it", To: []string{"tributi@comune.example.it"}, MessageID: "l-1.x@comune.example.it", At: time.Now(),
		}}
	}
	s := &Server{From: "ced@comune.example.it", Name: "Comune"}
	if _, err := s.message(good(), policy.Paper{}); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*policy.Letter){
		"a line end in the address":    func(l *policy.Letter) { l.Issue.To = []string{"a@b.it\r\nBcc: c@d.it"} },
		"two addresses in one":         func(l *policy.Letter) { l.Issue.To = []string{"a@b.it,c@d.it"} },
		"a name before the address":    func(l *policy.Letter) { l.Issue.To = []string{"A <a@b.it>"} },
		"a line end in the copy":       func(l *policy.Letter) { l.Issue.To = append(l.Issue.To, "a@b.it\nX: y") },
		"a line end in the Message-ID": func(l *policy.Letter) { l.Issue.MessageID = "x@y>\r\nBcc: c@d.it" },
		"a line end in the language":   func(l *policy.Letter) { l.Issue.Language = "it\nX: y" },
		"no address":                   func(l *policy.Letter) { l.Issue.To = nil },
		"no issue":                     func(l *policy.Letter) { l.Issue = nil },
	} {
		l := good()
		spoil(l)
		if m, err := s.message(l, policy.Paper{}); err == nil {
			t.Errorf("%s: %v", name, m)
		}
	}
	l := good()
	l.Content.Protocol, l.Kind = "1/2026\r\nBcc: c@d.it", policy.DenialNotice
	s.Name = "Comune\r\nBcc: c@d.it"
	m, err := s.message(l, policy.Paper{Text: "x", Page: "y"})
	if err != nil {
		return // refused
	}
	var out strings.Builder
	if _, err := m.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "Bcc:") {
			t.Errorf("a header of somebody else's:\n%s", out.String())
		}
	}
}
