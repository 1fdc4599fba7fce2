package town

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usciere/policy"
)

// wanted is a grant of the document, or one in force, with what is left out filled in.
type wanted struct {
	Grant
	path     string
	subject  policy.Subject
	channel  policy.Channel
	opens    string // the rule, or "service NAME"
	protocol string
	letter   *Request // in full, as far as the document has it
	id       policy.GrantID
}

// target is whom a grant is for and what it opens.
func (g *wanted) target() string {
	return fmt.Sprintf("%q %q %t %q %q", g.subject.Office, g.subject.Role, g.subject.Everyone, g.channel, g.opens)
}

// key is what no two grants have in common.
func (g *wanted) key() string {
	return g.target() + "\x00" + strings.Join([]string{typesText(g.Types), string(g.From), string(g.Until), string(g.Schedule)}, "\x00")
}

// present are the grants in force as the document would have them.
func (d *differ) present() []*wanted {
	out := make([]*wanted, len(d.now.grants))
	for i, g := range d.now.grants {
		out[i] = &wanted{
			Grant: d.now.Grants[i], subject: g.Subject, channel: g.Channel, opens: g.Opens(), protocol: d.now.requests[g.Request].Protocol, id: g.ID,
		}
	}
	return out
}

// pair finds which grants that end become which that are made, as a person would say it: those on the same name for the same
// subject, then, where there is but one of each, those on the same terms of a letter.
func pair(gone, come []*wanted) map[*wanted]*wanted {
	out := map[*wanted]*wanted{}
	taken := map[*wanted]bool{}
	match := func(only bool, by func(*wanted) string) {
		ends, begins := map[string][]*wanted{}, map[string][]*wanted{}
		for _, g := range gone {
			if out[g] == nil {
				ends[by(g)] = append(ends[by(g)], g)
			}
		}
		for _, g := range come {
			if !taken[g] {
				begins[by(g)] = append(begins[by(g)], g)
			}
		}
		for key, from := range ends {
			to := begins[key]
			if only && (len(from) > 1 || len(to) > 1) {
				continue
			}
			for i := range min(len(from), len(to)) {
				out[from[i]], taken[to[i]] = to[i], true
			}
		}
	}
	match(false, (*wanted).target)
	match(true, func(g *wanted) string {
		return fmt.Sprintf("%q %q %t %q %v", g.subject.Office, g.subject.Role, g.subject.Everyone, g.channel, g.facts())
	})
	return out
}

// grants revokes those that are in force and not in the document, and notes those that are to be made.
func (d *differ) grants(all []*wanted) {
	var gone []*wanted
	in := map[string]bool{}
	for _, g := range all {
		in[g.key()+"\x00"+g.protocol] = true
	}
	have := map[string]bool{}
	for _, g := range d.present() {
		have[g.key()+"\x00"+g.protocol] = true
		if !d.KeepUnlisted && !in[g.key()+"\x00"+g.protocol] {
			gone = append(gone, g)
		}
	}
	for _, g := range all {
		if !have[g.key()+"\x00"+g.protocol] {
			d.added = append(d.added, g)
		}
	}
	became := map[*wanted]bool{}
	ended := map[string][]*wanted{}
	next := pair(gone, d.added)
	for _, g := range gone {
		reason := "not in " + d.File
		if to := next[g]; to != nil {
			reason, became[to] = "changed in "+d.File, true
			d.differs("~", "grant", g.id.String(), g.become(to))
		} else {
			d.differs("-", "grant", g.id.String(), g.line()+"  "+g.facts().brief())
		}
		ended[reason] = append(ended[reason], g)
	}
	for _, g := range d.added {
		if !became[g] {
			d.differs("+", "grant", "", g.line()+"  "+g.facts().brief())
		}
	}
	for _, g := range d.now.past { // they open nothing, but would keep their service as it is
		if is, ok := d.rules.Service(g.Service); ok && !is.Builtin {
			reason := "past, and its service changed in " + d.File
			if will, stays := d.next.Services[ID(g.Service)]; !stays || cmp.Or(will.Channel, policy.Web) != is.Channel || will.PEC != is.PEC {
				ended[reason] = append(ended[reason], &wanted{subject: g.Subject, id: g.ID})
			}
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(ended)) {
		d.revoke(reason, ended[reason])
	}
}

// maxGrants is how many grants a change ends or makes.
const maxGrants = 10_000

// revoke ends grants, those of each subject in a change of its own, so that the journal names the office.
func (d *differ) revoke(reason string, grants []*wanted) {
	slices.SortStableFunc(grants, func(a, b *wanted) int { return cmp.Compare(a.subject.String(), b.subject.String()) })
	for len(grants) > 0 {
		n := 1
		for n < min(len(grants), maxGrants) && grants[n].subject == grants[0].subject {
			n++
		}
		c := policy.RevokeGrants{Reason: reason}
		for _, g := range grants[:n] {
			c.Grants = append(c.Grants, g.id)
		}
		d.change(c, origin{path: "grants"})
		grants = grants[n:]
	}
}

// addGrants makes the new ones: those of a letter for the same subject and on the same terms in one change.
func (d *differ) addGrants() {
	groups := map[string][]*wanted{}
	var order []string
	for _, g := range d.added {
		key := strings.Join([]string{g.protocol, g.subject.String(), string(g.channel), typesText(g.Types), string(g.From), string(g.Until), string(g.Schedule)}, "\x00")
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], g)
	}
	for _, key := range order {
		for group := range slices.Chunk(groups[key], maxGrants) {
			g := group[0]
			c := policy.AddGrants{
				Subject: g.subject, Channel: g.channel, Types: g.Types, From: g.From, Until: g.Until, Schedule: g.Schedule,
				Protocol: g.protocol, Date: g.letter.Date, Seat: g.letter.Seat, Holder: g.letter.Holder, Reason: g.letter.Reason,
			}
			var from []origin
			for _, g := range group {
				name := g.Service
				if name == "" {
					name = g.Rule
					if r, _, err := policy.ParseRule(g.Rule); err == nil && r.String() == g.Rule {
						name = g.letter.asAsked(g.Rule)
					}
				}
				c.Names = append(c.Names, name)
				if d.certified(g) {
					c.Ground = g.letter.Ground
				}
				from = append(from, origin{g.path, cmp.Or(g.Service, strings.TrimPrefix(g.opens, "service "))})
			}
			d.change(c, from...)
		}
	}
}

// understand fills in what a grant of the document leaves out.
func (d *differ) understand(g Grant, path string) (*wanted, bool) {
	w := &wanted{Grant: g, path: path, subject: policy.Subject{Office: g.Office, Role: g.Role, Everyone: g.Everyone}}
	problems := len(d.problems)
	given := 0
	for _, is := range []bool{g.Office != "", g.Role != "", g.Everyone} {
		if is {
			given++
		}
	}
	if given != 1 {
		d.problem(path, "give exactly one of office, role and everyone", "whom is the grant for?")
	}
	if _, ok := d.next.Offices[ID(g.Office)]; g.Office != "" && !ok {
		d.problem(path+".office", "enter it below offices", "there is no office %q", g.Office)
	}
	switch {
	case (g.Rule == "") == (g.Service == ""):
		d.problem(path, "give exactly one of rule and service", "what does the grant open?")
	case g.Service != "":
		w.opens = "service " + g.Service
		w.channel = d.channelOf(path, g)
	default:
		w.channel = cmp.Or(g.Channel, policy.Web)
		rule, _, err := policy.ParseRule(g.Rule)
		if err != nil {
			d.problems = append(d.problems, problemOf(path+".rule", err))
		}
		w.opens = rule.String()
	}
	w.Types = slices.Clone(g.Types)
	slices.Sort(w.Types)
	w.Types = slices.Compact(w.Types)
	if g.Request == nil {
		d.problem(path, "write request: {protocol: NUMBER/YEAR, date: DAY, reason: …}", "a grant without a request cannot be made (Art. 5)")
	} else {
		w.protocol = g.Request.Protocol
		if number, err := policy.ParseProtocol(w.protocol); err == nil { // what is no number is refused as it is applied
			w.protocol = number
		}
	}
	return w, len(d.problems) == problems
}

// certified says whether a grant of the document is of certified mail.
func (d *differ) certified(g *wanted) bool {
	if own, ok := d.next.Services[ID(g.Service)]; ok {
		return own.PEC
	}
	sv, ok := d.rules.Service(g.Service)
	return ok && sv.PEC
}

// channelOf is the channel of the service that a grant opens.
func (d *differ) channelOf(path string, g Grant) policy.Channel {
	var channel policy.Channel
	if own, ok := d.next.Services[ID(g.Service)]; ok {
		channel = cmp.Or(own.Channel, policy.Web)
	} else if sv, ok := d.rules.Service(g.Service); ok && sv.Builtin {
		channel = sv.Channel
	} else {
		d.problem(path+".service", "see `usciere service list`, or enter it below services", "there is no service %q", g.Service)
	}
	if g.Channel != "" && channel != "" && g.Channel != channel {
		d.problem(path+".channel", "leave it out", "service %s is of the channel %s", g.Service, channel)
	}
	return channel
}

// letters gives every grant the whole of its letter: what the document has of it, at one of the grants, and what is known.
func (d *differ) letters(grants []*wanted) error {
	full := map[string]*wanted{}
	for _, g := range grants {
		if first := full[g.protocol]; !g.Request.alone() && first == nil {
			full[g.protocol] = g
		} else if !g.Request.alone() && !g.Request.equal(first.Request) && g.protocol != "" {
			d.problem(g.path+".request", "write it whole once, and its number alone elsewhere", "protocol %s is written otherwise at %s", g.protocol, first.path)
		}
	}
	grounded := map[string]bool{} // letters that rest on a ground, as they may
	for _, g := range grants {
		if d.certified(g) {
			grounded[g.protocol] = true
		}
	}
	for _, g := range grants {
		if g.Request.Holder != "" && g.Request.Seat == "" {
			d.problem(g.path+".request.holder", "write seat: ID too, or leave it out", "who signed is written without the seat")
		}
		if g.Request.Ground != "" && !grounded[g.protocol] {
			d.problem(g.path+".request.ground", "leave it out", "a ground is for certified mail, and nothing of the request %s is", g.protocol)
		}
	}
	known := map[string]*policy.Request{}
	for _, g := range grants {
		if g.letter = g.Request; g.protocol == "" {
			continue
		}
		if first := full[g.protocol]; first != nil {
			g.letter = first.Request
		}
		q, seen := known[g.protocol]
		if !seen {
			found, ok, err := d.records.RequestOf(g.protocol)
			if err != nil {
				return err
			}
			if ok {
				q = found
			}
			known[g.protocol] = q
		}
		switch {
		case q == nil && strings.TrimSpace(g.letter.Reason) == "":
			d.problem(g.path+".request", "write them out: request: {protocol: "+g.protocol+", date: DAY, reason: …}", "the request %s has no reasons (Art. 5 and 7)", g.protocol)
		case q != nil && full[g.protocol] == g: // the others say the same
			d.unchanged(g, q)
		}
	}
	return nil
}

// alone says whether only the number is given.
func (q *Request) alone() bool {
	return q.Protocol != "" && q.Date == "" && q.Seat == "" && q.Holder == "" && q.Reason == "" && q.Ground == "" && len(q.Asked) == 0
}

func (q *Request) equal(o *Request) bool {
	return q.Date == o.Date && q.Seat == o.Seat && strings.TrimSpace(q.Holder) == strings.TrimSpace(o.Holder) && q.Ground == o.Ground &&
		strings.TrimSpace(q.Reason) == strings.TrimSpace(o.Reason) && slices.Equal(q.Asked, o.Asked)
}

// unchanged refuses to rewrite a letter that is on record. A ground may come to one that has none, with its certified mail.
func (d *differ) unchanged(g *wanted, q *policy.Request) {
	for _, is := range []struct{ key, written, record string }{
		{"date", string(g.Request.Date), string(q.Date)}, {"seat", g.Request.Seat, q.Seat}, {"reason", strings.TrimSpace(g.Request.Reason), q.Reason},
		{"ground", string(g.Request.Ground), string(q.Ground)}, {"holder", strings.TrimSpace(g.Request.Holder), q.Holder},
	} {
		if is.written != "" && is.written != is.record && (is.record != "" || is.key != "ground") {
			d.problem(g.path+".request."+is.key, "a letter on record is not rewritten: check the number, or give the number alone",
				"the request %s is on record with another %s: %q", q.Protocol, is.key, is.record)
		}
	}
}

// past are the grants whose end is past: what is not in force already is not made any more.
func (d *differ) past(g *wanted) bool {
	if g.Until == "" || d.Now.Before(g.Until.End(d.rules.Town().Zone)) {
		return false
	}
	d.Warnings = append(d.Warnings, policy.Problem{Path: g.path + ".until", Message: fmt.Sprintf("until %s is past: this grant opens nothing", g.Until)})
	return true
}
