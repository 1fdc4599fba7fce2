package town

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"usciere/policy"
)

// Options say how a document is compared.
type Options struct {
	Town         string    // its name in the settings
	File         string    // where it comes from, for the reason of revoked grants
	Now          time.Time // of the daemon
	KeepUnlisted bool      // leave what is not in the document
}

// Plan is how the rules become what a document says.
type Plan struct {
	Version     uint64 // of the rules that the document was compared with
	Differences []Difference
	Warnings    []policy.Problem
	Changes     []policy.Change // to be made together, in this order
	origins     [][]origin      // of each change
	doc         *Document
}

// origin is where in the document a change comes from.
type origin struct{ path, text string }

// Diff compares the document with the rules in force. What is wrong with the document is a *policy.Error with all its
// problems.
func Diff(s *policy.Snapshot, r policy.Records, doc *Document, o Options) (*Plan, error) {
	if s.Version() != r.Version() {
		return nil, &policy.Error{Code: policy.Conflict, Message: "the rules were changed meanwhile", Hint: "repeat the command"}
	}
	now, err := read(s, r, o.Now)
	if err != nil {
		return nil, err
	}
	d := &differ{Plan: Plan{Version: s.Version(), doc: doc}, Options: o, rules: s, records: r, now: now, next: doc, today: policy.DayOf(o.Now, s.Town().Zone)}
	if o.KeepUnlisted {
		d.next = doc.over(&now.Document)
	}
	d.next = d.next.tidy()
	grants, err := d.check()
	if err != nil {
		return nil, err
	}
	if len(d.problems) > 0 {
		return nil, &policy.Error{Code: policy.Invalid, Message: o.File + " cannot be applied", Problems: d.problems}
	}
	d.grants(grants) // first those that end: what they rest on may go after
	d.offices()
	d.seatsAndHosts()
	if err := d.removals(); err != nil {
		return nil, err
	}
	d.mailboxes()
	d.services()
	d.addGrants()
	d.sort()
	return &d.Plan, nil
}

// over is the document with what it does not list taken from another, but grants.
func (d *Document) over(other *Document) *Document {
	out := *d
	out.Offices, out.Seats = merged(other.Offices, d.Offices), merged(other.Seats, d.Seats)
	out.Hosts, out.Services = merged(other.Hosts, d.Hosts), merged(other.Services, d.Services)
	out.Tokens = merged(other.Tokens, d.Tokens)
	return &out
}

// tidy is the document as the changes keep it: without blanks around names, with roles filled in.
func (d *Document) tidy() *Document {
	out := *d
	out.Offices, out.Seats, out.Hosts = maps.Clone(d.Offices), maps.Clone(d.Seats), maps.Clone(d.Hosts)
	for id, o := range out.Offices {
		o.Name, o.PEC = strings.TrimSpace(o.Name), policy.SortGrounds(o.PEC)
		out.Offices[id] = o
	}
	for id, s := range out.Seats {
		s.Name, s.Role, s.Holders = strings.TrimSpace(s.Name), cmp.Or(s.Role, policy.Manager), slices.Clone(s.Holders)
		for i := range s.Holders {
			s.Holders[i].Name = strings.TrimSpace(s.Holders[i].Name)
		}
		out.Seats[id] = s
	}
	for addr, h := range out.Hosts {
		h.Role = restricted(h.Role)
		out.Hosts[addr] = h
	}
	out.Tokens = maps.Clone(d.Tokens)
	for id, t := range out.Tokens {
		t.Kind = secretly(t.Kind)
		out.Tokens[id] = t
	}
	return &out
}

func merged[K comparable, V any](under, over map[K]V) map[K]V {
	out := map[K]V{}
	maps.Copy(out, under)
	maps.Copy(out, over)
	return out
}

// differ is a comparison under way.
type differ struct {
	Plan
	Options
	rules    *policy.Snapshot
	records  policy.Records
	now      *inForce  // what is
	next     *Document // what is to be
	today    policy.Moment
	problems []policy.Problem
	added    []*wanted
	late     []ID // offices that get their mailbox when it is free
}

func (d *differ) change(c policy.Change, from ...origin) {
	d.Changes, d.origins = append(d.Changes, c), append(d.origins, from)
}

func (d *differ) differs(op, kind, id, text string) {
	d.Differences = append(d.Differences, Difference{op, kind, id, text})
}

// sort puts the lines in the order of the document.
func (d *differ) sort() {
	kinds := []string{"office", "seat", "host", "token", "service", "grant"}
	slices.SortStableFunc(d.Differences, func(a, b Difference) int {
		if a.Kind != b.Kind || a.Kind == "grant" {
			return cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind))
		}
		return cmp.Compare(a.ID, b.ID)
	})
}

// seatsAndHosts makes and changes seats, then the machines with their bindings to them.
func (d *differ) seatsAndHosts() {
	is := map[netip.Addr][]policy.Binding{}
	for _, h := range d.rules.Hosts() {
		if len(h.Seats) > 0 {
			is[h.Addr] = h.Seats
		}
	}
	willBe := d.next.bindings(is, d.today)
	workstations := func(all map[netip.Addr][]policy.Binding) map[ID][]Workstation {
		out := map[ID][]Workstation{}
		for _, addr := range slices.SortedFunc(maps.Keys(all), netip.Addr.Compare) {
			for _, b := range all[addr] {
				out[ID(b.Seat)] = append(out[ID(b.Seat)], Workstation{addr, b.From, b.Until})
			}
		}
		return out
	}
	before, after := workstations(is), workstations(willBe)
	d.releaseDevices()
	d.releaseTokens()
	for _, id := range slices.Sorted(maps.Keys(d.next.Seats)) {
		seat := d.next.Seats[id]
		old, exists := d.now.Seats[id]
		if text := old.facts(nil).changes(seat.facts(nil)); !exists || text != "" {
			c := policy.SetSeat{ID: string(id), Name: seat.Name, Office: seat.Office, Role: seat.Role, Mailbox: seat.Mailbox}
			for _, h := range seat.Holders {
				c.Holders = append(c.Holders, policy.Holder(h))
			}
			for _, dev := range seat.Devices {
				c.Devices = append(c.Devices, policy.Device(dev))
			}
			d.change(c, origin{path: at("seats", id)})
		}
		if !exists {
			d.differs("+", "seat", string(id), seat.facts(after[id]).brief())
		} else if text := old.facts(before[id]).changes(seat.facts(after[id])); text != "" {
			d.differs("~", "seat", string(id), text)
		}
	}
	d.hosts(is, willBe)
	d.tokens()
}

// releaseTokens ends the tokens that are no more, and those whose secret or certificate another one is to be known by.
func (d *differ) releaseTokens() {
	owner := map[policy.Hash]ID{}
	for id, t := range d.next.Tokens {
		owner[t.Hash] = id
	}
	for _, id := range slices.Sorted(maps.Keys(d.now.Tokens)) {
		old := d.now.Tokens[id]
		_, stays := d.next.Tokens[id]
		if !stays {
			d.differs("-", "token", string(id), old.facts().brief())
		}
		if to, wanted := owner[old.Hash]; !stays || wanted && to != id {
			d.change(policy.RevokeToken{ID: string(id)}, origin{path: "tokens"})
		}
	}
}

// tokens makes and changes tokens; the seats and hosts they are of are there.
func (d *differ) tokens() {
	for _, id := range slices.Sorted(maps.Keys(d.next.Tokens)) {
		t := d.next.Tokens[id]
		old, exists := d.now.Tokens[id]
		text := old.facts().changes(t.facts())
		switch {
		case !exists:
			d.differs("+", "token", string(id), t.facts().brief())
		case text != "":
			d.differs("~", "token", string(id), text)
		default:
			continue
		}
		d.change(policy.AddToken{ID: string(id), Shows: t.Kind, Hash: t.Hash, Seat: t.Seat, Host: t.Host, Until: t.Until, Replace: true}, origin{path: at("tokens", id)})
	}
}

// releaseDevices takes from seats the devices that other seats are to have.
func (d *differ) releaseDevices() {
	owner := map[policy.DeviceID]ID{}
	for id, seat := range d.next.Seats {
		for _, dev := range seat.Devices {
			owner[dev.ID] = id
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.now.Seats)) {
		for _, dev := range d.now.Seats[id].Devices {
			if to, wanted := owner[dev.ID]; wanted && to != id {
				d.change(policy.RemoveDevice{Device: dev.ID}, origin{path: at("seats", to)})
			}
		}
	}
}

func (d *differ) hosts(is, willBe map[netip.Addr][]policy.Binding) {
	for _, addr := range slices.SortedFunc(maps.Keys(merged(d.now.Hosts, d.next.Hosts)), netip.Addr.Compare) {
		old, was := d.now.Hosts[addr]
		h, stays := d.next.Hosts[addr]
		switch text := old.facts().changes(h.facts()); {
		case !was:
			d.differs("+", "host", addr.String(), h.facts().brief())
		case !stays:
			d.differs("-", "host", addr.String(), old.facts().brief())
		case text != "":
			d.differs("~", "host", addr.String(), text)
		}
	}
	places := d.places()
	for _, addr := range slices.SortedFunc(maps.Keys(merged(merged(exists(d.now.Hosts), exists(d.next.Hosts)), merged(exists(is), exists(willBe)))), netip.Addr.Compare) {
		h, listed := d.next.Hosts[addr]
		_, was := d.rules.Host(addr)
		switch {
		case !listed && len(willBe[addr]) == 0:
			d.change(policy.RemoveHost{Addr: addr}, origin{path: "hosts"})
		case was && h == d.now.Hosts[addr] && slices.Equal(is[addr], willBe[addr]):
		default:
			d.change(policy.SetHost{Addr: addr, Name: h.Name, Office: h.Office, Role: h.Role, Seats: willBe[addr]}, places[addr]...)
		}
	}
}

func exists[K comparable, V any](m map[K]V) map[K]bool {
	out := make(map[K]bool, len(m))
	for k := range m {
		out[k] = true
	}
	return out
}

// places are where the document speaks of an address.
func (d *differ) places() map[netip.Addr][]origin {
	out := map[netip.Addr][]origin{}
	for id, seat := range d.next.Seats {
		for i, w := range seat.Hosts {
			out[w.Addr] = append(out[w.Addr], origin{at(at("seats", id)+".hosts", i), string(id)})
		}
	}
	for addr := range d.next.Hosts {
		out[addr] = append(out[addr], origin{path: at("hosts", addr)})
	}
	for _, all := range out {
		slices.SortFunc(all, func(a, b origin) int { return cmp.Compare(a.path, b.path) })
	}
	return out
}

// removals takes out the seats and offices that are no more.
func (d *differ) removals() error {
	for _, id := range slices.Sorted(maps.Keys(d.now.Seats)) {
		if _, stays := d.next.Seats[id]; !stays {
			old := d.now.Seats[id]
			d.differs("-", "seat", string(id), old.facts(nil).brief())
			d.change(policy.RemoveSeat{Seat: string(id)}, origin{path: "seats"})
		}
	}
	open := map[ID]int{} // requests of offices
	if err := d.records.EachRequest(func(q *policy.Request) bool {
		if q.State.Open() {
			open[ID(q.Office)]++
		}
		return true
	}); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(d.now.Offices)) {
		if _, stays := d.next.Offices[id]; !stays {
			text := d.now.Offices[id].facts().brief()
			switch n := open[id]; n {
			case 0:
			case 1:
				text += "  withdraws 1 open request"
			default:
				text += fmt.Sprintf("  withdraws %d open requests", n)
			}
			d.differs("-", "office", string(id), text)
			d.change(policy.RemoveOffice{ID: string(id), All: true}, // all that is left are its open requests, and grants whose end is past
				origin{path: "offices"})
		}
	}
	return nil
}

// services makes, changes and takes out the town's own services.
func (d *differ) services() {
	for _, id := range slices.Sorted(maps.Keys(d.next.Services)) {
		sv, _ := d.next.Services[id].change(id) // check has seen to its rules
		old, exists := d.now.Services[id]
		if !exists {
			d.differs("+", "service", string(id), serviceFacts(sv).brief())
			d.change(sv, origin{path: at("services", id)})
			continue
		}
		was, _ := old.change(id)
		if text := serviceFacts(was).changes(serviceFacts(sv)); text != "" {
			d.differs("~", "service", string(id), text)
			d.change(sv, origin{path: at("services", id)})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.now.Services)) {
		if _, stays := d.next.Services[id]; !stays {
			was, _ := d.now.Services[id].change(id)
			d.differs("-", "service", string(id), serviceFacts(was).brief())
			d.change(policy.RemoveService{ID: string(id)}, origin{path: "services"})
		}
	}
}

// change is the change that makes the service; problems are those of its rules.
func (s Service) change(id ID) (c policy.AddService, problems []policy.Problem) {
	c = policy.AddService{ID: string(id), Title: cmp.Or(strings.TrimSpace(s.Title), string(id)), Channel: cmp.Or(s.Channel, policy.Web), Eligible: s.OnlyFor, PEC: s.PEC, Replace: true}
	for i, r := range s.Rules {
		rule, _, err := policy.ParseRule(r.Rule)
		if err != nil {
			problems = append(problems, problemOf(at(at("services", id)+".rules", i)+".rule", err))
			continue
		}
		c.Rules = append(c.Rules, policy.ServiceRule{Rule: rule, Source: cmp.Or(r.Source, s.Source), Date: cmp.Or(r.Date, s.Date)})
	}
	return c, problems
}
