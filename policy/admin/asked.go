package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"usciere/policy"
)

// AskedList are the names that offices asked for, the most asked first.
type AskedList struct {
	Since string      `json:"since"` // the first day counted, 2006-01-02
	Names []AskedName `json:"names"`
}

// AskedName is a name that clients of an office asked for.
type AskedName struct {
	policy.AskedName
	Office string `json:"office"`
	Days   int    `json:"days"` // on how many
	Last   string `json:"last"` // the newest of them
}

const (
	askedDays     = 7 // that are looked back unless a request says otherwise
	maxAskedShown = 1000
)

// listAsked adds up what was asked on the last days.
func listAsked(c *call) (any, error) {
	q, err := params(c.r, "office", "days", "limit")
	if err != nil {
		return nil, err
	}
	number := func(key string, otherwise, most int) (int, error) {
		text := q.Get(key)
		if text == "" {
			return otherwise, nil
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			return 0, invalid(fmt.Sprintf("give a number from 1 to %d", most), fmt.Sprintf("%s=%q is none", key, text))
		}
		return n, nil
	}
	days, err := number("days", askedDays, 400)
	if err != nil {
		return nil, err
	}
	limit, err := number("limit", 100, maxAskedShown)
	if err != nil {
		return nil, err
	}
	office := q.Get("office")
	if _, known := c.rules.Office(office); office != "" && !known {
		return nil, notFound("see `usciere office list`", "there is no office %q", office)
	}
	if err := c.cfg.Resolver.KeepAsked(); err != nil {
		return nil, err
	}
	since := c.now.In(c.rules.Town().Zone).AddDate(0, 0, 1-days).Format(time.DateOnly)
	kept, err := c.cfg.Rules.AskedSince(since)
	if err != nil {
		return nil, err
	}
	return AskedList{Since: since, Names: addUp(kept, office, limit)}, nil
}

// addUp adds up the days, of one office or, for the empty one, of all.
func addUp(days []policy.Asked, office string, limit int) []AskedName {
	type key struct {
		office string
		name   policy.Name
	}
	sums := map[key]*AskedName{}
	for _, d := range days { // in their order
		if office != "" && d.Office != office {
			continue
		}
		for _, n := range d.Names {
			k := key{d.Office, n.Name}
			sum := sums[k]
			if sum == nil {
				sum = &AskedName{AskedName: policy.AskedName{Name: n.Name}, Office: d.Office}
				sums[k] = sum
			}
			sum.Allowed += n.Allowed
			sum.Sinkholed += n.Sinkholed
			sum.Days++
			sum.Last = d.Day
		}
	}
	out := make([]AskedName, 0, len(sums))
	for _, sum := range sums {
		out = append(out, *sum)
	}
	slices.SortFunc(out, func(a, b AskedName) int {
		return cmp.Or(cmp.Compare(b.Sinkholed, a.Sinkholed), cmp.Compare(b.Allowed, a.Allowed), strings.Compare(a.Name.String(), b.Name.String()), strings.Compare(a.Office, b.Office))
	})
	return out[:min(len(out), limit)]
}
