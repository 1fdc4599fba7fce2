package letter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"usciere/policy"
	"usciere/policy/journal"
	"usciere/policy/store"
)

var rome = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		panic(err)
	}
	return zone
}()

// town is a town with two offices on a real store, whose clock is set by hand.
type town struct {
	*policy.Live
	t     *testing.T
	store *store.Store
	now   time.Time
	next  int // protocol number
}

var style = Style{Language: "it", Town: "Comune di Esempio", Mail: true, Domain: "comune.example.it", Portal: "http://usciere.comune.example.it"}

func open(t *testing.T) *town {
	t.Helper()
	w := &town{t: t, now: time.Date(2026, 3, 2, 9, 30, 0, 0, rome), next: 100}
	st, err := store.Open(t.TempDir(), store.Options{Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w.store = st
	if w.Live, err = policy.Open(st, policy.Town{Zone: rome}, func() time.Time { return w.now }); err != nil {
		t.Fatal(err)
	}
	w.apply(
		policy.AddOffice{ID: "tributi", Name: "Ufficio Tributi", Mailbox: "tributi@comune.example.it"},
		policy.AddSeat{ID: "dirigente-tributi", Name: "Dirigente dei tributi", Office: "tributi", Holder: "G. Bernardi", From: "2025-01-01",
			Mailbox: "dirigente.tributi@comune.example.it"},
		policy.AddOffice{ID: "cultura", Name: "Ufficio Cultura"},
		policy.AddSeat{ID: "dirigente-cultura", Office: "cultura", Holder: "P. Blu", From: "2025-01-01"},
	)
	return w
}

// apply makes changes that succeed, and returns what the last made.
func (w *town) apply(changes ...policy.Change) any {
	w.t.Helper()
	made, err := w.Apply(policy.Actor{Name: "test", Via: "socket"}, changes...)
	if err != nil {
		w.t.Fatal(err)
	}
	return made[len(made)-1]
}

// grant grants a name on a request of its own.
func (w *town) grant(office, name string, until policy.Moment) policy.GrantsAdded {
	w.t.Helper()
	w.next++
	return w.apply(policy.AddGrants{Subject: policy.Subject{Office: office}, Names: []string{name}, Until: until, Protocol: fmt.Sprintf("%d/2026", w.next), Reason: "visure"}).(policy.GrantsAdded)
}

// notice writes a notice.
func (w *town) notice(office string, urgent bool) policy.LetterID {
	w.t.Helper()
	g := w.grant(office, fmt.Sprintf("n%d.example.org", w.next), "")
	made := w.apply(policy.RevokeGrants{Grants: []policy.GrantID{g.Grants[0].ID}, Reason: "concluso", Notice: true, Urgent: urgent})
	return made.(policy.GrantsRevoked).Letters[0].ID
}

// letter reads a letter, its paper and its mailing.
func (w *town) letter(id policy.LetterID) (l *policy.Letter, p policy.Paper, m *policy.Mailing) {
	w.t.Helper()
	if err := w.View(func(r policy.Records) (err error) {
		if l, err = r.Letter(id); err != nil {
			return err
		}
		if p, _, err = r.Paper(id); err != nil {
			return err
		}
		found, waits, err := r.Mailing(id)
		if waits {
			m = &found
		}
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return l, p, m
}

// journal is the whole journal as text.
func (w *town) journal() string {
	w.t.Helper()
	var out bytes.Buffer
	if err := w.store.Journal(1, func(e journal.Entry) bool {
		text, err := json.Marshal(e)
		if err != nil {
			w.t.Fatal(err)
		}
		out.Write(text)
		return true
	}); err != nil {
		w.t.Fatal(err)
	}
	return out.String()
}
