package policy

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"
)

// oracle decides as the requirements say it, slowly and plainly: it reads the records as they are stored and walks through
// all of them for each question, with names as lists of labels. It shares no code with the snapshot but the records.
type oracle struct {
	site     []netip.Prefix
	zone     *time.Location
	offices  []Office
	seats    []Seat
	hosts    []Host
	services []Service
	grants   []Grant // in force
}

func oracleOf(store Store, town Town) (o *oracle, err error) {
	o = &oracle{site: town.Site, zone: town.Zone}
	err = store.View(func(tx Tx) error {
		return cmp.Or(
			eachRecord(tx, TableOffices, func(r *Office) error { o.offices = append(o.offices, *r); return nil }),
			eachRecord(tx, TableSeats, func(r *Seat) error { o.seats = append(o.seats, *r); return nil }),
			eachRecord(tx, TableHosts, func(r *Host) error { o.hosts = append(o.hosts, *r); return nil }),
			eachRecord(tx, TableServices, func(r *Service) error { o.services = append(o.services, *r); return nil }),
			eachRecord(tx, TableGrants, func(r *Grant) error {
				if r.Revoked == nil {
					o.grants = append(o.grants, *r)
				}
				return nil
			}),
		)
	})
	return o, err
}

// asker is who asks, as the oracle finds it.
type asker struct {
	inside       bool
	office, seat string
	role         Role
}

func (o *oracle) who(addr netip.Addr, at time.Time) asker {
	addr = addr.Unmap().WithZone("")
	c := asker{role: Employee}
	for _, p := range o.site {
		c.inside = c.inside || p.Contains(addr)
	}
	if !c.inside {
		return c
	}
	for _, h := range o.hosts {
		if h.Addr != addr {
			continue
		}
		c.office = h.Office
		if h.Role == Server {
			c.role = Server
		}
		for _, b := range h.Seats {
			if day := at.In(o.zone).Format("2006-01-02"); string(b.From) <= day && (b.Until == "" || day <= string(b.Until)) {
				for _, s := range o.seats {
					if s.ID == b.Seat {
						c.office, c.role, c.seat = s.Office, s.Role, s.ID
					}
				}
			}
		}
	}
	longest := -1
	if c.office == "" {
		for _, office := range o.offices {
			for _, p := range office.Networks {
				if p.Contains(addr) && p.Bits() > longest {
					longest, c.office = p.Bits(), office.ID
				}
			}
		}
	}
	return c
}

// judged is a verdict as the oracle gives it.
type judged struct {
	action  Action
	reason  Reason
	grant   GrantID
	service string
	subject Subject
	rule    string
}

func (o *oracle) decide(c asker, name Name, t Type, at time.Time) judged {
	switch {
	case !c.inside:
		return judged{action: Refuse, reason: OutsideSite}
	case c.office == "":
		return judged{action: Sinkhole, reason: NoOffice}
	case c.role != Employee && c.role != Server:
		return judged{action: Allow, reason: Unrestricted}
	}
	type candidate struct {
		judged
		rank []int // the smallest is the most specific
	}
	var found []candidate
	for _, g := range o.grants {
		subject := slices.Index([]Subject{{Office: c.office}, {Role: c.role}, {Everyone: true}}, g.Subject)
		if subject < 0 || !o.inForce(g, at) {
			continue
		}
		for _, r := range o.rulesOf(g) {
			if !opens(r, labelsOf(name), t) || !r.along && len(g.Types) > 0 && !slices.Contains(g.Types, t) {
				continue
			}
			kind, base := kindOf(r.text)
			direct, along := 0, 0
			if r.service != "" {
				direct = 1
			}
			if r.along {
				along = 1
			}
			found = append(found, candidate{
				judged{Allow, Granted, g.ID, r.service, g.Subject, r.text},
				[]int{-len(strings.Split(base, ".")), min(kind, 1), subject, direct, int(g.ID), kind, along},
			})
		}
	}
	if len(found) == 0 {
		return judged{action: Sinkhole, reason: NoGrant}
	}
	return slices.MinFunc(found, func(a, b candidate) int { return slices.Compare(a.rank, b.rank) }).judged
}

// openedRule is a rule with what it opens.
type openedRule struct {
	text, service string
	hosts, mail   bool // names but those of mail; names of mail
	along         bool // it comes with a grant of mail (R4), for all types
}

func (o *oracle) rulesOf(g Grant) (out []openedRule) {
	if g.Rule != nil {
		out = append(out, openedRule{text: g.Rule.String(), hosts: g.Channel == Web, mail: g.Channel == Mail})
	}
	for _, sv := range o.services {
		for _, r := range sv.Rules {
			if sv.ID == g.Service {
				out = append(out, openedRule{r.Rule.String(), sv.ID, true, sv.Channel == Mail, false})
			}
			if sv.ID == "firma-digitale" && sv.Builtin && g.Channel == Mail { // R4
				out = append(out, openedRule{r.Rule.String(), sv.ID, true, false, true})
			}
		}
	}
	return out
}

// opens says whether a rule opens a question.
func opens(r openedRule, labels []string, t Type) bool {
	domain, isMail := mailDomainOf(labels, t)
	switch {
	case !isMail:
		return r.hosts && covers(r.text, labels)
	case r.hosts && r.mail && covers(r.text, labels): // a host of a mail service
		return true
	default:
		return r.mail && covers(r.text, domain)
	}
}

func mailDomainOf(labels []string, t Type) (domain []string, isMail bool) {
	services := strings.Fields("_imap _imaps _pop3 _pop3s _submission _submissions _autodiscover")
	switch {
	case t == TypeMX:
		return labels, true
	case len(labels) >= 2 && slices.Contains(services, labels[0]) && (labels[1] == "_tcp" || labels[1] == "_udp"):
		return labels[2:], true
	case len(labels) >= 1 && (labels[0] == "autodiscover" || labels[0] == "autoconfig"):
		return labels[1:], true
	}
	return nil, false
}

// kindOf splits a rule as written: 0 exact, 1 star, 2 dot.
func kindOf(text string) (kind int, base string) {
	if rest, ok := strings.CutPrefix(text, "*."); ok {
		return 1, rest
	}
	if rest, ok := strings.CutPrefix(text, "."); ok {
		return 2, rest
	}
	return 0, text
}

func covers(text string, labels []string) bool {
	kind, base := kindOf(text)
	above := strings.Split(base, ".")
	if len(labels) < len(above) || !slices.Equal(labels[len(labels)-len(above):], above) {
		return false
	}
	below := len(labels) - len(above)
	return kind == 0 && below == 0 || kind == 1 && below > 0 || kind == 2
}

// exists says whether a rule of the client covers the name or one below it, whatever its types, dates and timetable.
func (o *oracle) exists(c asker, name Name) bool {
	labels := labelsOf(name)
	if len(labels) == 0 {
		return true
	}
	if _, icann := publicsuffix.PublicSuffix(labels[0]); len(labels) == 1 && icann {
		return true
	}
	if !c.inside || c.office == "" {
		return false
	}
	for _, g := range o.grants {
		if !slices.Contains([]Subject{{Office: c.office}, {Role: c.role}, {Everyone: true}}, g.Subject) {
			continue
		}
		for _, r := range o.rulesOf(g) {
			kind, base := kindOf(r.text)
			domain := strings.Split(base, ".")
			if endsIn(domain, labels) || kind > 0 && endsIn(labels, domain) {
				return true
			}
			for _, first := range strings.Fields("autodiscover autoconfig _imap _imaps _pop3 _pop3s _submission _submissions _autodiscover") {
				for _, second := range []string{"", "_tcp", "_udp"} {
					whole := slices.Concat([]string{first, second}, domain)
					if second == "" {
						whole = slices.Concat([]string{first}, domain)
					}
					if isService := first[0] == '_'; r.mail && isService == (second != "") && endsIn(whole, labels) {
						return true
					}
				}
			}
		}
	}
	return false
}

// endsIn says whether the name is the upper one or lies below it.
func endsIn(name, upper []string) bool {
	return len(name) >= len(upper) && slices.Equal(name[len(name)-len(upper):], upper)
}

// labelsOf takes a name in canonical wire form apart.
func labelsOf(name Name) (out []string) {
	for rest := string(name); rest[0] != 0; rest = rest[1+int(rest[0]):] {
		out = append(out, rest[1:1+int(rest[0])])
	}
	return out
}

func (o *oracle) inForce(g Grant, at time.Time) bool {
	if g.From != "" && at.Before(o.instant(string(g.From))) {
		return false
	}
	if g.Until != "" {
		end := o.instant(string(g.Until))
		if len(g.Until) == len("2006-01-02") {
			end = end.AddDate(0, 0, 1)
		}
		if !at.Before(end) {
			return false
		}
	}
	return g.Schedule == "" || o.onTimetable(string(g.Schedule), at)
}

func (o *oracle) instant(text string) time.Time {
	number := func(from, to int) int {
		n, err := strconv.Atoi(text[from:to])
		if err != nil {
			panic(err)
		}
		return n
	}
	hour, minute := 0, 0
	if len(text) > 10 {
		hour, minute = number(11, 13), number(14, 16)
	}
	return time.Date(number(0, 4), time.Month(number(5, 7)), number(8, 10), hour, minute, 0, 0, o.zone)
}

// onTimetable looks whether a part that begins today, or began yesterday and runs past midnight, is open.
func (o *oracle) onTimetable(text string, at time.Time) bool {
	local := at.In(o.zone)
	today, now := local.Format("Mon"), local.Format("15:04")
	yesterday := map[string]string{"Mon": "Sun", "Tue": "Mon", "Wed": "Tue", "Thu": "Wed", "Fri": "Thu", "Sat": "Fri", "Sun": "Sat"}[today]
	for part := range strings.SplitSeq(text, ";") {
		days, hours, _ := strings.Cut(strings.TrimSpace(part), " ")
		from, to, _ := strings.Cut(hours, "-")
		switch {
		case from < to && onDay(days, today) && from <= now && now < to:
			return true
		case from > to && (onDay(days, today) && from <= now || onDay(days, yesterday) && now < to):
			return true
		}
	}
	return false
}

func onDay(days, day string) bool {
	const week = "mon tue wed thu fri sat sun mon tue wed thu fri sat sun"
	for item := range strings.SplitSeq(days, ",") {
		first, last, ok := strings.Cut(item, "-")
		if !ok {
			last = first
		}
		_, stretch, _ := strings.Cut(" "+week, " "+first)
		stretch, _, _ = strings.Cut(stretch, last)
		if first != last {
			stretch = first + stretch + last
		} else {
			stretch = first
		}
		if strings.Contains(stretch, strings.ToLower(day)) {
			return true
		}
	}
	return false
}
