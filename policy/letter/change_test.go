package letter

import (
	"slices"
	"strings"
	"testing"
	"time"

	"usciere/policy"
)

func TestANoticeIsIssuedUnderItsProtocolNumberOnly(t *testing.T) {
	w := open(t)
	first, second := w.notice("tributi", false), w.notice("tributi", false)
	w.apply(Register{Letter: first, Protocol: "0088/2026", Style: style})
	for _, test := range []struct {
		name   string
		change Register
		code   policy.Code
		want   []string
	}{
		{"no number", Register{Letter: second}, policy.Invalid, []string{"without an outgoing protocol number (R6)", "(Art. 6)"}},
		{"no such number", Register{Letter: second, Protocol: "88-2026"}, policy.Invalid, []string{"is no protocol number", "(Art. 6)"}},
		{"a number that is taken", Register{Letter: second, Protocol: "88/2026"}, policy.Conflict, []string{"is the outgoing number of letter l-1 already", "(Art. 6)"}},
		{"a day to come", Register{Letter: second, Protocol: "89/2026", Date: "2026-03-03"}, policy.Invalid, []string{"2026-03-03 is in the future"}},
		{"a day before the request", Register{Letter: second, Protocol: "89/2026", Date: "2026-03-01"}, policy.Invalid, []string{"2026-03-01 is before that of the request that it answers, 2026-03-02"}},
		{"a minute", Register{Letter: second, Protocol: "89/2026", Date: "2026-03-02T08:00"}, policy.Invalid, []string{"is no day"}},
		{"what is no day", Register{Letter: second, Protocol: "89/2026", Date: "oggi"}, policy.Invalid, []string{"is no date"}},
		{"a letter that is issued", Register{Letter: first, Protocol: "89/2026"}, policy.Conflict, []string{"letter l-1 was issued on 2026-03-02 under protocol 88/2026", "resend"}},
		{"no such letter", Register{Letter: 9, Protocol: "89/2026"}, policy.NotFound, []string{"there is no letter l-9"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := w.journal()
			_, err := w.Apply(policy.Actor{Name: "test"}, test.change)
			if !policy.IsCode(err, test.code) {
				t.Fatalf("%v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if w.journal() != before {
				t.Error("it is journalled")
			}
		})
	}
	w.now = w.now.AddDate(0, 0, 3)
	w.apply(Register{Letter: second, Protocol: "89/2026", Date: "2026-03-03", Style: style})
	l, _, _ := w.letter(second)
	if l.State != policy.Issued || l.Issue.Protocol != "89/2026" || l.Issue.Date != "2026-03-03" || !l.Issue.At.Equal(w.now) {
		t.Errorf("%+v, %+v", l, l.Issue)
	}
}

func TestAnIssuedLetterIsWrittenAgainOctetByOctet(t *testing.T) {
	w := open(t)
	long := style
	long.Heading, long.Signature = []string{"CED  e  reti", "Via 1"}, "Il dirigente\nP. Ferri"
	id := w.notice("tributi", false)
	w.apply(Register{Letter: id, Protocol: "88/2026", Style: long})
	if long.Heading[0] != "CED  e  reti" {
		t.Error("the heading of the settings was changed")
	}
	// What comes later leaves it as it is.
	name := "Altro nome"
	w.now = w.now.AddDate(1, 0, 0)
	w.apply(policy.ChangeOffice{ID: "tributi", Name: &name}, policy.AssignSeat{Seat: "dirigente-tributi", Holder: "N. Nuovi"})
	l, paper, _ := w.letter(id)
	again, err := Render(l, "")
	if err != nil {
		t.Fatal(err)
	}
	if again != paper {
		t.Errorf("written again:\n%s\nstored:\n%s", again.Text, paper.Text)
	}
	if Digest(again) != l.Issue.Digest {
		t.Error("the digest is another's")
	}
	if !strings.HasSuffix(strings.TrimSpace(paper.Text), l.Issue.Head) || !strings.Contains(paper.Page, l.Issue.Head) || !strings.Contains(l.Issue.Head, ":") {
		t.Errorf("the journal's head %s is not at the foot:\n%s", l.Issue.Head, paper.Text)
	}
}

func TestLettersGoToTheOfficesMailboxAndToNobodyElse(t *testing.T) {
	for _, test := range []struct {
		name    string
		mailbox string
		urgent  bool
		seat    string // its mailbox
		noMail  bool
		want    []string
	}{
		{"to the office", "tributi@comune.example.it", false, "dirigente@comune.example.it", false, []string{"tributi@comune.example.it"}},
		{"urgent: to the seat too", "tributi@comune.example.it", true, "dirigente@comune.example.it", false, []string{"tributi@comune.example.it", "dirigente@comune.example.it"}},
		{"urgent, and the seat has none", "tributi@comune.example.it", true, "", false, []string{"tributi@comune.example.it"}},
		{"without a mailbox", "", false, "dirigente@comune.example.it", false, nil},
		{"without a mail server", "tributi@comune.example.it", true, "dirigente@comune.example.it", true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := open(t)
			w.apply(policy.ChangeOffice{ID: "tributi", Mailbox: &test.mailbox},
				policy.RemoveSeat{Seat: "dirigente-tributi"},
				policy.AddSeat{ID: "capo", Office: "tributi", Role: policy.Manager, Holder: "G. B.", From: "2025-01-01", Mailbox: test.seat})
			id := w.notice("tributi", test.urgent)
			s := style
			s.Mail = !test.noMail
			w.apply(Register{Letter: id, Protocol: "88/2026", Style: s})
			l, _, m := w.letter(id)
			if !slices.Equal(l.Issue.To, test.want) || (m != nil) != (len(test.want) > 0) {
				t.Errorf("to %q, outbox %+v; want %q", l.Issue.To, m, test.want)
			}
		})
	}
}

func TestALetterIsSentAgainAsItWasUnderTheSameMessageID(t *testing.T) {
	w := open(t)
	id := w.notice("tributi", false)
	if _, err := w.Apply(policy.Actor{}, Resend{Letter: id, Style: style}); !policy.IsCode(err, policy.Conflict) || !strings.Contains(err.Error(), "no protocol number yet") {
		t.Error(err)
	}
	w.apply(Register{Letter: id, Protocol: "88/2026", Style: style})
	issued, paper, _ := w.letter(id)
	if want := "l-1." + issued.Issue.Digest[:24] + "@comune.example.it"; issued.Issue.MessageID != want {
		t.Errorf("%s; want %s", issued.Issue.MessageID, want)
	}
	w.now = w.now.Add(time.Hour)
	w.apply(Sent{Letter: id, At: w.now})
	if l, _, m := w.letter(id); m != nil || l.State != policy.Sent || !l.Sent.Equal(w.now) {
		t.Errorf("%+v, outbox %+v", l, m)
	}
	if _, err := w.Apply(policy.Actor{}, Sent{Letter: id, At: w.now}); !policy.IsCode(err, policy.Conflict) {
		t.Errorf("noted twice: %v", err)
	}
	moved := "altra@comune.example.it"
	w.apply(policy.ChangeOffice{ID: "tributi", Mailbox: &moved}, Resend{Letter: id, Style: style})
	l, again, m := w.letter(id)
	if m == nil || !m.Next.Equal(w.now) || m.Attempts != 0 || l.State != policy.Issued || !slices.Equal(l.Issue.To, []string{moved}) {
		t.Errorf("%+v to %q, outbox %+v", l, l.Issue.To, m)
	}
	if again != paper || l.Issue.MessageID != issued.Issue.MessageID || l.Issue.Digest != issued.Issue.Digest {
		t.Error("it is another letter")
	}
	none := ""
	w.apply(policy.ChangeOffice{ID: "tributi", Mailbox: &none})
	for name, test := range map[string]struct {
		style Style
		want  string
	}{"no mailbox": {style, "has no mailbox that letters may go to (R10, R12)"}, "no server": {Style{}, "there is no mail server"}} {
		if _, err := w.Apply(policy.Actor{}, Resend{Letter: id, Style: test.style}); !policy.IsCode(err, policy.Conflict) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// writeForm writes a request as the page does.
type writeForm struct{ q policy.Request }

func (writeForm) Kind() string { return "test.form" }

func (c writeForm) Apply(e *policy.Edit) (policy.Made, error) {
	q, err := e.PutRequest(c.q)
	if err != nil {
		return policy.Made{}, err
	}
	l, err := WriteForm(e, q, token, style)
	return policy.Made{Body: Moved{l}}, err
}

func TestTheLinkOfAFormIsInTheLetterAlone(t *testing.T) {
	w := open(t)
	made := w.apply(writeForm{policy.Request{
		Office: "tributi", Seat: "dirigente-tributi", Date: "2026-03-02", Reason: "visure", State: policy.Submitted,
		Addresses: []string{"www.inps.it"}, Services: []string{"spid"}, Until: "2026-12-31",
		Link: &policy.Link{Digest: strings.Repeat("0", 64), Until: time.Date(2026, 3, 9, 8, 30, 0, 0, time.UTC)},
	}}).(Moved)
	l, paper, m := w.letter(made.Letter.ID)
	if l.State != policy.Issued || m == nil || l.Issue.Protocol != "" {
		t.Errorf("%+v, outbox %+v", l, m)
	}
	link := style.Portal + "/sign/" + token
	if !strings.Contains(paper.Text, link) || !strings.Contains(paper.Page, `href="`+link+`"`) || !strings.Contains(paper.Text, "9 marzo 2026, ore 09:30") {
		t.Errorf("no link in\n%s", paper.Text)
	}
	if spid, _ := w.Snapshot().Service("spid"); !strings.Contains(paper.Text, spid.Title) {
		t.Errorf("the service is not called %s", spid.Title)
	}
	if strings.Contains(w.journal(), token) {
		t.Error("the link is in the journal")
	}
	if again, err := Render(l, token); err != nil || again != paper {
		t.Error("with its link it is not the same again", err)
	}
	if without, err := Render(l, ""); err != nil || strings.Contains(without.Text+without.Page, "/sign/") {
		t.Error("without its link it has one", err)
	}
}
