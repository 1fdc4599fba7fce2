package policy

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestANewStoreGetsTheCatalogAndTheProbes(t *testing.T) {
	store, now := newMemStore(), func() time.Time { return at("2026-03-02 10:00") }
	live, err := Open(store, theSite, now)
	if err != nil {
		t.Fatal(err)
	}
	town := &aTown{Live: live, t: t, store: store, now: now()}
	if got := len(live.Snapshot().Services()); got != len(catalog()) {
		t.Errorf("%d services; want %d", got, len(catalog()))
	}
	town.do(AddOffice{ID: "anagrafe", Name: "A", Networks: prefixes("10.20.1.0/24")})
	if !town.allows("10.20.1.5", "www.msftconnecttest.com") || town.allows("10.20.1.5", "www.inps.it") {
		t.Error("everyone has the probes and nothing else")
	}
	town.refused(Conflict, "built-in", RemoveService{ID: Connectivity})
	town.refused(Conflict, "built-in", AddService{ID: "inps", Replace: true, Rules: []ServiceRule{{Rule: rule("a.example.it"), Source: "x"}}})
	town.do(RevokeGrants{Grants: []GrantID{1}, Reason: "on purpose"})

	version := live.Snapshot().Version()
	again, err := Open(store, theSite, now)
	if err != nil {
		t.Fatal(err)
	}
	town.Live = again
	if again.Snapshot().Version() != version {
		t.Error("opening an up-to-date store changed it")
	}
	if town.allows("10.20.1.5", "www.msftconnecttest.com") {
		t.Error("the revoked probes came back at the next start")
	}
}

func TestAnOlderStoreIsBroughtUpToDate(t *testing.T) {
	town := emptyTown(t)
	old := []Service{
		{ID: "inps", Title: "INPS", Channel: Web, Builtin: true, Rules: []ServiceRule{{Rule: rule("www.inps.it"), Source: "x"}}},
		{ID: "discontinued", Title: "Old", Channel: Web, Builtin: true, Rules: []ServiceRule{{Rule: rule("www.old.example.it"), Source: "x"}}},
		{ID: "kept", Title: "Old, but granted", Channel: Web, Builtin: true, Rules: []ServiceRule{{Rule: rule("www.kept.example.it"), Source: "x"}}},
	}
	town.do(AddOffice{ID: "anagrafe", Name: "A", Networks: prefixes("10.20.1.0/24")}, AddSeat{ID: "dirigente", Office: "anagrafe", Holder: "X"})
	town.do(installCatalog{old}) // also removes the built-in services that this version does not know
	town.do(installCatalog{old})
	town.do(AddService{ID: "pec", Rules: []ServiceRule{{Rule: rule("own.example.it"), Source: "x"}}})
	town.allow("anagrafe", "inps pec")
	live, err := Open(town.store, theSite, func() time.Time { return town.now })
	if err != nil {
		t.Fatal(err)
	}
	town.Live = live
	if !town.allows("10.20.1.5", "servizi2.inps.it") {
		t.Error("the built-in service kept its old rules")
	}
	if _, ok := live.Snapshot().Service("discontinued"); ok {
		t.Error("a discontinued service that nobody has is still there")
	}
	if sv, _ := live.Snapshot().Service("pec"); sv.Builtin || !town.allows("10.20.1.5", "own.example.it") {
		t.Error("the town's own service was overwritten by a built-in one")
	}
}

func TestAChangeThatTheStoreLosesDoesNotHold(t *testing.T) {
	for about, fail := range map[string]func(*memStore, error){
		"writing a record fails": func(m *memStore, err error) { m.failPut = err },
		"the journal fails":      func(m *memStore, err error) { m.failJournal = err },
		"the commit fails":       func(m *memStore, err error) { m.failCommit = err },
	} {
		t.Run(about, func(t *testing.T) {
			town := newTown(t)
			g := town.allow("tributi", "www.istat.it")
			before, stored := town.Snapshot(), town.store.dump()
			fail(town.store, errDisk)
			for _, c := range []Change{
				AddGrants{Subject: Subject{Office: "tributi"}, Names: []string{"www.inps.it"}, Protocol: "9000/2026", Reason: "x", Until: "2031-01-01"},
				RevokeGrants{Grants: []GrantID{g[0].ID}}, RemoveOffice{ID: "tributi", All: true}, AddOffice{ID: "nuovo", Name: "N"},
			} {
				if _, err := town.Apply(clerk, c); !errors.Is(err, errDisk) {
					t.Errorf("%s: %v; want the disk's error", c.Kind(), err)
				}
			}
			if town.Snapshot() != before || town.store.dump() != stored || town.allows("10.20.2.5", "www.inps.it") || !town.allows("10.20.2.5", "www.istat.it") {
				t.Error("something changed")
			}
			fail(town.store, nil)
			town.allow("tributi", "www.inps.it")
			if !town.allows("10.20.2.5", "www.inps.it") || !town.allows("10.20.2.5", "www.istat.it") {
				t.Error("the change does not hold once the disk is well")
			}
		})
	}
}

func TestSeveralChangesAreMadeAllOrNone(t *testing.T) {
	town := newTown(t)
	before, stored := town.Snapshot(), town.store.dump()
	_, err := town.Apply(clerk, AddOffice{ID: "nuovo", Name: "N", Networks: prefixes("10.20.9.0/24")}, AddNetwork{Office: "nuovo", Network: netip.MustParsePrefix("10.20.1.0/24")})
	if !IsCode(err, Conflict) || town.Snapshot() != before || town.store.dump() != stored {
		t.Errorf("%v, or half of the changes were made", err)
	}
	version := town.Snapshot().Version()
	results, err := town.Apply(clerk, AddOffice{ID: "nuovo", Name: "N"}, AddNetwork{Office: "nuovo", Network: netip.MustParsePrefix("10.20.9.0/24")})
	if err != nil || len(results) != 2 || town.Snapshot().Version() != version+2 {
		t.Errorf("%v, %d results, version %d after %d", err, len(results), town.Snapshot().Version(), version)
	}
}

func TestADamagedStoreIsRefused(t *testing.T) {
	for about, damage := range map[string]func(*memStore){
		"no JSON":                       func(m *memStore) { m.tables[TableOffices]["anagrafe"] = []byte{0, 0, 0} },
		"a seat of no office":           func(m *memStore) { delete(m.tables[TableOffices], "tributi") },
		"a host of no seat":             func(m *memStore) { delete(m.tables[TableSeats], "dirigente-tributi") },
		"a grant of no service":         func(m *memStore) { delete(m.tables[TableServices], "svc") },
		"a grant of nonsense":           func(m *memStore) { m.tables[TableGrants][numberKey(1)] = []byte(`{"rule":"www..it"}`) },
		"a host in an office not there": func(m *memStore) { m.tables[TableHosts]["10.20.2.9"] = []byte(`{"addr":"10.20.2.9","office":"x"}`) },
	} {
		t.Run(about, func(t *testing.T) {
			town := newTown(t)
			town.do(AddService{ID: "svc", Rules: []ServiceRule{{Rule: rule("a.example.it"), Source: "x"}}})
			town.allow("tributi", "svc")
			before := town.Snapshot()
			damage(town.store)
			if err := town.Reload(theSite); err == nil || town.Snapshot() != before {
				t.Errorf("%v, or the rules in force were dropped", err)
			}
		})
	}
}

// A list of public suffixes grows: what was granted before is still read.
func TestARuleThatBecameAPublicSuffixIsStillRead(t *testing.T) {
	town := newTown(t)
	g := town.allow("tributi", "www.inps.it")[0]
	text := town.store.tables[TableGrants][numberKey(uint64(g.ID))]
	town.store.tables[TableGrants][numberKey(uint64(g.ID))] = bytes.Replace(text, []byte("www.inps.it"), []byte(".gov.it"), 1)
	if err := town.Reload(theSite); err != nil || !town.allows("10.20.2.5", "www.x.gov.it") {
		t.Errorf("%v, or the rule does not hold", err)
	}
}

// A reader may keep a snapshot for as long as it likes.
func TestOldSnapshotsStayAsTheyWere(t *testing.T) {
	town := newTown(t)
	town.do(AddService{ID: "svc", Rules: []ServiceRule{{Rule: rule(".svc.example.it"), Source: "x"}}})
	g := town.allow("tributi", "www.inps.it svc")
	old := town.Snapshot()
	look := func() string {
		c, m := old.Who(addr("10.20.2.5"), town.now), old.Who(addr("10.20.2.9"), town.now)
		out := fmt.Sprint(old.Counts(), old.Version(), c.Office.Networks, m.Role, len(old.Hosts()), old.Offices()[2].Name)
		for _, n := range []string{"www.inps.it", "a.svc.example.it", "new.example.it", "www.istat.it"} {
			v := old.Decide(&c, []byte(name(n)), TypeA, town.now)
			out += fmt.Sprint(" ", v.Action, v.Grant, old.Exists(&c, []byte(name(n))), old.Exists(&c, []byte(name(n).Parent())))
		}
		return out
	}
	before := look()
	other := "Altro nome"
	town.do(
		RevokeGrants{Grants: []GrantID{g[0].ID}}, ChangeOffice{ID: "tributi", Name: &other}, AddNetwork{Office: "tributi", Network: netip.MustParsePrefix("10.20.3.0/24")},
		AddService{ID: "svc", Rules: []ServiceRule{{Rule: rule("new.example.it"), Source: "x"}}, Replace: true},
	)
	town.allow("tributi", "www.istat.it")
	town.allow("everyone", "new.example.it", func(c *AddGrants) { c.Until = "2033-03-03" })
	town.do(RemoveSeat{Seat: "dirigente-tributi"}, RemoveOffice{ID: "tributi", All: true}, AddOffice{ID: "z", Name: "Z", Networks: prefixes("10.20.2.0/24")})
	if after := look(); after != before {
		t.Errorf("before: %s\nafter:  %s", before, after)
	}
}

func TestReadersAreNotDisturbedByChanges(t *testing.T) {
	town := newTown(t)
	town.do(AddService{ID: "svc", Rules: []ServiceRule{{Rule: rule(".svc.example.it"), Source: "x"}}})
	town.allow("tributi", "always.example.it svc")
	var readers sync.WaitGroup
	stop := make(chan struct{})
	names := [][]byte{[]byte(name("always.example.it")), []byte(name("a.svc.example.it")), []byte(name("example.it"))}
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				s := town.Snapshot()
				c := s.Who(addr("10.20.2.5"), at("2026-03-02 10:00"))
				if a, b := s.Decide(&c, names[0], TypeA, at("2026-03-02 10:00")), s.Decide(&c, names[1], TypeA, at("2026-03-02 10:00")); a.Action != Allow || b.Action != Allow || !s.Exists(&c, names[2]) {
					t.Error("a change disturbed what it did not touch")
					return
				}
			}
		})
	}
	for i := range 60 {
		g := town.allow("tributi", fmt.Sprintf("w%d.example.it", i), func(c *AddGrants) { c.Until = Moment(fmt.Sprintf("20%02d-01-01", 30+i)) })
		town.do(AddHost{Addr: netip.AddrFrom4([4]byte{10, 20, 3, byte(i)}), Office: "tributi"})
		if _, err := town.Apply(clerk, AddOffice{ID: fmt.Sprintf("o%d", i), Name: "O"}, AddNetwork{Office: "nessuno"}); err == nil {
			t.Error("a bad change was accepted")
		}
		town.do(AddService{ID: "svc", Rules: []ServiceRule{{Rule: rule(".svc.example.it"), Source: "x"}, {Rule: rule(fmt.Sprintf("x%d.example.it", i)), Source: "x"}}, Replace: true})
		if i%3 == 0 {
			town.do(RevokeGrants{Grants: []GrantID{g[0].ID}})
		}
	}
	close(stop)
	readers.Wait()
	ids := map[GrantID]bool{}
	_ = town.View(func(r Records) error {
		return r.EachGrant(func(g *Grant) bool { ids[g.ID] = true; return true })
	})
	if len(ids) != 62 || !slices.ContainsFunc(town.Snapshot().Hosts(), func(h *Host) bool { return h.Office == "tributi" }) {
		t.Errorf("%d grants are recorded; want 62", len(ids))
	}
}
