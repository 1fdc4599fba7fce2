package policy

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"
)

// FewestClients is how many clients of an office must have asked for a name on a day before the name is told of.
const FewestClients = 3

// MaxAskedNames is how many names of an office are kept of a day, those asked most.
const MaxAskedNames = 200

// Asked are the names that an office's clients asked for on a day. It is learnt from questions, and no rule; no client is in it.
type Asked struct {
	Day    string      `json:"day"` // 2006-01-02, of the town
	Office string      `json:"office"`
	Names  []AskedName `json:"names"`
}

// AskedName is how often a name was asked for. Repetitions within a minute mostly count once.
type AskedName struct {
	Name      Name   `json:"name"`
	Allowed   uint64 `json:"allowed,omitempty"`
	Sinkholed uint64 `json:"sinkholed,omitempty"`
}

func (a *AskedName) times() uint64 { return a.Allowed + a.Sinkholed }

// CountAsked adds to what the offices asked for on the day of a moment, and forgets what is older than so many days before. It changes no
// rule and is not journalled.
func (l *Live) CountAsked(at time.Time, offices map[string][]AskedName, keep int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	day := dayOf(at, l.Snapshot().Town().Zone)
	oldest := dayOf(at.AddDate(0, 0, -keep), l.Snapshot().Town().Zone)
	if keep == 0 {
		oldest = dayOf(at.AddDate(0, 0, 1), l.Snapshot().Town().Zone)
	}
	return l.store.Update(func(tx Tx) error {
		var over []string
		if err := tx.Each(TableAsked, "", func(key string, _ func(any) error) error {
			if key >= oldest {
				return errStop
			}
			over = append(over, key)
			return nil
		}); err != nil && !errors.Is(err, errStop) {
			return err
		}
		for _, key := range over {
			if err := tx.Delete(TableAsked, key); err != nil {
				return err
			}
		}
		if keep == 0 {
			return nil
		}
		for office, names := range offices {
			a := Asked{Day: day, Office: office}
			if _, err := tx.Get(TableAsked, day+"/"+office, &a); err != nil {
				return err
			}
			a.add(names)
			if err := tx.Put(TableAsked, day+"/"+office, &a); err != nil {
				return err
			}
		}
		return nil
	})
}

// add adds counts, and leaves what was asked least out when there are too many names.
func (a *Asked) add(names []AskedName) {
	for _, n := range names {
		i := slices.IndexFunc(a.Names, func(o AskedName) bool { return o.Name == n.Name })
		if i < 0 {
			a.Names = append(a.Names, n)
			continue
		}
		a.Names[i].Allowed += n.Allowed
		a.Names[i].Sinkholed += n.Sinkholed
	}
	slices.SortStableFunc(a.Names, func(x, y AskedName) int {
		return cmp.Or(cmp.Compare(y.times(), x.times()), strings.Compare(x.Name.String(), y.Name.String()))
	})
	a.Names = a.Names[:min(len(a.Names), MaxAskedNames)]
}

// AskedSince is what the offices asked for from a day on, by day.
func (l *Live) AskedSince(day string) (all []Asked, err error) {
	err = l.store.View(func(tx Tx) error {
		return each(tx, TableAsked, func(a *Asked) bool {
			if a.Day >= day {
				all = append(all, *a)
			}
			return true
		})
	})
	return all, err
}

func dayOf(at time.Time, zone *time.Location) string {
	if zone != nil {
		at = at.In(zone)
	}
	return at.Format(time.DateOnly)
}
