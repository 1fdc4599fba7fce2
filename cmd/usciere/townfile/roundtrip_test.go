package townfile

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"usciere/policy"
	"usciere/policy/store"
	"usciere/policy/town"
)

var (
	clerk = policy.Actor{Name: "clerk", Via: "socket"}
	noon  = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
)

func openTown(t *testing.T) *policy.Live {
	t.Helper()
	st, err := store.Open(t.TempDir(), store.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	live, err := policy.Open(st, policy.Town{Site: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Zone: time.UTC}, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	return live
}

// ofSize is the rules of a town with so many offices and grants, a letter for each ten grants.
func ofSize(offices, grants int) []policy.Change {
	var out []policy.Change
	for i := range offices {
		id := fmt.Sprintf("ufficio-%d", i)
		out = append(out,
			policy.AddOffice{ID: id, Name: fmt.Sprintf("Ufficio nº %d", i), Mailbox: id + "@comune.example.it", IPA: fmt.Sprintf("%06d", i), Networks: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)}},
			policy.AddSeat{ID: "dirigente-" + id, Office: id, Name: "Dirigente", Holder: "M. Rossi", From: "2025-09-01", Hosts: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 9})}},
		)
	}
	for i := 0; i < grants; i += 10 {
		c := policy.AddGrants{Subject: policy.Subject{Office: fmt.Sprintf("ufficio-%d", i/10%offices)}, Protocol: fmt.Sprintf("%d/2026", i+1), Reason: "verifica delle posizioni: \"urgente\"", Date: "2026-02-01"}
		for j := range 10 {
			c.Names = append(c.Names, fmt.Sprintf("www.ente-%d.example.it", i+j))
		}
		if i%40 == 0 {
			c.Until, c.Schedule, c.Types = "2027-06-30", "mon-fri 08:00-14:00", []policy.Type{policy.TypeA, policy.TypeAAAA}
		}
		out = append(out, c)
	}
	return out
}

func written(t *testing.T, live *policy.Live) string {
	t.Helper()
	var doc *town.Document
	err := live.View(func(r policy.Records) (err error) {
		doc, err = town.Of(live.Snapshot(), r, noon)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(&out, doc); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func compared(t *testing.T, live *policy.Live, text string) *town.Plan {
	t.Helper()
	f, err := Read(bytes.NewReader([]byte(text)), "town.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	var plan *town.Plan
	err = live.View(func(r policy.Records) (err error) {
		plan, err = town.Diff(live.Snapshot(), r, f.Document, town.Options{File: "town.yaml", Now: noon})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestATownOfSixtyOfficesAndTwoThousandGrantsGoesRound(t *testing.T) {
	one := openTown(t)
	if _, err := one.Apply(clerk, ofSize(60, 2000)...); err != nil {
		t.Fatal(err)
	}
	text := written(t, one)
	if plan := compared(t, one, text); len(plan.Differences)+len(plan.Changes) > 0 {
		t.Fatalf("%+v", plan.Differences)
	}
	two := openTown(t)
	began := time.Now()
	plan := compared(t, two, text)
	if _, err := two.ApplyBatch(clerk, policy.Batch{Changes: plan.Changes, Base: plan.Version}); err != nil {
		t.Fatal(plan.Place(err))
	}
	t.Logf("%d octets, %d differences read, compared and applied in %s", len(text), len(plan.Differences), time.Since(began))
	if took := time.Since(began); took > 20*time.Second { // a second or two, and room for a slow machine under the race detector
		t.Errorf("it took %s", took)
	}
	if again := written(t, two); again != text {
		t.Error("the town that was made of the file is written otherwise")
	}
	if a, b := one.Snapshot().Counts(), two.Snapshot().Counts(); a != b || b.Grants != 2001 {
		t.Errorf("%+v, then %+v", a, b)
	}
}
