package letter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"usciere/policy"
)

// document is a letter in words, before it is set as text or as a page.
type document struct {
	Lang      string
	Town      string
	Heading   []string
	Marks     []mark   // numbers and days
	To        []string // lines
	Subject   string
	Sections  []section
	Signature []string // lines above the place to sign; none: nobody signs
	Registry  string   // the place for the incoming number of a form
	Form      *document
	Foot      []string
}

// mark is a label and its value, or the place to write it where that is empty.
type mark struct{ Label, Value string }

type section struct {
	Title  string
	Blocks []block
}

// block is one of its members.
type block struct {
	Text  string     // a paragraph
	Quote string     // words of the office or of the IT head
	Items []string   // a list
	Head  []string   // of a table
	Rows  [][]string // as wide as Head
	Ticks []string   // a list to tick
	Link  string     // a URL
	Marks []mark     // to fill in by hand
	Lines int        // to write on
}

// Render writes a letter as it was, or is to be, issued; token is of a form's one-time link, which the record does not have.
// The same letter gives the same octets; a later version of the program may have other words, so the paper is kept as well.
func Render(l *policy.Letter, token string) (policy.Paper, error) {
	if l.Issue == nil {
		return policy.Paper{}, policy.Refusef(policy.Conflict, "enter its number with `usciere letter register "+l.ID.String()+" --protocol N/YYYY`",
			"letter %s is not issued: it has no protocol number yet", l.ID)
	}
	d := compose(l, token)
	d.clean()
	page, err := d.page()
	if err != nil {
		return policy.Paper{}, fmt.Errorf("set letter %s: %w", l.ID, err)
	}
	return policy.Paper{Text: d.text(), Page: page}, nil
}

// Draft is a letter as it would be issued now, with a blank for its number.
func Draft(l *policy.Letter, today policy.Moment, s Style) (policy.Paper, error) {
	draft := *l
	draft.Issue = issueOf(today, s)
	if l.Kind.Registered() {
		draft.Issue.Protocol = "________"
	}
	return Render(&draft, "")
}

// Subject is what an issued letter is about, on one line.
func Subject(l *policy.Letter) string { return cleanLine(compose(l, "").Subject) }

// writer composes one letter.
type writer struct {
	*words
	l       *policy.Letter
	c       *policy.LetterContent
	request string // how the request is called
}

func compose(l *policy.Letter, token string) *document {
	w := &writer{words: wordsOf(l.Issue.Language), l: l, c: &l.Content}
	w.request = w.words.request(l.Content.Protocol, l.Content.Date)
	d := &document{Lang: w.Tag, Town: l.Issue.Town, Heading: slices.Clone(l.Issue.Heading)}
	if l.Issue.Protocol != "" {
		d.Marks = append(d.Marks, mark{w.Protocol, l.Issue.Protocol})
	}
	d.Marks = append(d.Marks, mark{w.Dated, w.date(l.Issue.Date)})
	if l.Kind != policy.RequestForm {
		if l.Content.Date != "" {
			d.Marks = append(d.Marks, mark{w.About, w.request})
		}
		d.To = []string{w.To, w.c.OfficeName}
		if w.c.SeatName != "" {
			d.To = append(d.To, w.fill(w.Attention, "seat", w.c.SeatName))
		}
	}
	switch l.Kind {
	case policy.DecisionNotice:
		w.decision(d)
	case policy.DenialNotice:
		w.denial(d)
	case policy.RevocationNotice:
		w.revocation(d)
	case policy.Reminder:
		w.reminder(d)
	case policy.RequestForm:
		w.form(d, token)
	}
	if l.Kind.Registered() {
		d.Signature = strings.Split(cmp.Or(l.Issue.Signature, w.ITHead), "\n")
	}
	d.Foot = []string{w.fill(w.Journal, "id", l.ID.String()), l.Issue.Head}
	return d
}

func (w *writer) decision(d *document) {
	subject, said := w.DecisionSubject, w.DecisionWhole
	if len(w.c.Left) > 0 {
		subject, said = w.DecisionPartSubject, w.DecisionInPart
	}
	d.Subject = w.fill(subject, "topic", w.topic(w.c), "request", w.request)
	decided := []block{{Text: w.fill(said, "request", w.request, "signed", w.signed())}}
	if len(w.c.Opened) > 0 {
		decided = append(decided, block{Text: w.DecisionOpened}, w.opened())
	}
	if len(w.c.Left) > 0 {
		decided = append(decided, block{Text: w.DecisionLeft}, w.left())
	}
	if w.c.Renews != "" {
		decided = append(decided, block{Text: w.fill(w.DecisionReplaces, "request", w.label(w.c.Renews))})
	}
	why := []block{{Text: w.WebReasons}}
	if isMail(w.c) {
		why[0].Text = w.MailReasons
	}
	why = append(why, block{Quote: w.c.Reason})
	if g := w.ground(); g != "" {
		why = append(why, block{Text: g})
	}
	now := []block{{Text: w.DecisionNow}}
	switch openNow := func(o policy.Opening) bool { return o.From <= w.l.Issue.Date }; {
	case len(w.c.Opened) > 0 && !slices.ContainsFunc(w.c.Opened, openNow):
		now[0].Text = w.DecisionToCome
	case isMail(w.c):
		now[0].Text = w.DecisionNowMail
	}
	if slices.ContainsFunc(w.c.Opened, func(o policy.Opening) bool { return o.Until != "" }) {
		now = append(now, block{Text: w.GrantsEnd})
	}
	d.Sections = []section{{w.WhatWasDecided, decided}, {w.Why, why}, {w.WhatNow, append(now, w.ask()...)}}
}

func (w *writer) denial(d *document) {
	d.Subject = w.fill(w.DenialSubject, "topic", w.topic(w.c), "request", w.request)
	decided := []block{{Text: w.fill(w.DenialWhole, "request", w.request, "signed", w.signed())}}
	if len(w.c.Asked) > 0 {
		decided = append(decided, block{Text: w.DenialAsked}, block{Items: w.asked()})
	}
	why := []block{{Text: w.DenialWhy}, {Quote: w.c.Decision}}
	if len(w.c.Left) > 0 {
		why = append(why, w.left())
	}
	d.Sections = []section{{w.WhatWasDecided, decided}, {w.Why, why}, {w.WhatNow, append([]block{{Text: w.DenialNow}}, w.ask()...)}}
}

func (w *writer) revocation(d *document) {
	d.Subject = w.fill(w.RevocationSubject, "topic", w.topic(w.c), "request", w.request)
	ended := cmp.Or(w.c.Ends, w.l.Issue.Date)
	decided := []block{{Text: w.fill(w.RevocationWhole, "date", w.date(ended), "request", w.request)}, w.opened()}
	d.Sections = []section{
		{w.WhatWasDecided, decided}, {w.Why, []block{{Text: w.RevocationWhy}, {Quote: w.c.Decision}}},
		{w.WhatNow, append([]block{{Text: w.RevocationNow}}, w.ask()...)},
	}
}

func (w *writer) reminder(d *document) {
	ends := w.date(w.c.Ends)
	d.Subject = w.fill(w.ReminderSubject, "date", ends)
	now := []block{{Text: w.ReminderNow}}
	if w.l.Issue.Portal != "" {
		now = append(now, block{Text: w.ReminderPortal}, block{Link: w.l.Issue.Portal})
	}
	d.Sections = []section{
		{w.WhatWillEnd, []block{{Text: w.fill(w.ReminderWhole, "date", ends)}, w.opened()}},
		{w.Why, []block{{Text: w.fill(w.ReminderWhy, "request", w.request)}}},
		{w.WhatNow, append(now, block{Text: w.ReminderElse})},
	}
	var ticks []string
	for _, o := range w.c.Opened {
		ticks = append(ticks, w.opens(o.What, o.Title)+" ("+w.use(o.Channel)+")")
	}
	d.Form = &document{
		Subject: w.RenewalTitle,
		Sections: []section{{Blocks: []block{
			{Marks: []mark{{w.RenewalOffice, w.c.OfficeName}, {w.RenewalOf, w.request}}},
			{Text: w.RenewalWhat}, {Ticks: ticks}, {Text: w.RenewalReasons}, {Lines: 6},
			{Marks: []mark{{w.RenewalUntil, ""}, {w.SignDate, ""}, {w.SignName, ""}}},
		}}},
		Signature: []string{w.SignHere},
		Registry:  w.ForRegistry,
	}
}

func (w *writer) form(d *document, token string) {
	d.Subject = w.fill(w.FormSubject, "topic", w.topic(w.c))
	d.To = []string{w.ToITHead}
	asks := []block{{Text: w.fill(w.FormAsks, "office", w.c.OfficeName)}, {Items: w.asked()}}
	if w.c.From != "" || w.c.Until != "" {
		asks = append(asks, block{Text: w.fill(w.FormPeriod, "when", w.when(w.c.From, w.c.Until))})
	}
	if w.c.Renews != "" {
		asks = append(asks, block{Text: w.fill(w.FormRenews, "request", w.label(w.c.Renews))})
	}
	reasons := []block{{Quote: w.c.Reason}}
	if g := w.ground(); g != "" {
		reasons = append(reasons, block{Text: g})
	}
	d.Sections = []section{{w.FormTitle, asks}, {w.FormReasons, reasons}}
	if token != "" && w.l.Issue.Portal != "" {
		ends := ""
		if w.c.LinkEnds != "" {
			ends = w.fill(w.FormLinkEnds, "date", w.date(w.c.LinkEnds))
		}
		d.Sections = append(d.Sections, section{w.FormHow, []block{
			{Text: w.fill(w.FormByLink, "seat", cmp.Or(w.c.SeatName, w.c.Seat, w.FormSeat), "ends", ends)},
			{Link: strings.TrimRight(w.l.Issue.Portal, "/") + "/sign/" + token}, {Text: w.FormByHand},
		}})
	} else {
		d.Sections = append(d.Sections, section{w.FormHow, []block{{Text: w.FormOnlyByHand}}})
	}
	d.Signature = []string{cmp.Or(w.c.SeatName, w.FormManager), w.SignHere}
	d.Registry = w.ForRegistry
}

// signed says who signed the request, and for which seat.
func (w *writer) signed() string {
	switch seat := cmp.Or(w.c.SeatName, w.c.Seat); {
	case w.c.Holder == "":
		return ""
	case seat == "":
		return w.fill(w.SignedByHolder, "holder", w.c.Holder)
	default:
		return w.fill(w.SignedBy, "holder", w.c.Holder, "seat", seat)
	}
}

// asked is what was asked for, in words.
func (w *writer) asked() []string {
	out := make([]string, len(w.c.Asked))
	for i, what := range w.c.Asked {
		out[i] = w.opens(what, "")
	}
	return out
}

func (w *writer) ground() string {
	switch w.c.Ground {
	case policy.OutsideBodies:
		return w.GroundOutside
	case policy.CourtActs:
		return w.GroundCourt
	case policy.ActsOfOutsiders:
		return w.GroundActs
	}
	return ""
}

// opened is the table of what is granted or ends; a column that says nothing is left out.
func (w *writer) opened() block {
	b := block{Head: []string{w.ColumnWhat, w.ColumnUse, w.ColumnWhen, w.ColumnOn}}
	limited := false
	for _, o := range w.c.Opened {
		b.Rows = append(b.Rows, []string{w.opens(o.What, o.Title), w.use(o.Channel), w.when(o.From, o.Until), w.limits(o.Terms)})
		limited = limited || o.Terms != ""
	}
	if !limited {
		b.Head = b.Head[:3]
		for i := range b.Rows {
			b.Rows[i] = b.Rows[i][:3]
		}
	}
	return b
}

func (w *writer) left() block {
	b := block{Head: []string{w.ColumnWhat, w.ColumnReason}}
	for _, left := range w.c.Left {
		b.Rows = append(b.Rows, []string{w.opens(left.What, ""), left.Why})
	}
	return b
}

// ask says how to ask for more.
func (w *writer) ask() []block {
	if w.l.Issue.Portal != "" {
		return []block{{Text: w.AskAtPortal}, {Link: w.l.Issue.Portal}, {Text: w.Contact}}
	}
	return []block{{Text: w.AskInWriting}, {Text: w.Contact}}
}
