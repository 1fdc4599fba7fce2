package audit

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usciere/policy"
	"usciere/policy/journal"
	"usciere/policy/letter"
	"usciere/policy/request"
)

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// The alphabets are small, so that names, seats and days meet often.
var (
	someOffices = rapid.SampledFrom([]string{"a", "a", "b", "a", "b", "c"})
	someSeats   = rapid.SampledFrom([]string{"s", "t", "u"})
	someSigner  = rapid.SampledFrom([]string{"", "", "", "s", "t", "u"})
	someNets    = rapid.SampledFrom(prefixes("10.20.1.0/24", "10.20.1.0/25", "10.20.2.0/24"))
	someAddrs   = rapid.SampledFrom([]netip.Addr{netip.MustParseAddr("10.20.1.5"), netip.MustParseAddr("10.20.1.6"), netip.MustParseAddr("10.20.2.5")})
	someNames   = rapid.SampledFrom([]string{"x.it", "www.x.it", "a.www.x.it", "y.it", "_imaps._tcp.x.it", "autodiscover.x.it", "www.comune.y.it"})
	someRules   = rapid.SampledFrom([]string{"x.it", "www.x.it", "*.x.it", ".x.it", "y.it", ".y.it", "www.comune.y.it", "svc", "posta", "svc"})
	someTypes   = rapid.SampledFrom([]policy.Type{policy.TypeA, policy.TypeA, policy.TypeMX, policy.TypeSRV, 65})
	someHours   = rapid.SampledFrom([]policy.Schedule{"", "", "mon-fri 08:00-14:00", "sun 01:00-03:30; tue,thu 14:30-17:30", "sat-mon 22:00-02:00"})
)

// moment is none, or a day or minute around now.
func moment(t *rapid.T, now time.Time, label string) policy.Moment {
	day := policy.DayOf(now.AddDate(0, 0, rapid.IntRange(-5, 60).Draw(t, label+" in days")), rome)
	return day + rapid.SampledFrom([]policy.Moment{"", "T00:00", "T02:30", "T08:00", "T23:59"}).Draw(t, label+" at")
}

func optional(t *rapid.T, now time.Time, label string) policy.Moment {
	if rapid.IntRange(0, 2).Draw(t, label) > 0 {
		return ""
	}
	return moment(t, now, label)
}

func someDay(t *rapid.T, now time.Time, label string) policy.Moment {
	return moment(t, now, label)[:10]
}

// someChange draws a change that may well be refused.
func someChange(t *rapid.T, town *aTown) policy.Change {
	one := func(t policy.Table) uint32 { return uint32(town.store.next[t]) + 1 }
	hosts := func() []netip.Addr { return rapid.SliceOfN(someAddrs, 0, 2).Draw(t, "hosts") }
	protocol := fmt.Sprintf("%d/2026", len(town.store.entries)+1)
	kinds := "grant ask approve grant ask approve revoke grant approve assign seat device device -device token token ~token -token host set-host service set-seat deny withdraw expire letter remind network office -host -network -service -seat -office"
	switch rapid.SampledFrom(strings.Fields(kinds)).Draw(t, "change") {
	case "office":
		return policy.AddOffice{ID: someOffices.Draw(t, "id"), Name: "x", Networks: rapid.SliceOfN(someNets, 0, 1).Draw(t, "networks")}
	case "-office":
		if rapid.IntRange(0, 7).Draw(t, "spared") > 0 {
			return someGrant(t, town, protocol)
		}
		return policy.RemoveOffice{ID: someOffices.Draw(t, "id"), All: true}
	case "network":
		return policy.AddNetwork{Office: someOffices.Draw(t, "office"), Network: someNets.Draw(t, "network")}
	case "-network":
		return policy.RemoveNetwork{Office: someOffices.Draw(t, "office"), Network: someNets.Draw(t, "network")}
	case "host":
		h := policy.AddHost{Addr: someAddrs.Draw(t, "addr"), Name: rapid.SampledFrom([]string{"", "pc"}).Draw(t, "name"), From: someDay(t, town.now, "from")}
		if h.Role = rapid.SampledFrom([]policy.Role{"", "", policy.Server}).Draw(t, "role"); h.Role == "" && rapid.Bool().Draw(t, "on a seat") {
			h.Seat = someSeats.Draw(t, "seat")
		} else {
			h.Office = someOffices.Draw(t, "office")
		}
		return h
	case "-host":
		return policy.RemoveHost{Addr: someAddrs.Draw(t, "addr")}
	case "seat":
		role := rapid.SampledFrom([]policy.Role{"", policy.Manager, policy.Employee}).Draw(t, "role")
		return policy.AddSeat{ID: someSeats.Draw(t, "id"), Office: someOffices.Draw(t, "office"), Role: role, Holder: "h", From: someDay(t, town.now, "from"), Hosts: hosts()}
	case "assign":
		return policy.AssignSeat{Seat: someSeats.Draw(t, "seat"), Holder: "k", From: someDay(t, town.now, "from"), Hosts: hosts(), Correct: rapid.Bool().Draw(t, "correct")}
	case "set-seat":
		return policy.SetSeat{ID: someSeats.Draw(t, "id"), Office: someOffices.Draw(t, "office"), Holders: []policy.Holder{{Name: "m", From: someDay(t, town.now, "from")}}}
	case "set-host":
		return policy.SetHost{Addr: someAddrs.Draw(t, "addr"), Office: someOffices.Draw(t, "office"),
			Seats: []policy.Binding{{Seat: someSeats.Draw(t, "seat"), From: someDay(t, town.now, "from")}}}
	case "device":
		return policy.AddDevice{Device: rapid.SampledFrom([]policy.DeviceID{"52:54:00:00:00:01", "pc-segretario"}).Draw(t, "device"), Seat: someSeats.Draw(t, "seat")}
	case "-device":
		return policy.RemoveDevice{Device: rapid.SampledFrom([]policy.DeviceID{"52:54:00:00:00:01", "pc-segretario"}).Draw(t, "device")}
	case "token":
		c := policy.AddToken{ID: rapid.SampledFrom([]string{"casa", "due"}).Draw(t, "id"), Hash: policy.Hash{byte(rapid.IntRange(1, 3).Draw(t, "hash"))}, Replace: true}
		if c.Seat = someSeats.Draw(t, "seat"); rapid.Bool().Draw(t, "of a host") {
			c.Seat, c.Host = "", someAddrs.Draw(t, "addr")
		}
		return c
	case "~token":
		return policy.RotateToken{ID: rapid.SampledFrom([]string{"casa", "due"}).Draw(t, "id"), Hash: policy.Hash{byte(rapid.IntRange(1, 3).Draw(t, "hash"))}}
	case "-token":
		return policy.RevokeToken{ID: rapid.SampledFrom([]string{"casa", "due"}).Draw(t, "id")}
	case "-seat":
		return policy.RemoveSeat{Seat: someSeats.Draw(t, "seat")}
	case "service":
		sv := policy.AddService{ID: rapid.SampledFrom([]string{"svc", "posta"}).Draw(t, "id"), Channel: policy.Web, Replace: true}
		if sv.ID == "posta" {
			sv.Channel = policy.Mail
		}
		for _, text := range rapid.SliceOfNDistinct(someRules, 1, 3, rapid.ID).Draw(t, "rules") {
			if r, _, err := policy.ParseRule(text); err == nil {
				sv.Rules = append(sv.Rules, policy.ServiceRule{Rule: r, Source: "x"})
			}
		}
		return sv
	case "-service":
		return policy.RemoveService{ID: rapid.SampledFrom([]string{"svc", "posta"}).Draw(t, "id")}
	case "revoke":
		return policy.RevokeGrants{Grants: []policy.GrantID{policy.GrantID(rapid.Uint32Range(1, one(policy.TableGrants)).Draw(t, "grant"))}, Reason: "x", Notice: rapid.Bool().Draw(t, "notice")}
	case "ask":
		return request.Submit{Office: someOffices.Draw(t, "office"), Names: []string{someRules.Draw(t, "name")}, Reason: "x", From: optional(t, town.now, "from"), Until: optional(t, town.now, "until"),
			Renews: policy.RequestID(rapid.Uint32Range(0, one(policy.TableRequests)).Draw(t, "renews") * uint32(rapid.IntRange(0, 1).Draw(t, "does"))),
			Paper:  request.Paper{Protocol: protocol, Seat: someSigner.Draw(t, "signed by")}}
	case "letter":
		return letter.Register{Letter: policy.LetterID(rapid.Uint32Range(1, one(policy.TableLetters)).Draw(t, "letter")), Protocol: protocol, Style: style}
	case "remind":
		return someReminder(t, town)
	case "approve", "deny", "withdraw", "expire":
		return someMove(t, town, policy.RequestID(rapid.Uint32Range(1, one(policy.TableRequests)).Draw(t, "request")))
	}
	return someGrant(t, town, protocol)
}

var style = letter.Style{Language: "it", Town: "x"}

// someReminder is about a grant of an office, if there is one.
func someReminder(t *rapid.T, town *aTown) policy.Change {
	due := letter.Due{Office: "a", Request: 2, Ends: "2026-06-30", Days: 30}
	_ = town.View(func(r policy.Records) error {
		return r.EachGrant(func(g *policy.Grant) bool {
			if g.Office != "" && g.Revoked == nil {
				due.Office, due.Request, due.Grants = g.Office, g.Request, []policy.GrantID{g.ID}
			}
			return due.Grants == nil || rapid.Bool().Draw(t, "another")
		})
	})
	return letter.Remind{Due: []letter.Due{due}, Style: style}
}

// someMove moves an open request, or any.
func someMove(t *rapid.T, town *aTown, id policy.RequestID) policy.Change {
	_ = town.View(func(r policy.Records) error {
		return r.EachRequest(func(q *policy.Request) bool {
			if q.State.Open() {
				id = q.ID
			}
			return true
		})
	})
	switch rapid.SampledFrom(strings.Fields("approve approve approve deny withdraw expire")).Draw(t, "move") {
	case "approve":
		return request.Approve{Request: id, Schedule: someHours.Draw(t, "schedule"), Until: optional(t, town.now, "until")}
	case "deny":
		return request.Deny{Request: id, Reason: "x"}
	case "withdraw":
		return request.Withdraw{Request: id, Reason: "x"}
	default:
		return request.Expire{Requests: []policy.RequestID{id}}
	}
}

func someGrant(t *rapid.T, town *aTown, protocol string) policy.Change {
	c := policy.AddGrants{
		Names: []string{someRules.Draw(t, "name")}, Protocol: protocol, Reason: "x", Date: policy.DayOf(town.now, rome),
		From: optional(t, town.now, "from"), Until: optional(t, town.now, "until"), Schedule: someHours.Draw(t, "schedule"),
		Channel: rapid.SampledFrom([]policy.Channel{"", "", policy.Mail}).Draw(t, "channel"),
	}
	switch rapid.SampledFrom(strings.Fields("office office office office role everyone")).Draw(t, "for") {
	case "office":
		c.Office, c.Seat, c.Notice = someOffices.Draw(t, "office"), someSigner.Draw(t, "signed by"), rapid.Bool().Draw(t, "notice")
	case "role":
		c.Role = rapid.SampledFrom([]policy.Role{policy.Employee, policy.Server}).Draw(t, "role")
	default:
		c.Everyone = true
	}
	return c
}

// someHistory makes changes over months; those that are refused leave nothing.
func someHistory(r *rapid.T) *aTown {
	town, err := newTown(at("2026-01-10 09:00"))
	if err != nil {
		r.Fatal(err)
	}
	for _, c := range []policy.Change{
		policy.AddOffice{ID: "a", Name: "A"}, policy.AddSeat{ID: "s", Office: "a", Holder: "h", From: "2025-01-01"},
		policy.AddOffice{ID: "b", Name: "B"}, policy.AddSeat{ID: "t", Office: "b", Holder: "h", From: "2025-01-01"},
	} {
		if _, err := town.Apply(clerk, c); err != nil {
			r.Fatal(err)
		}
		town.remember()
	}
	for range rapid.IntRange(15, 50).Draw(r, "changes") {
		pause := rapid.SampledFrom([]time.Duration{0, time.Second, 90 * time.Minute, 11*time.Hour + 7*time.Second + 3, 9 * 24 * time.Hour, 50 * 24 * time.Hour}).Draw(r, "pause")
		town.now = town.now.Add(pause)
		if _, err := town.Apply(clerk, someChange(r, town)); err != nil {
			if refusal := new(policy.Error); !errors.As(err, &refusal) {
				r.Fatal(err)
			}
			continue
		}
		town.remember()
		accepted[town.store.entries[len(town.store.entries)-1].Kind]++
	}
	return town
}

var accepted = map[string]int{} // changes of histories, by kind

// Whatever happened: for any office, name and instant, the journal says what the live rules decided then.
func TestTheJournalAnswersAsTheLiveRulesDidThen(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		town := someHistory(r)
		for range 4 {
			change := town.was[rapid.IntRange(0, len(town.was)-1).Draw(r, "around change")].at
			asked := policy.DayOf(change.AddDate(0, 0, rapid.IntRange(-2, 40).Draw(r, "days on")*rapid.IntRange(0, 1).Draw(r, "on or not")), rome)
			q := Question{Office: someOffices.Draw(r, "office"), Name: name(someNames.Draw(r, "name")), Type: someTypes.Draw(r, "type"), Day: asked, Zone: rome, Now: town.now}
			a, err := town.ask(q)
			if refusal := new(policy.Error); errors.As(err, &refusal) && refusal.Code == policy.NotFound && q.Office == "c" {
				continue // never made
			}
			if err != nil {
				r.Fatal(err)
			}
			compareWithLive(r, town, q, a)
		}
	})
}

func TestHistoriesHaveAllKindsOfChanges(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) { someHistory(r) })
	for kind := range kinds {
		if accepted[kind] == 0 && kind != "letter.sent" && kind != "letter.resend" && kind != "catalog.install" && kind != "store.restore" && kind != "alias.accept" && !strings.HasPrefix(kind, "trace.") && kind != "office.change" && kind != "network.remove" && kind != "request.endorse" {
			t.Errorf("no history had a %s", kind)
		}
	}
	t.Log(accepted)
}

func compareWithLive(r *rapid.T, town *aTown, q Question, a *Answer) {
	if !a.Complete {
		r.Fatalf("the answer says it is incomplete: %q %v", a.Notes, a.Puzzles)
	}
	from, end := q.Day.Start(rome), q.Day.End(rome)
	var instants []time.Time
	for i, s := range a.Stretches {
		if i == 0 && !s.From.Equal(from) || i > 0 && !s.From.Equal(a.Stretches[i-1].Until) || i == len(a.Stretches)-1 && !s.Until.Equal(end) || !s.From.Before(s.Until) {
			r.Fatalf("the stretches do not make up the day: %+v", a.Stretches)
		}
		instants = append(instants, s.From, s.Until.Add(-1))
	}
	for at := from; at.Before(end); at = at.Add(time.Hour) {
		instants = append(instants, at, at.Add(30*time.Minute), at.Add(59*time.Minute))
	}
	for range 10 {
		instants = append(instants, from.Add(time.Duration(rapid.Int64Range(0, int64(end.Sub(from))-1).Draw(r, "instant"))))
	}
	for _, t := range instants {
		var got Stretch
		for _, s := range a.Stretches {
			if !t.Before(s.From) && t.Before(s.Until) {
				got = s
			}
		}
		var want Stretch
		if rules := town.rulesAt(t); rules != nil {
			if c, ok := rules.Employee(q.Office); ok {
				v := rules.Decide(&c, []byte(q.Name), q.Type, t)
				if want.Reached = v.Action == policy.Allow; want.Reached {
					want.Grant, want.Rule = v.Grant, v.Rule([]byte(q.Name)).String()
					if v.Service != nil {
						want.Service = v.Service.ID
					}
				}
			}
		}
		if got.Reached != want.Reached || got.Grant != want.Grant || got.Rule != want.Rule || got.Service != want.Service {
			r.Fatalf("%s %s of %s at %s: the journal says %+v, the live rules decided %+v\n%s", q.Name, q.Type, q.Office, t, got, want, town.store.export())
		}
	}
}

// The records that the journal gives are those of the store, octet by octet.
func TestTheJournalGivesTheRecordsOfTheStore(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		town := someHistory(r)
		rules := NewRules("")
		if _, _, err := journal.ReadStream(bytes.NewReader(town.store.export()), journal.Head{}, func(e journal.Entry) error { rules.Apply(e); return nil }); err != nil {
			r.Fatal(err)
		}
		if puzzles, n := rules.Puzzles(); n > 0 {
			r.Fatal(puzzles)
		}
		for _, t := range []policy.Table{policy.TableOffices, policy.TableSeats, policy.TableHosts, policy.TableServices, policy.TableRequests, policy.TableGrants, policy.TableLetters} {
			for key, text := range town.store.tables[t] {
				if got := rules.tables[t][key]; !bytes.Equal(got, text) {
					r.Fatalf("%s %q is %s; the store has %s", t, key, got, text)
				}
			}
			if len(rules.tables[t]) != len(town.store.tables[t]) {
				r.Fatalf("%s: %d records, the store has %d", t, len(rules.tables[t]), len(town.store.tables[t]))
			}
		}
	})
}
