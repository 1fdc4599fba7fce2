package policy

import (
	"strings"
	"testing"
	"time"
)

func TestATraceHasAPurposeAnEndAndOneWhomItIsOf(t *testing.T) {
	town := newTown(t)
	minutes := func(n int, c StartTrace) StartTrace { c.Minutes = n; return c }
	for _, c := range []struct {
		piece string
		start StartTrace
	}{
		{"whose questions", StartTrace{Purpose: "x"}},
		{"whose questions", StartTrace{Office: "anagrafe", Client: addr("10.20.1.9"), Purpose: "x"}},
		{"what is the trace for", StartTrace{Office: "anagrafe", Purpose: " \n"}},
		{"500 are the most", StartTrace{Office: "anagrafe", Purpose: strings.Repeat("x", 501)}},
		{"cannot be printed", StartTrace{Office: "anagrafe", Purpose: "x\x1b[31m"}},
		{"outside the site", StartTrace{Client: addr("192.0.2.1"), Purpose: "x"}},
		{"cannot last 0 minutes", minutes(0, StartTrace{Office: "anagrafe", Purpose: "x"})},
		{"cannot last -1 minutes", minutes(-1, StartTrace{Office: "anagrafe", Purpose: "x"})},
		{"cannot last 1441 minutes", minutes(1441, StartTrace{Office: "anagrafe", Purpose: "x"})},
	} {
		if c.start.Minutes == 0 && !strings.Contains(c.piece, "minutes") {
			c.start.Minutes = 10
		}
		town.refused(Invalid, c.piece, c.start)
	}
	town.refused(NotFound, "no office", StartTrace{Office: "nessuno", Purpose: "x", Minutes: 10})

	for _, c := range []struct {
		start StartTrace
		want  Tracing
	}{
		{StartTrace{Office: "tributi"}, Tracing{Office: "tributi"}},
		{StartTrace{Client: addr("10.20.2.5")}, Tracing{Office: "tributi", Client: addr("10.20.2.5")}},
		{StartTrace{Client: addr("::ffff:10.20.1.9")}, Tracing{Office: "anagrafe", Client: addr("10.20.1.9")}},
	} {
		c.start.Minutes, c.start.Purpose = 90, " il portale non si apre\n"
		made, err := town.Apply(Actor{Name: "lnegri"}, c.start)
		if err != nil {
			t.Fatal(err)
		}
		got := *made[0].(*Tracing)
		if got.Until.Sub(got.Begun) != 90*time.Minute || got.Begun.IsZero() {
			t.Errorf("%+v: from %s until %s", c.start, got.Begun, got.Until)
		}
		c.want.Purpose, c.want.By, c.want.Begun, c.want.Until = "il portale non si apre", "lnegri", got.Begun, got.Until
		if got != c.want {
			t.Errorf("%+v: %+v", c.start, got)
		}
	}
}
