package admin

import (
	"fmt"
	"testing"

	"usciere/policy"
)

func TestWhatIsAskedIsAddedUpOverDays(t *testing.T) {
	named := func(text string, allowed, sinkholed uint64) policy.AskedName {
		name, err := policy.ParseName(text)
		if err != nil {
			t.Fatal(err)
		}
		return policy.AskedName{Name: name, Allowed: allowed, Sinkholed: sinkholed}
	}
	days := []policy.Asked{
		{Day: "2026-11-01", Office: "anagrafe", Names: []policy.AskedName{named("www.a.it", 5, 0), named("www.b.it", 0, 2)}},
		{Day: "2026-11-01", Office: "tributi", Names: []policy.AskedName{named("www.b.it", 0, 9)}},
		{Day: "2026-11-02", Office: "anagrafe", Names: []policy.AskedName{named("www.b.it", 1, 3), named("www.a.it", 1, 0)}},
	}
	for _, tc := range []struct {
		office string
		limit  int
		want   string
	}{
		{"", 10, "tributi www.b.it 0+9 1 2026-11-01; anagrafe www.b.it 1+5 2 2026-11-02; anagrafe www.a.it 6+0 2 2026-11-02; "},
		{"anagrafe", 1, "anagrafe www.b.it 1+5 2 2026-11-02; "},
		{"cultura", 10, ""},
	} {
		got := ""
		for _, n := range addUp(days, tc.office, tc.limit) {
			got += fmt.Sprintf("%s %s %d+%d %d %s; ", n.Office, n.Name, n.Allowed, n.Sinkholed, n.Days, n.Last)
		}
		if got != tc.want {
			t.Errorf("%q: %q, want %q", tc.office, got, tc.want)
		}
	}
}
