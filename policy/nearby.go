package policy

import "time"

// The methods of this file say what an explanation wants to know beyond the verdict.

// Nearby are up to max grants by which somebody else's workstation may ask the name at that time: the best one of each
// office, in order of their ids, each grant once.
func (s *Snapshot) Nearby(name []byte, t Type, at time.Time, max int) []Verdict {
	var out []Verdict
	seen := map[GrantID]bool{}
	for _, role := range []Role{Employee, Server} {
		for _, o := range s.Offices() {
			if len(out) == max {
				return out
			}
			c, _ := s.Employee(o.ID)
			c.Role = role
			if v := s.Decide(&c, name, t, at); v.Reason == Granted && !seen[v.Grant] {
				seen[v.Grant] = true
				out = append(out, v)
			}
		}
	}
	return out
}

// Dormant is a grant of the client that covers the name on its channel, whatever its types, dates and timetable: when the
// name is sinkholed, one of these is why. One that has not ended at that time comes before those that have, of which it is the last.
func (s *Snapshot) Dormant(c *Client, name []byte, t Type, at time.Time) (id GrantID, ok bool) {
	if c.number == 0 {
		return 0, false
	}
	var end time.Time
	lives := func(grant, cond uint32) bool {
		until := s.conds[cond].span.until
		if id == 0 || until.IsZero() || until.After(end) {
			id, end = GrantID(grant), until
		}
		return until.IsZero() || at.Before(until)
	}
	mail, labels, _ := mailBase(name, t)
	subjects := s.subjects(c)
	for off, depth := 0, 0; name[off] != 0; depth++ {
		q := question{t: t, mail: mail, depth: depth, domain: depth - labels}
		entries := s.rules.find(name[off:])
		for i := range subjects {
			for _, e := range of(entries, subjects[i].owner) {
				if s.conds[e.cond].fits(q) && lives(e.grant, e.cond) {
					return id, true
				}
			}
		}
		for _, e := range services(entries) {
			if !s.conds[e.cond].fits(q) {
				continue
			}
			for i := range subjects {
				for _, h := range subjects[i].of(uint32(e.owner &^ ownerKind)) {
					if lives(h.grant, h.cond) {
						return id, true
					}
				}
			}
		}
		off += 1 + int(name[off])
	}
	return id, id != 0
}

// MailDomain is the domain whose mail a question belongs to (R3): a grant of the mail channel on it opens the name.
func MailDomain(name []byte, t Type) (Name, bool) {
	mail, _, base := mailBase(name, t)
	return Name(name[base:]), mail
}
