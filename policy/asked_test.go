package policy

import (
	"fmt"
	"testing"
	"time"
)

func TestWhatOfficesAskForIsKeptByDay(t *testing.T) {
	town := newTown(t)
	day := town.now
	count := func(at time.Time, keep int, names ...AskedName) {
		t.Helper()
		if err := town.CountAsked(at, map[string][]AskedName{"anagrafe": names}, keep); err != nil {
			t.Fatal(err)
		}
	}
	kept := func(want string) {
		t.Helper()
		all, err := town.AskedSince("")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, a := range all {
			got += a.Day[5:] + " " + a.Office
			for _, n := range a.Names {
				got += fmt.Sprintf(" %s %d+%d", n.Name, n.Allowed, n.Sinkholed)
			}
			got += "; "
		}
		if got != want {
			t.Errorf("kept is %q, want %q", got, want)
		}
	}
	one, two, three := day.Format("01-02"), day.AddDate(0, 0, 1).Format("01-02"), day.AddDate(0, 0, 2).Format("01-02")
	version := town.Snapshot()
	count(day, 2, AskedName{name("www.x.it"), 1, 0}, AskedName{name("www.y.it"), 0, 2})
	count(day, 2, AskedName{name("www.x.it"), 3, 1})
	kept(one + " anagrafe www.x.it 4+1 www.y.it 0+2; ")
	count(day.AddDate(0, 0, 1), 2, AskedName{name("www.y.it"), 1, 0})
	kept(one + " anagrafe www.x.it 4+1 www.y.it 0+2; " + two + " anagrafe www.y.it 1+0; ")
	count(day.AddDate(0, 0, 2), 1, AskedName{name("www.z.it"), 1, 0})
	kept(two + " anagrafe www.y.it 1+0; " + three + " anagrafe www.z.it 1+0; ")
	if recent, err := town.AskedSince(day.AddDate(0, 0, 2).Format(time.DateOnly)); err != nil || len(recent) != 1 {
		t.Errorf("since the last day: %v, %v", recent, err)
	}
	if town.Snapshot() != version {
		t.Error("counting changed the rules")
	}
	count(day.AddDate(0, 0, 2), 0, AskedName{name("www.z.it"), 1, 0})
	kept("")
}

func TestOfADayTheNamesAskedMostAreKept(t *testing.T) {
	var a Asked
	for i := range 3 * MaxAskedNames {
		a.add([]AskedName{{Name: name(fmt.Sprintf("n%d.it", i)), Sinkholed: uint64(i + 1)}})
	}
	if len(a.Names) != MaxAskedNames || a.Names[0].Name != name(fmt.Sprintf("n%d.it", 3*MaxAskedNames-1)) {
		t.Errorf("%d names, the first %s", len(a.Names), a.Names[0].Name)
	}
}
