package letter

import (
	"slices"
	"time"

	"usciere/policy"
)

// Due is a reminder that is due: of grants of an office, on one request, that end on the same day.
type Due struct {
	Office  string
	Request policy.RequestID
	Ends    policy.Moment // the last day
	Days    int           // before the end: which of the settings' days it is
	Grants  []policy.GrantID
}

// DueReminders finds the reminders that are due: of the grants that end within one of the numbers of days, and of these the
// least. Each is due once, whatever the clock did meanwhile: not when a reminder for as few days or fewer was written, nor
// for a number of days that was past already when the grants were made. What was renewed, or is about to be, needs none. It
// reads all grants, if any end at all, so it belongs into a View.
func DueReminders(r policy.Records, rules *policy.Snapshot, now time.Time, days []int) ([]Due, error) {
	if len(days) == 0 {
		return nil, nil
	}
	zone := rules.Town().Zone
	today := policy.DayOf(now, zone)
	if !rules.MayEnd(now, today.Start(zone).AddDate(0, 0, slices.Max(days)+1)) {
		return nil, nil
	}
	due, err := ending(r, now, zone, days)
	if err != nil || len(due) == 0 {
		return nil, err
	}
	if err := dropReminded(r, due); err != nil {
		return nil, err
	}
	if err := dropRenewed(r, due); err != nil {
		return nil, err
	}
	out := make([]Due, 0, len(due))
	for _, d := range due {
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b Due) int { return int(a.Grants[0]) - int(b.Grants[0]) })
	return out, nil
}

// together is what grants have in common that one reminder is about.
type together struct {
	office  string
	request policy.RequestID
	ends    policy.Moment
}

// ending are the reminders that would be due if none was ever written.
func ending(r policy.Records, now time.Time, zone *time.Location, days []int) (map[together]*Due, error) {
	today, made := policy.DayOf(now, zone), map[together]policy.Moment{}
	due := map[together]*Due{}
	err := r.EachGrant(func(g *policy.Grant) bool {
		if g.Office == "" || g.Until == "" || g.Revoked != nil || !g.Until.End(zone).After(now) {
			return true
		}
		key := together{g.Office, g.Request, g.Until[:len(time.DateOnly)]}
		n, ok := nearest(days, daysBetween(today, key.ends))
		if !ok {
			return true
		}
		if due[key] == nil {
			due[key] = &Due{Office: g.Office, Request: g.Request, Ends: key.ends, Days: n}
			made[key] = policy.DayOf(g.Created, zone)
		}
		due[key].Grants = append(due[key].Grants, g.ID)
		made[key] = min(made[key], policy.DayOf(g.Created, zone))
		return true
	})
	for key, d := range due {
		if daysBetween(made[key], key.ends) <= d.Days {
			delete(due, key)
		}
	}
	return due, err
}

// nearest is the least of the numbers of days that is not less than what is left.
func nearest(days []int, left int) (n int, ok bool) {
	for _, d := range days {
		if d >= left && (!ok || d < n) {
			n, ok = d, true
		}
	}
	return n, ok
}

func daysBetween(from, to policy.Moment) int {
	return int(to.Start(time.UTC).Sub(from.Start(time.UTC)) / (24 * time.Hour))
}

// dropReminded takes out what the office was reminded of.
func dropReminded(r policy.Records, due map[together]*Due) error {
	return r.EachLetter(func(l *policy.Letter) bool {
		key := together{l.Office, l.Request, l.Content.Ends}
		if d := due[key]; l.Kind == policy.Reminder && d != nil && l.Content.Days <= d.Days {
			delete(due, key)
		}
		return len(due) > 0
	})
}

// dropRenewed takes out what rests on requests that another took the place of, or will if the IT head says so.
func dropRenewed(r policy.Records, due map[together]*Due) error {
	if len(due) == 0 {
		return nil
	}
	done := map[policy.RequestID]bool{}
	err := r.EachRequest(func(q *policy.Request) bool {
		switch q.State {
		case policy.Renewed:
			done[q.ID] = true
		case policy.Endorsed, policy.Approved:
			done[q.Renews] = true
		}
		return true
	})
	for key := range due {
		if done[key.request] {
			delete(due, key)
		}
	}
	return err
}

// maxReminders is how many reminders one change writes.
const maxReminders = 100

// Remind writes reminders that DueReminders found, the first hundred of them; what was revoked meanwhile is left out.
type Remind struct {
	Due   []Due
	Style Style
}

// Kind names the change in the journal.
func (Remind) Kind() string { return "letter.remind" }

// Reminded are the reminders that Remind wrote.
type Reminded struct {
	Letters []*policy.Letter `json:"letters"`
}

// Apply implements policy.Change.
func (c Remind) Apply(e *policy.Edit) (policy.Made, error) {
	var out Reminded
	for _, d := range c.Due[:min(len(c.Due), maxReminders)] {
		l, err := c.write(e, d)
		if err != nil {
			return policy.Made{}, err
		}
		if l != nil {
			out.Letters = append(out.Letters, l)
		}
	}
	if len(out.Letters) == 0 {
		return policy.Made{}, policy.Refusef(policy.Conflict, "", "no reminder is due any more")
	}
	return policy.Made{Body: out}, nil
}

// write writes one reminder; none if all of its grants are gone.
func (c Remind) write(e *policy.Edit, d Due) (*policy.Letter, error) {
	if _, ok := e.Office(d.Office); !ok {
		return nil, nil
	}
	var grants []*policy.Grant
	for _, id := range d.Grants {
		g, err := e.Records().Grant(id)
		if err != nil {
			return nil, err
		}
		if g.Revoked == nil {
			grants = append(grants, g)
		}
	}
	if len(grants) == 0 {
		return nil, nil
	}
	q, err := e.Records().Request(d.Request)
	if err != nil {
		return nil, err
	}
	content := e.ContentOf(q, grants)
	content.Ends, content.Days, content.Left = d.Ends, d.Days, nil
	l, err := e.WriteLetter(policy.Letter{Kind: policy.Reminder, Office: d.Office, Content: content}, q)
	if err != nil {
		return nil, err
	}
	return Issue(e, *l, Out{}, c.Style)
}
