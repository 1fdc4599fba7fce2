package request_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"usciere/policy"
	"usciere/policy/letter"
	"usciere/policy/request"
	"usciere/policy/store"
)

var (
	clerk = policy.Actor{UID: 1000, Name: "clerk", Via: "socket"}
	page  = policy.Actor{Name: "portal", Via: "portal"}
	rome  = mustLoad("Europe/Rome")
)

var mailboxes = map[string]string{"cultura": "p.gallo@comune.example.it"} // of seats

func mustLoad(zone string) *time.Location {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	return loc
}

// town is a small town with a clock of its own.
type town struct {
	*policy.Live
	t   *testing.T
	now time.Time
}

func newTown(t *testing.T) *town {
	t.Helper()
	st, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	w := &town{t: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, rome)}
	w.Live, err = policy.Open(st, policy.Town{Site: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}, Zone: rome}, func() time.Time { return w.now })
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{"anagrafe", "cultura"} {
		w.do(policy.AddOffice{ID: id, Name: "Ufficio " + id, Mailbox: id + "@comune.example.it",
			Networks: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 20, byte(i + 1), 0}), 24)}})
		w.do(policy.AddSeat{ID: "dirigente-" + id, Office: id, Holder: "M. Rossi", From: "2025-09-01", Mailbox: mailboxes[id]})
	}
	w.do(policy.AddSeat{ID: "impiegato", Office: "cultura", Role: policy.Employee, Holder: "L. Blu", From: "2025-09-01"})
	return w
}

func (w *town) do(c policy.Change) any {
	w.t.Helper()
	made, err := w.Apply(clerk, c)
	if err != nil {
		w.t.Fatalf("%s: %v", c.Kind(), err)
	}
	return made[0]
}

// move makes a change of this package.
func (w *town) move(c policy.Change) *request.Moved {
	w.t.Helper()
	return w.do(c).(*request.Moved)
}

func (w *town) refused(c policy.Change, want ...string) {
	w.t.Helper()
	_, err := w.Apply(clerk, c)
	if err == nil {
		w.t.Errorf("%+v was accepted; want a refusal with %q", c, want)
		return
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			w.t.Errorf("%+v: %v; want %q in it", c, err, part)
		}
	}
}

func (w *town) allows(office, name string) bool {
	w.t.Helper()
	s := w.Snapshot()
	c, ok := s.Employee(office)
	n, err := policy.ParseName(name)
	if !ok || err != nil {
		w.t.Fatal(office, name, err)
	}
	return s.Decide(&c, []byte(n), policy.TypeA, w.now).Action == policy.Allow
}

func asked(names ...string) request.Submit {
	return request.Submit{Office: "cultura", Names: names, Reason: "mostre e prestiti", Paper: request.Paper{Protocol: "88/2026", Date: "2026-03-01"}}
}

func TestARequestGoesItsWay(t *testing.T) {
	w := newTown(t)
	sent := w.move(asked("https://www.beniculturali.it/mostre", "sbn.it e sottodomini"))
	q := sent.Request
	if q.State != policy.Endorsed || q.Seat != "dirigente-cultura" || q.Holder != "M. Rossi" || len(q.Steps) != 2 {
		t.Fatalf("submitted: %+v", q)
	}
	if w.allows("cultura", "www.beniculturali.it") {
		t.Error("a request that is not decided opens something")
	}
	done := w.move(request.Approve{Request: q.ID})
	if len(done.Grants) != 2 || done.Request.State != policy.Approved || done.Request.DecidedBy != "clerk" {
		t.Fatalf("approved: %+v", done)
	}
	for name, want := range map[string]bool{"www.beniculturali.it": true, "beniculturali.it": false, "opac.sbn.it": true, "sbn.it": true} {
		if w.allows("cultura", name) != want {
			t.Errorf("%s allowed: %v", name, !want)
		}
	}
	if l := done.Letter; l.Kind != policy.DecisionNotice || l.State != policy.AwaitingProtocol || l.Request != q.ID || len(l.Content.Opened) != 2 || l.Content.Holder != "M. Rossi" {
		t.Errorf("notice: %+v", l)
	}
	over := w.move(request.Withdraw{Request: q.ID, Reason: "lettera 99/2026"})
	if w.allows("cultura", "www.beniculturali.it") || len(over.Ended) != 2 || over.Request.State != policy.Withdrawn || over.Letter.Kind != policy.RevocationNotice {
		t.Errorf("withdrawn: %+v", over)
	}
	if c := over.Letter.Content; c.Ends != "2026-03-02" || c.Left != nil || c.Decision != "lettera 99/2026" {
		t.Errorf("the notice says %+v", c)
	}
	w.refused(request.Withdraw{Request: q.ID, Reason: "x"}, "is withdrawn: it cannot be withdrawn")
}

func TestWhatIsMissingIsRefusedNamingTheArticle(t *testing.T) {
	w := newTown(t)
	w.do(policy.AddOffice{ID: "sport", Name: "Sport"})
	good := asked("www.inps.it")
	for _, tc := range []struct {
		name   string
		change func(*request.Submit)
		want   []string
	}{
		{"no office", func(c *request.Submit) { c.Office = "" }, []string{"the office is missing", "Art. 5"}},
		{"an unknown office", func(c *request.Submit) { c.Office = "turismo" }, []string{`no office "turismo"`}},
		{"no reasons", func(c *request.Submit) { c.Reason = " \n" }, []string{"the reasons are missing", "Art. 5 and 7", "--reason"}},
		{"no addresses", func(c *request.Submit) { c.Names = nil }, []string{"the addresses are missing", "Art. 7"}},
		{"no service for mail", func(c *request.Submit) { c.Names, c.Channel = nil, policy.Mail }, []string{"the service is missing", "Art. 3 and 5"}},
		{"no protocol number", func(c *request.Submit) { c.Protocol = "" }, []string{"protocol number is missing", "Art. 6", "--protocol"}},
		{"a wrong protocol number", func(c *request.Submit) { c.Protocol = "88-26" }, []string{"no protocol number"}},
		{"a letter of tomorrow", func(c *request.Submit) { c.Date = "2026-03-03" }, []string{"in the future"}},
		{"nobody held the seat then", func(c *request.Submit) { c.Date = "2025-08-31" }, []string{"nobody held the seat dirigente-cultura on 2025-08-31"}},
		{"no manager's seat", func(c *request.Submit) { c.Office = "sport" }, []string{"no seat of a responsible manager", "Art. 5"}},
		{"signed by an employee", func(c *request.Submit) { c.Seat = "impiegato" }, []string{"no manager's", "Art. 5"}},
		{"signed by another office's manager", func(c *request.Submit) { c.Seat = "dirigente-anagrafe" }, []string{"belongs to anagrafe", "Art. 5"}},
		{"a public suffix", func(c *request.Submit) { c.Names = []string{"gov.it e sottodomini"} }, []string{"public suffix"}},
		{"an address by number", func(c *request.Submit) { c.Names = []string{"192.0.2.1"} }, []string{"an address, not a name"}},
		{"mail on the web", func(c *request.Submit) { c.Names = []string{"autodiscover.example.it"} }, []string{"belongs to the mail"}},
		{"an end that is past", func(c *request.Submit) { c.Until = "2026-03-01" }, []string{"in the past"}},
		{"renewing what is not there", func(c *request.Submit) { c.Renews = 99 }, []string{"no request r-99"}},
		{"unsigned, with a number", func(c *request.Submit) { c.Unsigned = true }, []string{"a number, a date or a seat is signed"}},
		{"reasons without end", func(c *request.Submit) { c.Reason = strings.Repeat("x", 4001) }, []string{"4000 are the most"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := good
			tc.change(&c)
			(&town{w.Live, t, w.now}).refused(c, tc.want...)
		})
	}
	before := w.Snapshot().Version()
	w.move(good)
	w.refused(good, "protocol 88/2026 is already the request r-2 of cultura")
	if after := w.Snapshot().Version(); after != before+1 {
		t.Errorf("the refusals left %d entries in the journal", after-before-1)
	}
}

func TestADecisionNeedsASignatureANumberAndReasons(t *testing.T) {
	w := newTown(t)
	token := request.NewToken()
	c := request.Submit{Office: "cultura", Names: []string{"www.inps.it"}, Reason: "contributi", Unsigned: true,
		Link: &policy.Link{Digest: request.TokenDigest(token), Until: w.now.Add(time.Hour)}}
	q := w.move(c).Request
	if q.State != policy.Submitted || q.Protocol != "" || q.Seat != "" {
		t.Fatalf("%+v", q)
	}
	w.refused(request.Approve{Request: q.ID}, "not signed by the responsible manager", "Art. 5", "request endorse r-2")
	w.refused(request.Deny{Request: q.ID, Reason: "no"}, "not signed")
	for name, wrong := range map[string]request.Endorse{
		"another token":         {Request: q.ID, Token: "x", BySeat: "dirigente-cultura"},
		"an employee":           {Request: q.ID, Token: token, BySeat: "impiegato"},
		"another office's":      {Request: q.ID, Token: token, BySeat: "dirigente-anagrafe"},
		"a workstation of none": {Request: q.ID, Token: token},
	} {
		if _, err := w.Apply(page, wrong); err == nil {
			t.Errorf("%s signed it", name)
		}
	}
	late := w.now
	w.now = w.now.Add(time.Hour)
	w.refused(request.Endorse{Request: q.ID, Token: token, BySeat: "dirigente-cultura"}, "does not hold any more")
	w.now = late
	signed := w.move(request.Endorse{Request: q.ID, Token: token, BySeat: "dirigente-cultura"}).Request
	if signed.State != policy.Endorsed || signed.Holder != "M. Rossi" || signed.Link != nil {
		t.Errorf("%+v", signed)
	}
	w.refused(request.Endorse{Request: q.ID, Token: token, BySeat: "dirigente-cultura"}, "does not hold any more")
	w.refused(request.Approve{Request: q.ID}, "incoming protocol number is missing", "Art. 6")
	w.refused(request.Deny{Request: q.ID, Paper: request.Paper{Protocol: "90/2026"}}, "in writing, with its reasons", "Art. 7")
	denied := w.move(request.Deny{Request: q.ID, Paper: request.Paper{Protocol: "90/2026"}, Reason: "non serve all'ufficio"})
	if denied.Request.State != policy.Denied || denied.Letter.Kind != policy.DenialNotice || denied.Letter.Content.Decision != "non serve all'ufficio" || denied.Request.Protocol != "90/2026" {
		t.Errorf("%+v", denied)
	}
	w.refused(request.Approve{Request: q.ID}, "is denied: it cannot be approved")
}

func TestANoticeWithItsNumberIsIssuedWithTheDecision(t *testing.T) {
	w := newTown(t)
	first, second := w.move(letterOf("88/2026")).Request, w.move(letterOf("89/2026")).Request
	done := w.move(request.Deny{Request: first.ID, Reason: "non serve", Notice: request.Notice{Out: "120/2026", Urgent: true, Style: letter.Style{Mail: true}}})
	if l := done.Letter; l.State != policy.Issued || l.Issue.Protocol != "120/2026" || !slices.Equal(l.Issue.To, []string{"cultura@comune.example.it", "p.gallo@comune.example.it"}) {
		t.Errorf("%+v %+v", l, l.Issue)
	}
	before := w.Snapshot().Version()
	w.refused(request.Approve{Request: second.ID, Notice: request.Notice{Out: "120/2026"}}, "outgoing number of letter l-1 already")
	if w.Snapshot().Version() != before || w.allows("cultura", "www.inps.it") {
		t.Error("a refused notice left its decision behind")
	}
	waiting := 0
	err := w.View(func(r policy.Records) error {
		return r.EachMailing(func(*policy.Mailing) bool { waiting++; return true })
	})
	if err != nil || waiting != 1 {
		t.Errorf("%d letters are to be sent, %v", waiting, err)
	}
}

func TestTheRegisterCountsWhatComesInAndWhatGoesOutInOneSequence(t *testing.T) {
	w := newTown(t)
	first, second := w.move(letterOf("88/2026")).Request, w.move(letterOf("89/2026")).Request
	w.refused(request.Deny{Request: first.ID, Reason: "non serve", Notice: request.Notice{Out: "89/2026"}}, "protocol 89/2026 is already the request r-3 of cultura")
	w.refused(request.Deny{Request: first.ID, Reason: "non serve", Notice: request.Notice{Out: "88/2026"}}, "protocol 88/2026 is already the request r-2")
	w.move(request.Deny{Request: first.ID, Reason: "non serve", Notice: request.Notice{Out: "90/2026"}})
	w.refused(letterOf("90/2026"), "protocol 90/2026 is the outgoing number of letter l-1 already")
	w.refused(policy.AddGrants{Subject: policy.Subject{Office: "cultura"}, Names: []string{"www.inail.it"}, Protocol: "90/2026", Reason: "x"}, "outgoing number of letter l-1")
	w.refused(request.Approve{Request: second.ID, Notice: request.Notice{Out: "90/2026"}}, "outgoing number of letter l-1")
}

func letterOf(protocol string) request.Submit {
	c := asked("www.inps.it")
	c.Protocol = protocol
	return c
}

func TestApprovalMayTakeAPartAndSaysWhyNotTheRest(t *testing.T) {
	w := newTown(t)
	q := w.move(asked("www.inps.it", "www.youtube.com", "beniculturali.it")).Request
	w.refused(request.Approve{Request: q.ID, Names: []string{"www.inps.it"}}, "www.youtube.com, beniculturali.it: asked for, and not granted without a word", "--why-not")
	w.refused(request.Approve{Request: q.ID, WhyNot: "x"}, "everything that was asked for is granted")
	w.refused(request.Approve{Request: q.ID, Names: []string{".inps.it"}, WhyNot: "x"}, ".inps.it goes beyond what r-2 asks for, and would open .inps.it", "Art. 7", "--wider")
	w.refused(request.Approve{Request: q.ID, Names: []string{"inps"}, WhyNot: "x"}, "service inps goes beyond", ".inps.it, .inps.gov.it")
	w.refused(request.Approve{Request: q.ID, Names: []string{"www.inail.it"}, WhyNot: "x"}, "www.inail.it goes beyond")
	done := w.move(request.Approve{Request: q.ID, Names: []string{"inps", "beniculturali.it"}, WhyNot: "i video si vedono altrove", Wider: true, Until: "2026-12-31"})
	if l := done.Request.Left; len(l) != 1 || l[0].What != "www.youtube.com" || l[0].Why != "i video si vedono altrove" {
		t.Errorf("left %+v", l)
	}
	if wide := done.Request.Wider; len(wide) != 1 || !strings.HasPrefix(wide[0], "service inps: .inps.it") {
		t.Errorf("wider %q", wide)
	}
	if len(done.Letter.Content.Left) != 1 || done.Grants[0].Until != "2026-12-31" || !w.allows("cultura", "servizi2.inps.it") || w.allows("cultura", "www.youtube.com") {
		t.Errorf("%+v", done)
	}
}

func TestWhatTheOfficeHasAlreadyIsPointedOut(t *testing.T) {
	w := newTown(t)
	w.do(policy.AddGrants{Subject: policy.Subject{Office: "cultura"}, Names: []string{"inps", ".sbn.it"}, Protocol: "12/2026", Date: "2026-03-01", Reason: "x"})
	sent := w.move(asked("www.inps.it", "sbn.it e sottodomini", "www.sbn.it", "inps", "www.inail.it", ".inps.it"))
	notes := strings.Join(sent.Notes, "\n")
	for _, want := range []string{
		"www.inps.it: cultura already has it by g-2 (service inps), request 12/2026 of 2026-03-01",
		"sbn.it e sottodomini: cultura already has it by g-3 (.sbn.it)",
		"www.sbn.it: cultura already has it", "inps: cultura already has it by g-2", ".inps.it: cultura already has it",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes\n%s\nlack %q", notes, want)
		}
	}
	if strings.Contains(notes, "inail") {
		t.Errorf("notes: %s", notes)
	}
	done := w.move(request.Approve{Request: sent.Request.ID})
	if notes := strings.Join(done.Notes, "\n"); !strings.Contains(notes, ".sbn.it: cultura has it already by g-3, which stays") || len(done.Grants) != 4 {
		t.Errorf("%d grants, notes %s", len(done.Grants), notes)
	}
}

func TestANoticeNamesWhatTheOfficeHadAlready(t *testing.T) {
	w := newTown(t)
	w.do(policy.AddGrants{Subject: policy.Subject{Office: "cultura"}, Names: []string{"www.inps.it"}, Protocol: "12/2026", Date: "2026-03-01", Reason: "x"})
	done := w.move(request.Approve{Request: w.move(asked("www.inps.it")).Request.ID})
	if opened := done.Letter.Content.Opened; len(done.Grants) != 0 || len(opened) != 1 || opened[0].What != "www.inps.it" {
		t.Errorf("%d grants, the notice names %+v", len(done.Grants), opened)
	}
}

func TestARenewalOfMailAsksForMail(t *testing.T) {
	w := newTown(t)
	made := w.do(policy.AddGrants{Subject: policy.Subject{Office: "cultura"}, Names: []string{"example.it"}, Channel: policy.Mail, Protocol: "12/2026", Reason: "posta"}).(policy.GrantsAdded)
	done := w.move(request.Approve{Request: w.move(request.Submit{Office: "cultura", Renews: made.Request.ID, Reason: "x", Paper: request.Paper{Protocol: "13/2026"}}).Request.ID})
	if len(done.Grants) != 1 || done.Grants[0].Channel != policy.Mail {
		t.Errorf("%+v", done.Grants)
	}
}

func TestWhoSignedByTheLinkStandsWhateverBecomesOfTheSeat(t *testing.T) {
	w := newTown(t)
	token := request.NewToken()
	q := w.move(request.Submit{Office: "cultura", Names: []string{"www.inps.it"}, Reason: "x", Unsigned: true,
		Link: &policy.Link{Digest: request.TokenDigest(token), Until: w.now.Add(time.Hour)}}).Request
	w.move(request.Endorse{Request: q.ID, Token: token, BySeat: "dirigente-cultura"})
	w.do(policy.RemoveSeat{Seat: "dirigente-cultura"})
	done := w.move(request.Approve{Request: q.ID, Paper: request.Paper{Protocol: "90/2026"}}).Request
	if done.Holder != "M. Rossi" || done.Seat != "dirigente-cultura" || done.Protocol != "90/2026" {
		t.Errorf("%+v", done)
	}
}

func TestARenewalTakesThePlaceOfTheOldRequest(t *testing.T) {
	w := newTown(t)
	first := asked("www.inps.it", "www.inail.it")
	first.Until = "2026-04-30"
	old := w.move(request.Approve{Request: w.move(first).Request.ID})
	again := request.Submit{Office: "cultura", Renews: old.Request.ID, Reason: "la mostra continua", Until: "2027-04-30", Paper: request.Paper{Protocol: "140/2026"}}
	other := again
	other.Office = "anagrafe"
	w.refused(other, "r-2 is a request of cultura")
	sent := w.move(again)
	if len(sent.Notes) > 0 || len(sent.Request.Addresses) != 2 {
		t.Errorf("%+v", sent)
	}
	done := w.move(request.Approve{Request: sent.Request.ID})
	if len(done.Ended) != 2 || len(done.Grants) != 2 || done.Requests[0].State != policy.Renewed || done.Letter.Content.Renews == "" || done.Grants[0].Until != "2027-04-30" {
		t.Errorf("%+v", done)
	}
	w.refused(again, "r-2 is renewed: it cannot be renewed")
}

func TestARenewalThatBeginsLaterLeavesTheOfficeWhatItHas(t *testing.T) {
	again := func(from policy.Moment) request.Submit {
		return request.Submit{Office: "cultura", Renews: 2, Reason: "la mostra continua", From: from, Paper: request.Paper{Protocol: "140/2026"}}
	}
	for _, tc := range []struct {
		about       string
		until, from policy.Moment // of the old request, of the new one
		says        string        // why the approval is refused
		ended       int
	}{
		{"on the day after", "2026-04-30", "2026-05-01", "", 0},
		{"later still", "2026-04-30", "2026-06-01", "", 0},
		{"today", "2026-04-30", "2026-03-02", "", 1},
		{"before the old ends", "2026-04-30", "2026-04-30", "g-2 (www.inps.it), which runs beyond 2026-04-30", 0},
		{"before the old ends, by a minute", "2026-04-30T18:01", "2026-04-30T18:00", "g-2 (www.inps.it), which runs beyond 2026-04-30T18:00", 0},
		{"where the old has no end", "", "2026-05-01", "--from 2026-03-02 --wider", 0},
	} {
		t.Run(tc.about, func(t *testing.T) {
			w := newTown(t)
			first := asked("www.inps.it")
			first.Until = tc.until
			w.move(request.Approve{Request: w.move(first).Request.ID})
			q := w.move(again(tc.from)).Request
			if tc.says != "" {
				w.refused(request.Approve{Request: q.ID}, tc.says)
				w.move(request.Approve{Request: q.ID, From: "2026-03-02", Wider: true})
			} else if done := w.move(request.Approve{Request: q.ID}); len(done.Ended) != tc.ended || len(done.Requests) != tc.ended || done.Letter.Content.Renews == "" {
				t.Errorf("%+v", done)
			} else if tc.ended == 0 { // it can be taken back as before
				back := w.move(request.Withdraw{Request: q.ID, Reason: "x"})
				if back.Request.State != policy.Withdrawn || !w.allows("cultura", "www.inps.it") {
					t.Errorf("%+v", back)
				}
				w.move(request.Withdraw{Request: 2, Reason: "x"})
				if w.allows("cultura", "www.inps.it") {
					t.Error("what was taken back is open")
				}
				return
			}
			if !w.allows("cultura", "www.inps.it") {
				t.Error("the office is without it now")
			}
			if w.now = tc.until.End(rome).Add(-time.Second); tc.until != "" && !w.allows("cultura", "www.inps.it") {
				t.Error("the office is without it before its end")
			}
			if w.now = tc.from.Start(rome); !w.allows("cultura", "www.inps.it") {
				t.Error("the new request opens nothing on its day")
			}
		})
	}
}

func TestRequestsExpireWithTheLastOfTheirGrants(t *testing.T) {
	w := newTown(t)
	c := asked("www.inps.it")
	c.Until = "2026-04-30"
	q := w.move(request.Approve{Request: w.move(c).Request.ID}).Request
	over := func() (ids []policy.RequestID) {
		err := w.View(func(r policy.Records) (err error) {
			ids, err = request.Over(r, w.now, rome)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	w.now = time.Date(2026, 4, 30, 23, 59, 59, 0, rome)
	if ids := over(); len(ids) != 0 {
		t.Errorf("over too early: %v", ids)
	}
	w.now = w.now.Add(time.Second)
	ids := over()
	if len(ids) != 1 || ids[0] != q.ID {
		t.Fatalf("over: %v", ids)
	}
	if moved := w.move(request.Expire{Requests: ids}); moved.Requests[0].State != policy.Expired {
		t.Errorf("%+v", moved)
	}
	if ids := over(); len(ids) != 0 {
		t.Errorf("over again: %v", ids)
	}
	w.refused(request.Expire{Requests: ids[:0:0]}, "nothing")
	w.refused(request.Expire{Requests: []policy.RequestID{q.ID}}, "is expired")

	more := policy.AddGrants{Subject: policy.Subject{Office: "cultura"}, Names: []string{"www.inail.it"}, Protocol: "88/2026", Until: "2026-05-02"}
	back := w.do(more).(policy.GrantsAdded).Request
	if last := back.Steps[len(back.Steps)-1]; back.ID != q.ID || back.State != policy.Approved || last.State != policy.Approved || last.By != "clerk" {
		t.Errorf("granted on again: %+v", back)
	}
	w.now = time.Date(2026, 5, 3, 0, 0, 0, 0, rome)
	if ids := over(); len(ids) != 1 || ids[0] != q.ID {
		t.Errorf("over once more: %v", ids)
	}
	w.move(request.Expire{Requests: []policy.RequestID{q.ID}})
	w.move(request.Approve{Request: w.move(request.Submit{Office: "cultura", Renews: q.ID, Reason: "x", Paper: request.Paper{Protocol: "99/2026"}}).Request.ID})
	w.refused(more, "in the past")
	more.Until = ""
	w.refused(more, "is renewed")
}

func TestThePageCannotFillTheStore(t *testing.T) {
	w := newTown(t)
	c := request.Submit{Office: "cultura", Names: []string{"www.inps.it"}, Reason: "x", Unsigned: true}
	for range 100 {
		w.move(c)
	}
	w.refused(c, "100 requests of cultura wait for a signature")
	w.move(request.Withdraw{Request: 2, Reason: "doppione"})
	w.move(c)
}

func TestOpenRequestsEndWithTheirOffice(t *testing.T) {
	w := newTown(t)
	waits := w.move(letterOf("88/2026")).Request
	w.refused(policy.RemoveOffice{ID: "cultura"}, "seats (2), hosts (0), open requests (1)")
	gone := w.do(policy.RemoveOffice{ID: "cultura", All: true}).(policy.OfficeRemoved)
	if len(gone.Requests) != 1 || gone.Requests[0].ID != waits.ID || gone.Requests[0].State != policy.Withdrawn {
		t.Errorf("%+v", gone.Requests)
	}
	w.refused(request.Approve{Request: waits.ID}, "is withdrawn")
}

func TestAnOfficeThatTakesOverAnIDHasNothingOfTheOneBefore(t *testing.T) {
	w := newTown(t)
	old := w.move(asked("www.inps.it")).Request
	notice := w.move(request.Approve{Request: old.ID}).Letter
	w.do(policy.RemoveOffice{ID: "cultura", All: true})
	w.do(policy.AddOffice{ID: "cultura", Name: "Ufficio Nuovo", Mailbox: "nuovo@comune.example.it"})
	w.do(policy.AddSeat{ID: "dirigente-cultura", Office: "cultura", Holder: "N. Nuovi", From: "2025-09-01"})

	w.refused(request.Submit{Office: "cultura", Renews: old.ID, Reason: "serve ancora", Paper: request.Paper{Protocol: "90/2026"}},
		"of the office that was cultura before")
	w.refused(policy.AddGrants{Subject: policy.Subject{Office: "cultura"}, Names: []string{"www.inail.it"}, Protocol: "88/2026"},
		"of the office that was cultura before")
	issued := w.do(letter.Register{Letter: notice.ID, Protocol: "7/2026", Style: letter.Style{Mail: true}}).(letter.Moved).Letter
	if len(issued.Issue.To) != 0 {
		t.Errorf("the notice of the office that is gone goes to %v", issued.Issue.To)
	}
	w.refused(letter.Resend{Letter: notice.ID, Style: letter.Style{Mail: true}}, "the office that letter l-1 is to is gone", "print it instead")

	own := asked("www.inps.it")
	own.Protocol = "91/2026"
	q := w.move(own).Request
	if done := w.move(request.Approve{Request: q.ID, Notice: request.Notice{Out: "8/2026", Style: letter.Style{Mail: true}}}); len(done.Letter.Issue.To) != 1 {
		t.Errorf("the new office's own notice: %+v", done.Letter.Issue)
	}
}

func TestALetterNamesWhatLooksLikeAnother(t *testing.T) {
	w := newTown(t)
	names := []string{"www.inps.it", "\u0430pple.com", "https://m\u00fcnchen.de/rathaus", "k\u00f6ln.de mit Unterdom\u00e4nen"}
	q := w.move(asked(names...)).Request
	if !slices.Equal(q.Addresses, names) {
		t.Errorf("asked for %q", q.Addresses)
	}
	want := []string{"www.inps.it", "\u0430pple.com (xn--pple-43d.com)", "https://m\u00fcnchen.de/rathaus (xn--mnchen-3ya.de)", "k\u00f6ln.de mit Unterdom\u00e4nen (xn--kln-sna.de)"}
	if got := w.move(request.Approve{Request: q.ID}).Letter.Content.Asked; !slices.Equal(got, want) {
		t.Errorf("the letter says %q; want %q", got, want)
	}
}

func TestNoLongerIsGrantedThanWasAskedForUnlessItIsMeant(t *testing.T) {
	w := newTown(t)
	c := asked("www.inps.it")
	c.From, c.Until = "2026-04-01", "2026-06-30"
	id := w.move(c).Request.ID
	w.refused(request.Approve{Request: id, Until: "2026-07-01"}, "longer than "+id.String(), "until 2026-07-01: asked for until 2026-06-30", "--wider")
	w.refused(request.Approve{Request: id, From: "2026-03-02", Until: "2026-06-30T23:59"}, "from 2026-03-02: asked for from 2026-04-01")
	done := w.move(request.Approve{Request: id, Until: "2026-07-31", Wider: true})
	if q, g := done.Request, done.Grants[0]; q.Until != "2026-06-30" || g.Until != "2026-07-31" || g.From != "2026-04-01" ||
		!slices.Equal(q.Wider, []string{"until 2026-07-31: asked for until 2026-06-30"}) {
		t.Errorf("%+v, %+v", q, g)
	}

	c.Protocol = "89/2026"
	id = w.move(c).Request.ID
	done = w.move(request.Approve{Request: id, From: "2026-05-01", Until: "2026-05-31"})
	if q, g := done.Request, done.Grants[0]; q.From != "2026-04-01" || q.Until != "2026-06-30" || g.From != "2026-05-01" || g.Until != "2026-05-31" || q.Wider != nil {
		t.Errorf("shorter: %+v, %+v", q, g)
	}
}
