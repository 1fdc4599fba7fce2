package letter

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"usciere/policy"
)

var month = []int{30, 7}

// remind does the daily work, and returns the reminders it wrote: "days request".
func (w *town) remind(days ...int) (out []string) {
	w.t.Helper()
	for {
		var due []Due
		if err := w.View(func(r policy.Records) (err error) {
			due, err = DueReminders(r, w.Snapshot(), w.now, days)
			return err
		}); err != nil {
			w.t.Fatal(err)
		}
		if len(due) == 0 {
			return out
		}
		for _, l := range w.apply(Remind{Due: due, Style: style}).(Reminded).Letters {
			if l.Kind != policy.Reminder || l.State != policy.Issued || l.Issue.Protocol != "" {
				w.t.Errorf("%+v", l)
			}
			out = append(out, fmt.Sprintf("%d %s", l.Content.Days, l.Request))
		}
	}
}

// day sets the clock to a day, at half past nine.
func (w *town) day(m policy.Moment) { w.now = m.Start(rome).Add(9*time.Hour + 30*time.Minute) }

func TestAnOfficeIsRemindedOnceForEachNumberOfDays(t *testing.T) {
	w := open(t)
	w.grant("tributi", "www.example.org", "2026-06-30")
	got := map[policy.Moment][]string{}
	for w.now.Before(time.Date(2026, 7, 10, 0, 0, 0, 0, rome)) {
		for range 2 { // a restart of the daemon
			if r := w.remind(month...); r != nil {
				got[policy.DayOf(w.now, rome)] = append(got[policy.DayOf(w.now, rome)], r...)
			}
		}
		w.now = w.now.AddDate(0, 0, 1)
	}
	if len(got) != 2 || !slices.Equal(got["2026-05-31"], []string{"30 r-2"}) || !slices.Equal(got["2026-06-23"], []string{"7 r-2"}) {
		t.Errorf("reminded %v", got)
	}
}

func TestWhatEndsTogetherOnOneRequestIsOneReminder(t *testing.T) {
	w := open(t)
	w.apply(policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"a.example.org", "b.example.org"}, Until: "2026-06-30", Protocol: "9/2026", Reason: "x"})
	w.apply(policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"c.example.org"}, Until: "2026-06-30T12:00", Protocol: "9/2026"})
	w.apply(policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"d.example.org"}, Until: "2026-06-29", Protocol: "9/2026"})
	w.grant("cultura", "e.example.org", "2026-06-30")
	w.day("2026-06-24")
	if got := w.remind(month...); !slices.Equal(got, []string{"7 r-2", "7 r-2", "7 r-3"}) {
		t.Errorf("reminded %v", got)
	}
	l, _, m := w.letter(1)
	if len(l.Content.Opened) != 3 || l.Content.Ends != "2026-06-30" || m == nil || len(l.Grants) != 3 {
		t.Errorf("%+v, outbox %+v", l, m)
	}
	if l, _, m := w.letter(3); l.Office != "cultura" || m != nil || len(l.Issue.To) != 0 {
		t.Errorf("an office without a mailbox: %+v, outbox %+v", l, m)
	}
}

func TestClockJumpsNeitherLoseNorRepeatReminders(t *testing.T) {
	w := open(t)
	w.grant("tributi", "www.example.org", "2026-06-30")
	for _, step := range []struct {
		day  policy.Moment
		want []string
		why  string
	}{
		{"2026-05-01", nil, "too early"},
		{"2026-06-25", []string{"7 r-2"}, "both days passed while it was off: the nearest"},
		{"2026-06-05", nil, "the clock was put back before the 7th day"},
		{"2026-05-31", nil, "and further"},
		{"2026-06-23", nil, "and goes on"},
		{"2026-06-30", nil, "to the last day"},
		{"2026-07-02", nil, "and past it"},
	} {
		w.day(step.day)
		if got := w.remind(month...); !slices.Equal(got, step.want) {
			t.Errorf("%s, %s: reminded %v; want %v", step.day, step.why, got, step.want)
		}
	}
}

func TestNothingIsRemindedThatNeedsNone(t *testing.T) {
	w := open(t)
	w.apply(policy.AddGrants{Subject: policy.Subject{Role: policy.Server}, Names: []string{"role.example.org"}, Until: "2026-06-30", Protocol: "1/2026", Reason: "x"})
	w.apply(policy.AddGrants{Subject: policy.Subject{Everyone: true}, Names: []string{"all.example.org"}, Until: "2026-06-30", Protocol: "2/2026", Reason: "x"})
	w.grant("tributi", "forever.example.org", "")
	revoked := w.grant("tributi", "revoked.example.org", "2026-06-30")
	w.apply(policy.RevokeGrants{Grants: []policy.GrantID{revoked.Grants[0].ID}})
	over := w.grant("tributi", "renewed.example.org", "2026-06-30")
	asked := w.grant("tributi", "asked.example.org", "2026-06-30")
	denied := w.grant("tributi", "denied.example.org", "2026-06-30")
	q := *over.Request
	q.State = policy.Renewed
	w.apply(put{q}, put{policy.Request{Office: "tributi", Date: "2026-06-01", State: policy.Endorsed, Renews: asked.Request.ID}},
		put{policy.Request{Office: "tributi", Date: "2026-06-01", State: policy.Denied, Renews: denied.Request.ID}})
	w.day("2026-06-24")
	w.grant("tributi", "short.example.org", "2026-06-27") // shorter than a week from the start
	if got := w.remind(month...); !slices.Equal(got, []string{"7 " + denied.Request.ID.String()}) {
		t.Errorf("reminded %v; want only what was denied its renewal", got)
	}
	if got := w.remind(); got != nil {
		t.Errorf("without days: %v", got)
	}
}

// put keeps a request.
type put struct{ q policy.Request }

func (put) Kind() string { return "test.request" }

func (c put) Apply(e *policy.Edit) (policy.Made, error) {
	q, err := e.PutRequest(c.q)
	return policy.Made{Body: q}, err
}

func TestManyRemindersAreWrittenAHundredAtATime(t *testing.T) {
	w := open(t)
	var changes []policy.Change
	for i := range 2*maxReminders + 5 {
		changes = append(changes, policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{fmt.Sprintf("n%d.example.org", i)},
			Until: "2026-06-30", Protocol: fmt.Sprintf("%d/2026", 1000+i), Reason: "x"})
	}
	w.apply(changes...)
	w.day("2026-06-01")
	before := w.Snapshot().Version()
	if got := w.remind(month...); len(got) != 2*maxReminders+5 || w.Snapshot().Version() != before+3 {
		t.Errorf("%d reminders in %d changes", len(got), w.Snapshot().Version()-before)
	}
}

func TestWhatWasRevokedMeanwhileIsNotReminded(t *testing.T) {
	w := open(t)
	g := w.grant("tributi", "www.example.org", "2026-06-30").Grants[0].ID
	w.day("2026-06-01")
	var due []Due
	if err := w.View(func(r policy.Records) (err error) {
		due, err = DueReminders(r, w.Snapshot(), w.now, month)
		return err
	}); err != nil || len(due) != 1 {
		t.Fatal(due, err)
	}
	w.apply(policy.RevokeGrants{Grants: []policy.GrantID{g}})
	if _, err := w.Apply(policy.Actor{}, Remind{Due: due, Style: style}); !policy.IsCode(err, policy.Conflict) {
		t.Error(err)
	}
}
