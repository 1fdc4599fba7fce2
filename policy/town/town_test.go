package town

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"usciere/policy"
	"usciere/policy/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	rome    = time.FixedZone("CET", 3600)
	noon    = time.Date(2026, 3, 2, 12, 0, 0, 0, rome)
	theSite = policy.Town{Site: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("2001:db8:20::/48")}, Zone: rome}
	clerk   = policy.Actor{UID: 1000, Name: "clerk", Via: "socket"}
)

// aTown is rules in a store, with a clock of their own.
type aTown struct {
	*policy.Live
	now time.Time
}

// failer is a test, or one run of a property.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// open makes a town without rules of its own in a folder.
func open(t failer, dir string) (*aTown, func()) {
	t.Helper()
	town := &aTown{now: noon}
	st, err := store.Open(dir, store.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: func() time.Time { return town.now }})
	if err != nil {
		t.Fatalf("%v", err)
	}
	if town.Live, err = policy.Open(st, theSite, func() time.Time { return town.now }); err != nil {
		t.Fatalf("%v", err)
	}
	return town, func() { _ = st.Close() }
}

func newTown(t *testing.T, changes ...policy.Change) *aTown {
	t.Helper()
	town, done := open(t, t.TempDir())
	t.Cleanup(done)
	if _, err := town.Apply(clerk, changes...); err != nil {
		t.Fatal(err)
	}
	return town
}

// small is a town of two offices.
func small(t *testing.T) *aTown {
	return newTown(t,
		policy.AddOffice{ID: "anagrafe", Name: "Ufficio Anagrafe", Networks: []netip.Prefix{netip.MustParsePrefix("10.20.1.0/24")}},
		policy.AddSeat{ID: "dirigente-anagrafe", Office: "anagrafe", Holder: "M. Rossi", From: "2025-09-01", Hosts: []netip.Addr{netip.MustParseAddr("10.20.1.9")}},
		policy.AddOffice{ID: "tributi", Name: "Ufficio Tributi", Networks: []netip.Prefix{netip.MustParsePrefix("10.20.2.0/24")}},
		policy.AddSeat{ID: "dirigente-tributi", Office: "tributi", Holder: "M. Verdi", From: "2025-09-01"},
		policy.AddHost{Addr: netip.MustParseAddr("10.20.2.7"), Name: "totem", Role: policy.Server},
		policy.AddService{ID: "suite", Rules: []policy.ServiceRule{{Rule: ruleOf(".suite.example.com"), Source: "lettera 3/2026"}}},
		policy.AddGrants{Subject: policy.Subject{Office: "anagrafe"}, Names: []string{"inps", "https://www.example.it/x"}, Protocol: "12/2026", Date: "2026-02-02", Reason: "residenze"},
		policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"suite"}, Protocol: "21/2026", Date: "2026-02-02", Reason: "visure", Until: "2027-06-30"},
	)
}

func ruleOf(text string) policy.Rule {
	r, _, err := policy.ParseRule(text)
	if err != nil {
		panic(err)
	}
	return r
}

// export is the document of a town, as it comes back from JSON.
func (town *aTown) export(t failer) *Document {
	t.Helper()
	var doc *Document
	err := town.View(func(r policy.Records) (err error) {
		doc, err = Of(town.Snapshot(), r, town.now)
		return err
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatalf("%v", err)
	}
	back := new(Document)
	if err := json.Unmarshal(text, back); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return back
}

func (town *aTown) diff(doc *Document, keep bool) (plan *Plan, err error) {
	err = town.View(func(r policy.Records) (err error) {
		plan, err = Diff(town.Snapshot(), r, doc, Options{Town: "Comune", File: "town.yaml", Now: town.now, KeepUnlisted: keep})
		return err
	})
	return plan, err
}

// apply makes the town what the document says.
func (town *aTown) apply(doc *Document, keep bool) (*Plan, error) {
	plan, err := town.diff(doc, keep)
	if err != nil {
		return nil, err
	}
	_, err = town.ApplyBatch(clerk, policy.Batch{Changes: plan.Changes, Base: plan.Version})
	if err != nil {
		return nil, plan.Place(err)
	}
	return plan, nil
}

func (p *Plan) lines() []string {
	var out []string
	for _, d := range p.Differences {
		out = append(out, strings.Join(strings.Fields(d.Op+" "+d.Kind+" "+d.ID+" "+d.Text), " "))
	}
	return out
}

// equal fails unless a document says nothing else than what is in force.
func (town *aTown) same(t failer, doc *Document) {
	t.Helper()
	plan, err := town.diff(doc, false)
	if err != nil {
		t.Fatalf("%v", explained(err))
	}
	if len(plan.Changes) > 0 || len(plan.Differences) > 0 {
		t.Fatalf("%q, and %d changes, want none: %+v", plan.lines(), len(plan.Changes), plan.Changes)
	}
}

// explained is an error with its problems.
func explained(err error) string {
	var refusal *policy.Error
	out := fmt.Sprint(err)
	if errors.As(err, &refusal) {
		for _, p := range refusal.Problems {
			out += fmt.Sprintf("\n%s: %s: %s", p.Path, p.Message, p.Hint)
		}
	}
	return out
}
