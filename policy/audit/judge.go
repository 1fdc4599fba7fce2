package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"usciere/policy"
	"usciere/policy/journal"
)

// answer says what the day's points come to.
func (d *day) answer(head journal.Head, entries int) (*Answer, error) {
	if !d.known {
		if len(d.rules.puzzles) == 0 {
			return nil, policy.Refusef(policy.NotFound, "see `usciere office list`, and which journal this is", "the journal knows no office %q", d.Office)
		}
		return nil, policy.Refusef(policy.NotFound, "ask with a newer version of usciere",
			"the journal knows no office %q, as far as this version understands it: entry %d is %s, %s", d.Office,
			d.rules.puzzles[0].Seq, d.rules.puzzles[0].Kind, d.rules.puzzles[0].Why)
	}
	a := &Answer{
		Office: d.Office, Name: d.Name, Type: d.Type, Day: d.Day, Timezone: d.Zone.String(), Grants: []Basis{}, Seats: []SeatThen{},
		Head: head, Entries: entries, Last: d.last,
	}
	a.Stretches = d.stretches()
	a.Reached = reach(a.Stretches)
	d.name(a)
	if err := d.bases(a); err != nil {
		return nil, err
	}
	if err := d.others(a); err != nil {
		return nil, err
	}
	if err := d.refusals(a); err != nil {
		return nil, err
	}
	d.seated(a)
	d.caveats(a)
	return a, nil
}

func reach(all []Stretch) Reach {
	open := 0
	for _, s := range all {
		if s.Reached {
			open++
		}
	}
	switch open {
	case 0:
		return Never
	case len(all):
		return AllDay
	}
	return PartOfDay
}

// stretches judges every minute of the day, and every instant at which the rules changed: dates and timetables have no finer
// grain.
func (d *day) stretches() (out []Stretch) {
	add := func(s Stretch, at time.Time) {
		if n := len(out); n > 0 {
			last := &out[n-1]
			last.Until = at
			if s.Reached == last.Reached && s.Why == last.Why && s.Grant == last.Grant && s.Rule == last.Rule && s.Service == last.Service {
				return
			}
		}
		s.From = at
		out = append(out, s)
	}
	points := d.points
	if len(points) == 0 || points[0].at.After(d.from) {
		add(Stretch{Why: "the journal had not begun"}, d.from)
	}
	for i, p := range points {
		end := d.end
		if i+1 < len(points) {
			end = points[i+1].at
		}
		for at := p.at; at.Before(end); at = at.Truncate(time.Minute).Add(time.Minute) {
			add(d.judge(p.rules, at), at)
		}
	}
	out[len(out)-1].Until = d.end
	for i := range out {
		out[i].From, out[i].Until = out[i].From.In(d.Zone), out[i].Until.In(d.Zone)
	}
	return out
}

// judge has the policy decide for any employee of the office.
func (d *day) judge(rules *policy.Snapshot, at time.Time) Stretch {
	c, ok := rules.Employee(d.Office)
	if !ok {
		return Stretch{Why: "the office was not there"}
	}
	v := rules.Decide(&c, []byte(d.Name), d.Type, at)
	if v.Action != policy.Allow {
		return Stretch{Why: fmt.Sprintf("no grant of %s, of employees or of everyone covered the name", d.Office)}
	}
	s := Stretch{Reached: true, Rule: v.Rule([]byte(d.Name)).String(), Grant: v.Grant}
	if v.Service != nil {
		s.Service = v.Service.ID
	}
	return s
}

// name fills in how the office was called that day, or else is.
func (d *day) name(a *Answer) {
	var o policy.Office
	if ok, err := d.rules.Get(policy.TableOffices, d.Office, &o); ok && err == nil {
		a.Called = o.Name
	}
	for _, p := range d.points {
		if o, ok := p.rules.Office(d.Office); ok {
			a.Called = o.Name
		}
	}
}

// seated fills in the seats of the office, who held them, and which workstations had no limits (R9).
func (d *day) seated(a *Answer) {
	then := map[string]*policy.Seat{} // as the journal had them that day, at the end of it if possible
	for _, p := range d.points {
		for _, s := range p.rules.Seats() {
			if s.Office == d.Office {
				then[s.ID] = s
			}
		}
	}
	for id, k := range d.seats {
		if _, ok := then[id]; !ok && k.held && k.seat.Office == d.Office && !k.at.Before(d.end) {
			then[id] = nil // entered later, with a holder that day
		}
	}
	hosts := d.unrestricted()
	for id, s := range then {
		k := d.seats[id]
		if k == nil {
			continue
		}
		out := SeatThen{ID: id, Name: k.seat.Name, Role: k.seat.Role, Hosts: hosts[id]}
		if s != nil {
			out.Name, out.Role = s.Name, s.Role
		}
		out.Free = !out.Role.Restricted()
		if k.held {
			holder := k.holder
			out.Holder = &holder
		}
		if !k.at.Before(d.end) {
			out.Later = &Later{Entry: k.seq, At: k.at.In(d.Zone)}
			if s != nil {
				before, _ := s.HolderOn(d.Day)
				out.Later.Before = before.Name
			}
		}
		a.Seats = append(a.Seats, out)
	}
	slices.SortFunc(a.Seats, func(x, y SeatThen) int { return cmp.Compare(x.ID, y.ID) })
}

// unrestricted are the workstations that had no limits by a seat of the office, as the rules were at the time.
func (d *day) unrestricted() map[string][]HostThen {
	out := map[string][]HostThen{}
	for i, p := range d.points {
		end := d.end
		if i+1 < len(d.points) {
			end = d.points[i+1].at
		}
		for _, h := range p.rules.Hosts() {
			c := p.rules.Who(h.Addr, p.at)
			if c.Seat == "" || c.Role.Restricted() || c.Office == nil || c.Office.ID != d.Office {
				continue
			}
			all := out[c.Seat]
			j := slices.IndexFunc(all, func(t HostThen) bool { return t.Addr == h.Addr && t.Until.Equal(p.at) })
			if j >= 0 {
				all[j].Until = end.In(d.Zone)
				continue
			}
			out[c.Seat] = append(all, HostThen{h.Addr, p.at.In(d.Zone), end.In(d.Zone)})
		}
	}
	for _, all := range out {
		slices.SortFunc(all, func(x, y HostThen) int { return cmp.Or(x.Addr.Compare(y.Addr), x.From.Compare(y.From)) })
	}
	return out
}

// caveats fill in what the answer does not know.
func (d *day) caveats(a *Answer) {
	puzzles, many := d.rules.Puzzles()
	a.Puzzles = puzzles
	if many > 0 {
		d.note(true, "%d of the journal's entries are not fully understood by this version: the answer may be incomplete", many)
	}
	a.Future = !d.Now.IsZero() && d.Now.Before(d.end)
	switch {
	case a.Future && d.Now.Before(d.from):
		d.note(false, "the day is yet to come: this is by the rules known so far")
	case a.Future:
		d.note(false, "the day is not over: for the rest of it this is by the rules known so far")
	case d.last.Before(d.end):
		d.note(false, "the journal's last entry is of %s: what was changed after it is not known here", stamp(d.last, d.Zone))
	}
	if !d.first.Before(d.end) {
		d.note(false, "the journal begins later, on %s", stamp(d.first, d.Zone))
	} else if d.first.After(d.from) {
		d.note(false, "the journal begins on that day, at %s", d.first.In(d.Zone).Format("15:04"))
	}
	addresses := d.Type == policy.TypeA || d.Type == policy.TypeAAAA
	if a.Reached != AllDay && addresses && d.had(policy.Mail) {
		d.note(false, "a grant of mail also opens the addresses of the hosts that the domain's MX and mail SRV records point to; which these were, the journal does not know")
	}
	if a.Reached != AllDay && (addresses || policy.WebHostsOf(d.Type)) && d.had(policy.Web) {
		d.note(false, "a grant of a web site also opens the hosts that its HTTPS and SVCB records point to, for as long as these live; which these were, the journal does not know")
	}
	if devices := d.devices(); len(devices) > 0 {
		d.note(false, "the devices %s had no limits by a seat of the office, at whatever address they had a lease of: which that was, the DHCP server's log knows, and the journal does not", strings.Join(devices, ", "))
	}
	if tokens := d.tokens(); len(tokens) > 0 {
		d.note(false, "who showed the tokens %s had no limits by a seat of the office, wherever it asked from: from where that was, the journal does not know", strings.Join(tokens, ", "))
	}
	a.Notes, a.Complete = d.notes, !d.partial
}

// tokens are those whose bearers had no limits by a seat of the office.
func (d *day) tokens() (out []string) {
	for _, p := range d.points {
		for _, t := range p.rules.Tokens() {
			c, ok := p.rules.Bearer(t.ID, t.Host, p.at)
			if ok && c.Office != nil && c.Office.ID == d.Office && !c.Role.Restricted() && !slices.Contains(out, t.ID) {
				out = append(out, t.ID)
			}
		}
	}
	slices.Sort(out)
	return out
}

// devices are those that had no limits by a seat of the office.
func (d *day) devices() (out []string) {
	for _, p := range d.points {
		for _, s := range p.rules.Seats() {
			if s.Office != d.Office || s.Role.Restricted() {
				continue
			}
			for _, device := range s.Devices {
				if !slices.Contains(out, device.ID.String()) {
					out = append(out, device.ID.String())
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// had says whether a grant of a channel could open hosts that the journal does not name.
func (d *day) had(channel policy.Channel) (did bool) {
	_ = d.rules.Records().EachGrant(func(g *policy.Grant) bool {
		over := g.Revoked != nil && !g.Revoked.At.After(d.from) || g.Until != "" && !g.Until.End(d.Zone).After(d.from)
		early := !g.Created.Before(d.end) || !g.From.Start(d.Zone).Before(d.end)
		did = g.Channel == channel && (g.Role == "" || g.Role == policy.Employee) && !over && !early
		return !did
	})
	return did
}
