package town

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usciere/policy"
)

// The alphabets are small, so that names, addresses and days meet often.
var (
	someIDs    = rapid.SampledFrom([]string{"a", "b", "c"})
	someSeats  = rapid.SampledFrom([]string{"s", "t", "u"})
	clients    = []netip.Addr{netip.MustParseAddr("10.20.1.5"), netip.MustParseAddr("10.20.1.6"), netip.MustParseAddr("10.20.2.5"), netip.MustParseAddr("2001:db8:20::5"), netip.MustParseAddr("192.0.2.1")}
	someAddrs  = rapid.SampledFrom(clients[:4])
	someNets   = rapid.SampledFrom([]netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("10.20.1.0/24"), netip.MustParsePrefix("10.20.1.4/30"), netip.MustParsePrefix("2001:db8:20::/64")})
	someDays   = rapid.SampledFrom([]policy.Moment{"2026-02-27", "2026-03-01", "2026-03-02", "2026-03-04"})
	someTypes  = []policy.Type{policy.TypeA, policy.TypeMX, policy.TypeAAAA}
	someNames  = []string{"x.it", "a.x.it", "b.a.x.it", "y.it", "www.y.it", "autoconfig.y.it", "www.msftconnecttest.com", "timestamp.infocert.it"}
	someRules  = rapid.SampledFrom([]string{"x.it", ".x.it", "*.x.it", "a.x.it", "https://www.y.it/x?y", ".y.it", "own", "posta", "inps", "pec", "pec-own", "pec"})
	someLetter = rapid.SampledFrom([]string{"1/2026", "2/2026", "3/2026", "4/2026", "5/2026", "6/2026", "7/2026"})
)

func someChange(t *rapid.T) policy.Change {
	moment := rapid.OneOf(rapid.Just(policy.Moment("")), someDays)
	grounds := rapid.SliceOfNDistinct(rapid.SampledFrom(policy.Grounds), 0, 2, rapid.ID)
	switch rapid.IntRange(-6, 11).Draw(t, "change") {
	case -6:
		return policy.RemoveSeat{Seat: someSeats.Draw(t, "seat")}
	case -5:
		c := policy.AddToken{ID: someIDs.Draw(t, "id"), Hash: policy.Hash{byte(rapid.IntRange(1, 3).Draw(t, "hash"))}, Until: moment.Draw(t, "until"), Replace: true}
		if c.Seat = someSeats.Draw(t, "seat"); rapid.Bool().Draw(t, "of a host") {
			c.Seat, c.Host = "", someAddrs.Draw(t, "addr")
		}
		if rapid.Bool().Draw(t, "certificate") {
			c.Shows = policy.Certificate
		}
		return c
	case -4:
		return policy.RevokeToken{ID: someIDs.Draw(t, "id")}
	case -3:
		return policy.AddDevice{Device: rapid.SampledFrom([]policy.DeviceID{"52:54:00:00:00:01", "pc"}).Draw(t, "device"), Seat: someSeats.Draw(t, "seat"), Name: rapid.SampledFrom([]string{"", "x"}).Draw(t, "name")}
	case -2:
		pec := grounds.Draw(t, "grounds")
		return policy.ChangeOffice{ID: someIDs.Draw(t, "office"), PEC: &pec}
	case -1:
		return policy.AddService{ID: "pec-own", Replace: true, Channel: policy.Mail, PEC: rapid.Bool().Draw(t, "pec"), Rules: []policy.ServiceRule{{Rule: ruleOf(".y.it"), Source: "s"}}}
	case 0:
		return policy.AddOffice{ID: someIDs.Draw(t, "id"), Name: "x", Mailbox: rapid.SampledFrom([]string{"x@example.it", "y@example.it", "k@example.it"}).Draw(t, "mailbox"), IPA: "1E5", Sinkhole: policy.Zero, PEC: grounds.Draw(t, "grounds")}
	case 1:
		return policy.AddNetwork{Office: someIDs.Draw(t, "office"), Network: someNets.Draw(t, "network")}
	case 2:
		return policy.AddHost{Addr: someAddrs.Draw(t, "addr"), Office: someIDs.Draw(t, "office"), Role: rapid.SampledFrom([]policy.Role{"", policy.Server}).Draw(t, "role")}
	case 3:
		return policy.AddHost{Addr: someAddrs.Draw(t, "addr"), Seat: someSeats.Draw(t, "seat"), From: someDays.Draw(t, "from")}
	case 4:
		return policy.AssignSeat{Seat: someSeats.Draw(t, "seat"), Holder: "k", From: someDays.Draw(t, "from"), Hosts: rapid.SliceOfN(someAddrs, 0, 2).Draw(t, "hosts")}
	case 5:
		return policy.RemoveHost{Addr: someAddrs.Draw(t, "addr")}
	case 6:
		return policy.RevokeGrants{Grants: []policy.GrantID{policy.GrantID(rapid.IntRange(1, 12).Draw(t, "grant"))}}
	case 7:
		return policy.AddService{ID: "own", Replace: true, Rules: []policy.ServiceRule{
			{Rule: ruleOf(".a.x.it"), Source: "s", Date: rapid.SampledFrom([]string{"", "2026"}).Draw(t, "date")}, {Rule: ruleOf("www.y.it"), Source: rapid.SampledFrom([]string{"s", "t"}).Draw(t, "source")},
		}}
	}
	c := policy.AddGrants{
		Names: rapid.SliceOfNDistinct(someRules, 1, 3, rapid.ID).Draw(t, "names"), Protocol: someLetter.Draw(t, "letter"), Date: "2026-02-01",
		Channel: rapid.SampledFrom([]policy.Channel{"", "", policy.Mail}).Draw(t, "channel"), From: moment.Draw(t, "from"), Until: moment.Draw(t, "until"),
		Schedule: rapid.SampledFrom([]policy.Schedule{"", "mon-fri 08:00-14:00"}).Draw(t, "schedule"), Types: rapid.SliceOfN(rapid.SampledFrom(someTypes), 0, 2).Draw(t, "types"),
	}
	if rapid.Bool().Draw(t, "with a ground") {
		c.Ground = rapid.SampledFrom(policy.Grounds).Draw(t, "ground")
	}
	if rapid.Bool().Draw(t, "with reasons") {
		c.Reason = "perché " + c.Protocol
	}
	switch rapid.IntRange(0, 4).Draw(t, "for") {
	case 0:
		c.Everyone = true
	case 1:
		c.Role = policy.Server
	default:
		c.Office, c.Seat = someIDs.Draw(t, "office"), someSeats.Draw(t, "seat")
	}
	return c
}

// Whatever the policy, its document differs in nothing from it, and makes of an empty store one that answers the same.
func TestADocumentMakesTheSamePolicyAnew(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dirs := [2]string{}
		for i := range dirs {
			dir, err := os.MkdirTemp("", "usciere")
			if err != nil {
				r.Fatalf("%v", err)
			}
			defer os.RemoveAll(dir)
			dirs[i] = dir
		}
		one, done := open(r, dirs[0])
		defer done()
		changes := []policy.Change{policy.AddService{ID: "pec-own", Channel: policy.Mail, PEC: true, Rules: []policy.ServiceRule{{Rule: ruleOf(".y.it"), Source: "s"}}}, policy.AddService{ID: "posta", Channel: policy.Mail, Rules: []policy.ServiceRule{{Rule: ruleOf("x.it"), Source: "s"}}}}
		for i, id := range []string{"a", "b"} {
			changes = append(changes, policy.AddOffice{ID: id, Name: id, PEC: policy.Grounds[i : i+1]}, policy.AddSeat{ID: []string{"s", "t"}[i], Office: id, Holder: "h", From: "2026-01-01"})
		}
		if _, err := one.Apply(clerk, changes...); err != nil {
			r.Fatalf("%v", err)
		}
		for range rapid.IntRange(0, 25).Draw(r, "changes") {
			_, _ = one.Apply(clerk, someChange(r)) // may be refused
		}
		doc := one.export(r)
		one.same(r, doc)
		two, done := open(r, dirs[1])
		defer done()
		if _, err := two.apply(doc, false); err != nil {
			r.Fatalf("%s", explained(err))
		}
		two.same(r, doc)
		for range 30 {
			addr, day := rapid.SampledFrom(clients).Draw(r, "client"), someDays.Draw(r, "day")
			now := day.Start(rome).Add(time.Duration(rapid.IntRange(0, 24*60).Draw(r, "minute")) * time.Minute)
			name, typ := rapid.SampledFrom(someNames).Draw(r, "name"), rapid.SampledFrom(someTypes).Draw(r, "type")
			if now.Before(noon) {
				now = noon // what ended before is not in the document
			}
			if a, b := one.answer(addr, name, typ, now), two.answer(addr, name, typ, now); a != b {
				r.Fatalf("%s %s for %s at %s: %s, then %s", name, typ, addr, now, a, b)
			}
		}
	})
}

// answer is the verdict in words, without the number of the grant, which is the store's.
func (town *aTown) answer(addr netip.Addr, name string, typ policy.Type, now time.Time) string {
	s := town.Snapshot()
	c := s.Who(addr, now)
	n, err := policy.ParseName(name)
	if err != nil {
		panic(err)
	}
	v := s.Decide(&c, []byte(n), typ, now)
	out := fmt.Sprint(v.Action, v.Reason, v.Subject, c.Role, c.Seat)
	if c.Office != nil {
		out += " " + c.Office.ID
	}
	return out
}

// Who signed a letter stands in the document where the seats as they are now do not say it.
func TestWhoSignedGoesWithTheLetterWhateverBecameOfTheSeat(t *testing.T) {
	rossi := []policy.Holder{{Name: "M. Rossi", From: "2025-09-01"}}
	seat := policy.SetSeat{ID: "dirigente-anagrafe", Office: "anagrafe", Role: policy.Manager, Holders: rossi}
	with := func(change func(*policy.SetSeat)) policy.Change { c := seat; change(&c); return c }
	for _, tc := range []struct {
		about  string
		change policy.Change
		holder string // in the document
	}{
		{"it is as it was", seat, ""},
		{"another one holds it now", policy.AssignSeat{Seat: "dirigente-anagrafe", Holder: "A. Bianchi", From: "2026-02-20"}, ""},
		{"it is gone", policy.RemoveSeat{Seat: "dirigente-anagrafe"}, "M. Rossi"},
		{"the first day was corrected", with(func(c *policy.SetSeat) { c.Holders = []policy.Holder{{Name: "M. Rossi", From: "2026-02-20"}} }), "M. Rossi"},
		{"the name was corrected", with(func(c *policy.SetSeat) { c.Holders = []policy.Holder{{Name: "Maria Rossi", From: "2025-09-01"}} }), "M. Rossi"},
		{"it is of another office", with(func(c *policy.SetSeat) { c.Office = "tributi" }), "M. Rossi"},
		{"it is no manager's", with(func(c *policy.SetSeat) { c.Role = policy.Employee }), "M. Rossi"},
	} {
		t.Run(tc.about, func(t *testing.T) {
			one, two := small(t), newTown(t)
			if _, err := one.Apply(clerk, tc.change); err != nil {
				t.Fatal(err)
			}
			doc := one.export(t)
			if got := doc.Grants[0].Request.Holder; got != tc.holder {
				t.Errorf("the document says %q, want %q", got, tc.holder)
			}
			if _, err := two.apply(doc, false); err != nil {
				t.Fatal(explained(err))
			}
			two.same(t, doc)
			one.same(t, two.export(t))
			err := two.View(func(r policy.Records) error {
				q, _, err := r.RequestOf("12/2026")
				if err == nil && (q.Seat != "dirigente-anagrafe" || q.Holder != "M. Rossi") {
					t.Errorf("signed by %s, %s", q.Seat, q.Holder)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestADocumentIsInOrder(t *testing.T) {
	doc := small(t).export(t)
	var got []string
	for _, g := range doc.Grants {
		got = append(got, g.Office+" "+g.Rule+g.Service+" "+g.Request.Protocol+" "+g.Request.Reason)
	}
	want := []string{"anagrafe inps 12/2026 residenze", "anagrafe www.example.it 12/2026 ", "tributi suite 21/2026 visure", " connectivity  connectivity probes, so that workstations know they are online"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if asked := doc.Grants[0].Request.Asked; !slices.Equal(asked, []string{"https://www.example.it/x"}) {
		t.Errorf("%q", asked)
	}
}
