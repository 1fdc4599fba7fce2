package policy

import (
	"errors"
	"testing"
)

func TestBadWholeSeatsAndHostsAreRefused(t *testing.T) {
	town := newTown(t)
	holders := func(all ...Holder) SetSeat { return SetSeat{ID: "dirigente-ced", Office: "ced", Holders: all} }
	for _, tc := range []struct {
		about string
		code  Code
		piece string
		c     Change
	}{
		{"a seat with a bad id", Invalid, "no id of a seat", SetSeat{ID: "Sindaco", Office: "ced"}},
		{"a seat of an office that is not there", NotFound, `no office "x"`, SetSeat{ID: "s", Office: "x"}},
		{"a seat that is a server", Invalid, "cannot be a server", SetSeat{ID: "s", Office: "ced", Role: Server}},
		{"a seat with no mailbox", Invalid, "no mail address", SetSeat{ID: "s", Office: "ced", Mailbox: "x"}},
		{"a holder without a name", Invalid, "has no name", holders(Holder{Name: " ", From: "2026-01-01"})},
		{"a holder without a first day", Invalid, "no day", holders(Holder{Name: "A"})},
		{"a holder who ends before beginning", Invalid, "before it begins", holders(Holder{"A", "2026-02-01", "2026-01-01"})},
		{"two holders at once", Invalid, "B holds the seat from 2026-02-01, but A holds it until 2026-02-01", holders(Holder{"A", "2026-01-01", "2026-02-01"}, Holder{Name: "B", From: "2026-02-01"})},
		{"a holder after one without an end", Invalid, "without an end", holders(Holder{Name: "A", From: "2026-01-01"}, Holder{Name: "B", From: "2026-02-01"})},
		{"a seat that has changed", Conflict, "was changed meanwhile", SetSeat{ID: "dirigente-ced", Office: "ced", Based: Based{IfVersion: 1}}},
		{"a host outside the site", Invalid, "outside the site", SetHost{Addr: addr("192.0.2.1"), Name: "x"}},
		{"a host with a seat's role", Invalid, "belongs to a seat", SetHost{Addr: addr("10.20.1.7"), Role: Manager}},
		{"a host of which nothing is said", Invalid, "nothing is said", SetHost{Addr: addr("10.20.1.7"), Role: Employee}},
		{"a host of an office that is not there", NotFound, `no office "x"`, SetHost{Addr: addr("10.20.1.7"), Office: "x"}},
		{"a server on a seat", Conflict, "is a server", SetHost{Addr: addr("10.20.1.7"), Role: Server, Seats: []Binding{{Seat: "dirigente-ced", From: "2026-01-01"}}}},
		{"a host on a seat that is not there", NotFound, `no seat "x"`, SetHost{Addr: addr("10.20.1.7"), Seats: []Binding{{Seat: "x", From: "2026-01-01"}}}},
		{"a host on two seats at once", Conflict, "is bound to the seat dirigente-ced from 2026-02-01, but to the seat dirigente-tributi without an end",
			SetHost{Addr: addr("10.20.1.7"), Seats: []Binding{{Seat: "dirigente-tributi", From: "2026-01-01"}, {Seat: "dirigente-ced", From: "2026-02-01"}}}},
		{"a host that has changed", Conflict, "was changed meanwhile", SetHost{Addr: addr("10.20.1.9"), Name: "x", Based: Based{IfVersion: 1}}},
	} {
		t.Run(tc.about, func(t *testing.T) { town.refused(tc.code, tc.piece, tc.c) })
	}
}

func TestASeatThatChangesItsRoleChangesItsWorkstations(t *testing.T) {
	town := newTown(t)
	if !town.allows("10.20.1.9", "www.example.org") {
		t.Fatal("the manager has limits")
	}
	town.do(SetSeat{ID: "dirigente-anagrafe", Office: "tributi", Role: Employee})
	if c := town.Snapshot().Who(addr("10.20.1.9"), town.now); c.Role != Employee || c.Office.ID != "tributi" || c.Seat != "dirigente-anagrafe" {
		t.Errorf("%+v", c)
	}
}

func TestChangesBasedOnOldRulesAreRefusedTogether(t *testing.T) {
	town := newTown(t)
	base := town.Snapshot().Version()
	town.do(AddOffice{ID: "cultura", Name: "Cultura"})
	before := town.store.dump()
	_, err := town.ApplyBatch(clerk, Batch{Changes: []Change{AddOffice{ID: "sport", Name: "Sport"}}, Base: base})
	if !IsCode(err, Conflict) {
		t.Errorf("%v, want a conflict", err)
	}
	made, err := town.ApplyBatch(clerk, Batch{Changes: []Change{AddOffice{ID: "sport", Name: "Sport"}}, Base: base + 1, Try: true})
	if err != nil || len(made) != 1 {
		t.Errorf("%v %v", made, err)
	}
	_, err = town.ApplyBatch(clerk, Batch{Changes: []Change{AddOffice{ID: "sport", Name: "Sport"}, AddOffice{ID: "sport", Name: "Sport"}}, Try: true})
	var change *ChangeError
	if !errors.As(err, &change) || change.Index != 1 || !IsCode(err, Conflict) {
		t.Errorf("%v, want a conflict of the second", err)
	}
	if town.store.dump() != before || town.Snapshot().Version() != base+1 {
		t.Error("something has changed")
	}
	town.do(AddOffice{ID: "sport", Name: "Sport"}) // what was tried left nothing behind
}
