package policy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The alphabets are small, so that names, addresses and days meet often.
var (
	types   = []Type{TypeA, TypeAAAA, TypeMX, TypeSRV, 65}
	labels  = []string{"a", "b", "_tcp", "_imaps", "autodiscover"}
	clients = []netip.Addr{
		addr("10.20.1.5"), addr("10.20.1.6"), addr("10.20.1.77"), addr("10.20.2.5"), addr("10.20.9.9"), addr("2001:db8:20:1::5"), addr("2001:db8:20:2::5"),
		addr("192.168.7.7"), addr("192.0.2.1"), addr("::ffff:10.20.1.5"), addr("2001:db8:20:1::5%eth0"), {},
	}
	someIDs     = rapid.SampledFrom([]string{"a", "b", "c"})
	someSeats   = rapid.SampledFrom([]string{"s", "t", "u"})
	someNets    = rapid.SampledFrom(prefixes("10.20.0.0/16", "10.20.1.0/24", "10.20.1.0/25", "10.20.1.4/30", "10.20.2.0/24", "2001:db8:20::/48", "2001:db8:20:1::/64"))
	someAddrs   = rapid.SampledFrom(clients[:8])
	someDays    = rapid.SampledFrom([]Moment{"2026-03-01", "2026-03-02", "2026-03-03", "2026-03-28", "2026-03-29", "2026-10-25"})
	someMoments = rapid.OneOf(rapid.Just(Moment("")), someDays, rapid.Custom(func(t *rapid.T) Moment {
		return someDays.Draw(t, "day") + rapid.SampledFrom([]Moment{"T00:00", "T02:30", "T08:00", "T23:59"}).Draw(t, "minute")
	}))
	someSchedules = rapid.SampledFrom([]Schedule{"", "", "", "mon-fri 08:00-14:00", "sun 01:00-03:30; tue,thu 14:30-17:30", "sat-mon 22:00-02:00", "wed-sun 00:00-24:00"})
	someTypes     = rapid.SampledFrom(types)
	someNames     = rapid.Custom(func(t *rapid.T) string {
		n := rapid.SampledFrom([]string{"x.it", "comune.x.it", "x.gov.it"}).Draw(t, "base")
		for range rapid.IntRange(0, 2).Draw(t, "labels") {
			n = rapid.SampledFrom(labels).Draw(t, "label") + "." + n
		}
		return n
	})
	someRules = rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"", "*.", "."}).Draw(t, "kind") + someNames.Draw(t, "name")
	})
	someServices = rapid.SampledFrom([]string{"svc", "posta"})
)

// someChange draws a change that may well be refused.
func someChange(t *rapid.T, store *memStore) Change {
	optional := func(g *rapid.Generator[netip.Addr]) []netip.Addr { return rapid.SliceOfN(g, 0, 2).Draw(t, "hosts") }
	switch rapid.SampledFrom(strings.Fields("office network -network host -host seat assign set-seat set-host -seat -office service -service catalog grant grant grant grant revoke")).Draw(t, "change") {
	case "office":
		return AddOffice{ID: someIDs.Draw(t, "id"), Name: "x", Networks: rapid.SliceOfN(someNets, 0, 2).Draw(t, "networks")}
	case "network":
		return AddNetwork{Office: someIDs.Draw(t, "office"), Network: someNets.Draw(t, "network")}
	case "-network":
		return RemoveNetwork{Office: someIDs.Draw(t, "office"), Network: someNets.Draw(t, "network")}
	case "host":
		h := AddHost{Addr: someAddrs.Draw(t, "addr"), From: someDays.Draw(t, "from")}
		h.Role = rapid.SampledFrom([]Role{"", "", Server}).Draw(t, "role")
		if rapid.Bool().Draw(t, "in an office") {
			h.Office = someIDs.Draw(t, "office")
		}
		if rapid.Bool().Draw(t, "on a seat") {
			h.Seat = someSeats.Draw(t, "seat")
		}
		return h
	case "-host":
		return RemoveHost{Addr: someAddrs.Draw(t, "addr")}
	case "seat":
		role := rapid.SampledFrom([]Role{"", Manager, ElectedOfficial, Employee}).Draw(t, "role")
		return AddSeat{ID: someSeats.Draw(t, "id"), Office: someIDs.Draw(t, "office"), Role: role, Holder: "h", From: someDays.Draw(t, "from"), Hosts: optional(someAddrs)}
	case "assign":
		return AssignSeat{Seat: someSeats.Draw(t, "seat"), Holder: "k", From: someDays.Draw(t, "from"), Hosts: optional(someAddrs)}
	case "set-seat":
		c := SetSeat{ID: someSeats.Draw(t, "id"), Office: someIDs.Draw(t, "office"), Role: rapid.SampledFrom([]Role{"", ElectedOfficial, Employee}).Draw(t, "role")}
		for range rapid.IntRange(0, 2).Draw(t, "holders") {
			c.Holders = append(c.Holders, Holder{Name: "h", From: someDays.Draw(t, "from"), Until: rapid.SampledFrom([]Moment{"", "2026-03-02"}).Draw(t, "until")})
		}
		return c
	case "set-host":
		h := SetHost{Addr: someAddrs.Draw(t, "addr"), Role: rapid.SampledFrom([]Role{"", Employee, Server}).Draw(t, "role")}
		if rapid.Bool().Draw(t, "in an office") {
			h.Office = someIDs.Draw(t, "office")
		}
		for range rapid.IntRange(0, 2).Draw(t, "bindings") {
			h.Seats = append(h.Seats, Binding{someSeats.Draw(t, "seat"), someDays.Draw(t, "from"), rapid.SampledFrom([]Moment{"", "2026-03-02"}).Draw(t, "until")})
		}
		return h
	case "-seat":
		return RemoveSeat{Seat: someSeats.Draw(t, "seat")}
	case "-office":
		return RemoveOffice{ID: someIDs.Draw(t, "id"), All: true}
	case "service":
		sv := AddService{ID: someServices.Draw(t, "id"), Channel: Web, Replace: true}
		if sv.ID == "posta" {
			sv.Channel = Mail
		}
		sv.Rules = someServiceRules(t)
		return sv
	case "catalog":
		sv := Service{ID: Signature, Title: "x", Channel: Web, Builtin: true}
		for _, r := range someServiceRules(t) {
			if checkServiceRule(&sv, r.Rule) == nil {
				sv.Rules = append(sv.Rules, r)
			}
		}
		return installCatalog{[]Service{sv}}
	case "-service":
		return RemoveService{ID: someServices.Draw(t, "id")}
	case "revoke":
		return RevokeGrants{Grants: []GrantID{GrantID(rapid.Uint32Range(1, uint32(store.next[TableGrants])+1).Draw(t, "grant"))}}
	default:
		return someGrant(t)
	}
}

func someServiceRules(t *rapid.T) (out []ServiceRule) {
	for _, text := range rapid.SliceOfNDistinct(someRules, 1, 4, rapid.ID).Draw(t, "rules") {
		if r, _, err := ParseRule(text); err == nil {
			out = append(out, ServiceRule{Rule: r, Source: "x"})
		}
	}
	return out
}

func someGrant(t *rapid.T) Change {
	c := AddGrants{
		Names: []string{rapid.OneOf(someRules, someServices, rapid.Just(Signature)).Draw(t, "name")}, Protocol: nextProtocol(), Reason: "x", Date: "2026-03-01",
		From: someMoments.Draw(t, "from"), Until: someMoments.Draw(t, "until"), Schedule: someSchedules.Draw(t, "schedule"),
		Channel: rapid.SampledFrom([]Channel{"", "", Mail}).Draw(t, "channel"), Types: rapid.SliceOfN(someTypes, 0, 2).Draw(t, "types"),
	}
	if rapid.Bool().Draw(t, "without conditions") {
		c.From, c.Until, c.Schedule, c.Types = "", "", "", nil
	}
	switch rapid.SampledFrom(strings.Fields("office office office role everyone")).Draw(t, "for") {
	case "office":
		c.Office, c.Seat = someIDs.Draw(t, "office"), someSeats.Draw(t, "signed by")
	case "role":
		c.Role = rapid.SampledFrom([]Role{Employee, Server}).Draw(t, "role")
	default:
		c.Everyone = true
	}
	return c
}

// After any changes, the snapshot that grew with them, the one loaded anew, and the oracle agree on any question.
func TestFastAndSlowAgreeAfterAnyChanges(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		town := emptyTown(t)
		town.now = at("2026-03-01 09:00")
		for _, id := range []string{"a", "b"} {
			town.do(AddOffice{ID: id, Name: id}, AddSeat{ID: map[string]string{"a": "s", "b": "t"}[id], Office: id, Holder: "h", From: "2026-01-01"})
		}
		town.do(AddNetwork{Office: "a", Network: netip.MustParsePrefix("10.20.1.0/24")}, AddNetwork{Office: "b", Network: netip.MustParsePrefix("10.20.0.0/16")})
		for range rapid.IntRange(1, 40).Draw(r, "changes") {
			before, stored := town.Snapshot(), town.store.dump()
			change := someChange(r, town.store)
			_, err := town.Apply(clerk, change)
			if err != nil {
				if refusal := new(Error); !errors.As(err, &refusal) || town.Snapshot() != before || town.store.dump() != stored {
					r.Fatalf("%+v: %v, or the refused change changed something", change, err)
				}
			}
			compareWithOracle(r, town)
			if rapid.IntRange(0, 7).Draw(r, "reload") == 0 {
				if err := town.Reload(theSite); err != nil {
					r.Fatal(err)
				}
			}
		}
	})
}

func compareWithOracle(t *rapid.T, town *aTown) {
	slow, err := oracleOf(town.store, theSite)
	if err != nil {
		t.Fatal(err)
	}
	grown := town.Snapshot()
	var loaded *Snapshot
	err = town.store.View(func(tx Tx) (err error) { loaded, err = load(tx, theSite); return err })
	if err != nil {
		t.Fatal(err)
	}
	if grown.Counts() != loaded.Counts() || grown.Version() != loaded.Version() {
		t.Fatalf("grown %+v at %d, loaded %+v at %d", grown.Counts(), grown.Version(), loaded.Counts(), loaded.Version())
	}
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "questions"), 0))
	asked := slow.someNames(rng)
	for range 60 {
		client, question, typ, now := anyOf(rng, clients), anyOf(rng, asked), anyOf(rng, types), slow.someTime(rng)
		for about, s := range map[string]*Snapshot{"grown": grown, "loaded": loaded} {
			if difference := differ(s, slow, client, question, typ, now); difference != "" {
				t.Fatalf("%s: %s %s for %s at %s: %s", about, question, typ, client, now, difference)
			}
		}
	}
}

func anyOf[T any](rng *rand.Rand, all []T) T { return all[rng.IntN(len(all))] }

// someNames are names around those of the rules: themselves, above and below.
func (o *oracle) someNames(rng *rand.Rand) []Name {
	out := []Name{Root, name("x.it"), name("www.example.org")}
	for _, g := range o.grants {
		for _, r := range o.rulesOf(g) {
			_, base := kindOf(r.text)
			_, above, _ := strings.Cut(base, ".")
			below := anyOf(rng, labels) + "." + base
			out = append(out, name(base), name(above), name(below), name(anyOf(rng, labels)+"."+below))
		}
	}
	return out
}

// someTime is on a day, at a minute, where a condition of a grant begins or ends, or a minute off.
func (o *oracle) someTime(rng *rand.Rand) time.Time {
	day := at(anyOf(rng, []string{"2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04", "2026-03-28", "2026-03-29", "2026-03-30", "2026-10-25", "2026-10-26"}) + " 00:00")
	minute := anyOf(rng, []int{0, 30, 2*60 + 30, 3 * 60, 3*60 + 30, 8 * 60, 14 * 60, 15 * 60, 22 * 60, 23*60 + 59, 24 * 60}) + rng.IntN(3) - 1
	return day.Add(time.Duration(minute) * time.Minute)
}

// differ asks both and says where they differ.
func differ(s *Snapshot, slow *oracle, client netip.Addr, question Name, typ Type, now time.Time) string {
	c, want := s.Who(client, now), slow.who(client, now)
	got := asker{inside: c.Inside, seat: c.Seat, role: c.Role}
	if c.Office != nil {
		got.office = c.Office.ID
	}
	if got != want {
		return fmt.Sprintf("asked by %+v; the oracle says %+v", got, want)
	}
	v, verdict := s.Decide(&c, []byte(question), typ, now), slow.decide(want, question, typ, now)
	fast := judged{action: v.Action, reason: v.Reason, grant: v.Grant, subject: v.Subject}
	if v.Service != nil {
		fast.service = v.Service.ID
	}
	if v.Reason == Granted {
		fast.rule = v.Rule([]byte(question)).String()
	}
	if fast != verdict {
		return fmt.Sprintf("%+v; the oracle says %+v", fast, verdict)
	}
	if exists, wanted := s.Exists(&c, []byte(question)), slow.exists(want, question); exists != wanted {
		return fmt.Sprintf("exists %v; the oracle says %v", exists, wanted)
	}
	if v.Action == Allow && v.Reason == Granted && !s.Exists(&c, []byte(question)) {
		return "allowed, and yet it does not exist"
	}
	if id, ok := s.Dormant(&c, []byte(question), typ, now); v.Reason == Granted && !ok {
		return fmt.Sprintf("granted by %s, and yet no grant covers it, not even a dormant one (%s)", v.Grant, id)
	}
	return ""
}
