package town

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"usciere/policy"
)

// inForce is the document of the rules in force, with what is not written into it.
type inForce struct {
	Document
	grants   []*policy.Grant // of Document.Grants, at the same place
	requests map[policy.RequestID]*policy.Request
	past     []*policy.Grant // not in the document
}

// Of is the document of the rules in force at a time: all of them, but grants whose end is past.
func Of(s *policy.Snapshot, r policy.Records, now time.Time) (*Document, error) {
	f, err := read(s, r, now)
	if err != nil {
		return nil, err
	}
	granted, certified := map[policy.RequestID]map[string]bool{}, map[policy.RequestID]bool{}
	for i, g := range f.grants {
		if granted[g.Request] == nil {
			granted[g.Request] = map[string]bool{}
		}
		granted[g.Request][f.Grants[i].Rule] = true
		if sv, ok := s.Service(g.Service); ok && sv.PEC {
			certified[g.Request] = true
		}
	}
	written := map[policy.RequestID]bool{}
	for i, g := range f.grants {
		q := f.requests[g.Request]
		if q.Protocol != "" && written[q.ID] {
			f.Grants[i].Request = &Request{Protocol: q.Protocol}
			continue
		}
		f.Grants[i].Request = requestOf(q, granted[q.ID])
		if certified[q.ID] {
			f.Grants[i].Request.Ground = q.Ground
		}
		if q.Seat != "" && !signed(s, q) {
			f.Grants[i].Request.Holder = q.Holder
		}
		written[q.ID] = true
	}
	return &f.Document, nil
}

// read takes everything but the letters from the rules.
func read(s *policy.Snapshot, r policy.Records, now time.Time) (*inForce, error) {
	f := &inForce{requests: map[policy.RequestID]*policy.Request{}}
	f.Timezone, f.Site = s.Town().Zone.String(), s.Town().Site
	f.Offices, f.Seats, f.Hosts, f.Services = map[ID]Office{}, map[ID]Seat{}, map[netip.Addr]Host{}, map[ID]Service{}
	for _, o := range s.Offices() {
		f.Offices[ID(o.ID)] = Office{Name: o.Name, Mailbox: o.Mailbox, IPA: o.IPA, Networks: o.Networks, Sinkhole: o.Sinkhole, PEC: o.PEC}
	}
	workstations := map[string][]Workstation{}
	for _, h := range s.Hosts() {
		for _, b := range h.Seats {
			workstations[b.Seat] = append(workstations[b.Seat], Workstation{h.Addr, b.From, b.Until})
		}
		if h.Name != "" || h.Office != "" || h.Role == policy.Server {
			f.Hosts[h.Addr] = Host{h.Name, h.Office, restricted(h.Role)}
		}
	}
	for _, seat := range s.Seats() {
		out := Seat{Office: seat.Office, Name: seat.Name, Role: seat.Role, Mailbox: seat.Mailbox}
		for _, h := range seat.Holders {
			out.Holders = append(out.Holders, Holder(h))
		}
		for _, dev := range seat.Devices {
			out.Devices = append(out.Devices, Device(dev))
		}
		for _, w := range workstations[seat.ID] {
			if w.Until == "" && len(out.Holders) > 0 && w.From == out.Holders[0].From {
				w.From = ""
			}
			out.Hosts = append(out.Hosts, w)
		}
		f.Seats[ID(seat.ID)] = out
	}
	f.Tokens = map[ID]Token{}
	for _, t := range s.Tokens() {
		f.Tokens[ID(t.ID)] = Token{t.Seat, t.Host, secretly(t.Kind), t.Hash, t.Until}
	}
	for _, sv := range s.Services() {
		if !sv.Builtin {
			f.Services[ID(sv.ID)] = serviceOf(sv)
		}
	}
	return f, f.readGrants(s, r, now)
}

// restricted is a machine's role as a document has it.
func restricted(r policy.Role) policy.Role {
	if r == policy.Employee {
		return ""
	}
	return r
}

// secretly is a kind of token as a document has it.
func secretly(k policy.TokenKind) policy.TokenKind {
	if k == policy.Secret {
		return ""
	}
	return k
}

// serviceOf writes once the source that most rules have, and the date if it is that of all.
func serviceOf(sv *policy.Service) Service {
	out := Service{Title: sv.Title, Channel: sv.Channel, PEC: sv.PEC, OnlyFor: sv.Eligible}
	if out.Title == sv.ID {
		out.Title = ""
	}
	if out.Channel == policy.Web {
		out.Channel = ""
	}
	count := map[string]int{}
	for _, r := range sv.Rules {
		if count[r.Source]++; count[r.Source] > count[out.Source] {
			out.Source = r.Source
		}
	}
	out.Date = sv.Rules[0].Date
	if slices.ContainsFunc(sv.Rules, func(r policy.ServiceRule) bool { return r.Date != out.Date }) {
		out.Date = ""
	}
	for _, r := range sv.Rules {
		rule := ServiceRule{r.Rule.String(), r.Source, r.Date}
		if rule.Source == out.Source {
			rule.Source = ""
		}
		if rule.Date == out.Date {
			rule.Date = ""
		}
		out.Rules = append(out.Rules, rule)
	}
	return out
}

// readGrants reads the grants that are in force or to come, with their requests: those of offices by id, of roles, of
// everyone.
func (f *inForce) readGrants(s *policy.Snapshot, r policy.Records, now time.Time) error {
	var subjects []policy.Subject
	for _, o := range s.Offices() {
		subjects = append(subjects, policy.Subject{Office: o.ID})
	}
	for _, role := range []policy.Role{policy.Employee, policy.Server} {
		subjects = append(subjects, policy.Subject{Role: role})
	}
	for _, subject := range append(subjects, policy.Subject{Everyone: true}) {
		err := r.EachGrantOf(subject, func(g *policy.Grant) bool {
			if g.Until == "" || now.Before(g.Until.End(s.Town().Zone)) {
				f.grants = append(f.grants, g)
			} else {
				f.past = append(f.past, g)
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	for _, g := range f.grants {
		if f.requests[g.Request] == nil {
			q, err := r.Request(g.Request)
			if err != nil {
				return err
			}
			f.requests[g.Request] = q
		}
		f.Grants = append(f.Grants, grantOf(g))
	}
	return nil
}

func grantOf(g *policy.Grant) Grant {
	out := Grant{
		Office: g.Office, Role: g.Role, Everyone: g.Everyone, Service: g.Service,
		Types: g.Types, From: g.From, Until: g.Until, Schedule: g.Schedule,
	}
	if g.Rule != nil {
		out.Rule = g.Rule.String()
		if g.Channel != policy.Web {
			out.Channel = g.Channel
		}
	}
	return out
}

// requestOf writes a letter in full; granted are the rules that rest on it.
func requestOf(q *policy.Request, granted map[string]bool) *Request {
	out := &Request{Protocol: q.Protocol, Date: q.Date, Seat: q.Seat, Reason: q.Reason}
	seen := map[string]bool{}
	for _, text := range q.Addresses {
		if !granted[text] && !seen[text] {
			out.Asked = append(out.Asked, text)
		}
		seen[text] = true
	}
	return out
}

// signed says whether the seats as they are now tell who signed a letter.
func signed(s *policy.Snapshot, q *policy.Request) bool {
	seat, ok := s.Seat(q.Seat)
	if !ok || seat.Role.Restricted() || q.Office != "" && seat.Office != q.Office {
		return false
	}
	h, ok := seat.HolderOn(q.Date)
	return ok && h.Name == q.Holder
}

// asAsked is how a letter has an address: the one of Asked that means the rule, or the rule.
func (q *Request) asAsked(rule string) string {
	for _, text := range q.Asked {
		if r, _, err := policy.ParseRule(text); err == nil && r.String() == rule {
			return text
		}
	}
	return rule
}

// bindings are the workstations of all seats of a document by address, in order of time. A workstation without a first day
// has the one that it is bound from already, or the first holder's, or today.
func (d *Document) bindings(known map[netip.Addr][]policy.Binding, today policy.Moment) map[netip.Addr][]policy.Binding {
	out := map[netip.Addr][]policy.Binding{}
	for id, seat := range d.Seats {
		for _, w := range seat.Hosts {
			b := policy.Binding{Seat: string(id), From: w.From, Until: w.Until}
			if b.From == "" {
				b.From = today
				if len(seat.Holders) > 0 {
					b.From = seat.Holders[0].From
				}
				for _, k := range known[w.Addr] {
					if k.Seat == b.Seat && k.Until == "" {
						b.From = k.From
					}
				}
			}
			out[w.Addr] = append(out[w.Addr], b)
		}
	}
	for _, all := range out {
		slices.SortFunc(all, func(a, b policy.Binding) int {
			return cmp.Or(strings.Compare(string(a.From), string(b.From)), strings.Compare(a.Seat, b.Seat))
		})
	}
	return out
}
