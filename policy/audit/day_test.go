package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"usciere/policy"
	"usciere/policy/journal"
)

// tributi is a town with one office and its manager.
func tributi(t *testing.T) *aTown {
	t.Helper()
	town, err := newTown(at("2026-01-07 09:00"))
	if err != nil {
		t.Fatal(err)
	}
	town.do(t,
		policy.AddOffice{ID: "tributi", Name: "Ufficio Tributi"},
		policy.AddSeat{ID: "dirigente", Office: "tributi", Holder: "M. Verdi", From: "2025-01-01"})
	return town
}

func (town *aTown) allow(t *testing.T, when string, edit func(*policy.AddGrants)) {
	t.Helper()
	town.now = at(when)
	c := policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"www.inps.it"}, Protocol: fmt.Sprintf("%d/2026", len(town.was)), Reason: "x"}
	edit(&c)
	if c.Office == "" {
		c.Seat = ""
	}
	town.do(t, c)
}

// told is the day as text: "00:00 no, 10:00 g-2".
func told(a *Answer) string {
	var out []string
	for _, s := range a.Stretches {
		what := "no"
		if s.Reached {
			what = s.Grant.String()
		}
		out = append(out, s.From.Format("15:04")+" "+what)
	}
	return strings.Join(out, ", ")
}

func TestADayIsToldByTheMinute(t *testing.T) {
	for _, test := range []struct {
		about string
		day   policy.Moment
		edit  func(*policy.AddGrants)
		name  string
		typ   policy.Type
		want  string
		reach Reach
	}{
		{"an end at an odd minute", "2026-03-04", func(c *policy.AddGrants) { c.Until = "2026-03-04T14:31" }, "", 0, "00:00 g-2, 14:31 no", PartOfDay},
		{"a beginning at an odd minute", "2026-03-04", func(c *policy.AddGrants) { c.From = "2026-03-04T07:59" }, "", 0, "00:00 no, 07:59 g-2", PartOfDay},
		{"a timetable with a break", "2026-03-04", func(c *policy.AddGrants) { c.Schedule = "mon-fri 08:00-13:59; wed 15:01-18:00" }, "", 0,
			"00:00 no, 08:00 g-2, 13:59 no, 15:01 g-2, 18:00 no", PartOfDay},
		{"a timetable on another day", "2026-03-05", func(c *policy.AddGrants) { c.Schedule = "wed 08:00-13:59" }, "", 0, "00:00 no", Never},
		{"the last day is counted whole", "2026-03-31", func(c *policy.AddGrants) { c.Until = "2026-03-31" }, "", 0, "00:00 g-2", AllDay},
		{"the day after is not", "2026-04-01", func(c *policy.AddGrants) { c.Until = "2026-03-31" }, "", 0, "00:00 no", Never},
		{"the day that has 23 hours", "2026-03-29", func(c *policy.AddGrants) { c.Schedule = "sun 01:30-03:30" }, "", 0, "00:00 no, 01:30 g-2, 03:30 no", PartOfDay},
		{"the day that has 25 hours", "2026-10-25", func(c *policy.AddGrants) { c.Schedule = "sun 01:30-02:30" }, "", 0,
			"00:00 no, 01:30 g-2, 02:30 no, 02:00 g-2, 02:30 no", PartOfDay},
		{"the role's grant", "2026-03-04", func(c *policy.AddGrants) { c.Subject = policy.Subject{Role: policy.Employee} }, "", 0, "00:00 g-2", AllDay},
		{"everyone's grant", "2026-03-04", func(c *policy.AddGrants) { c.Subject = policy.Subject{Everyone: true} }, "", 0, "00:00 g-2", AllDay},
		{"the servers' grant is not theirs", "2026-03-04", func(c *policy.AddGrants) { c.Subject = policy.Subject{Role: policy.Server} }, "", 0, "00:00 no", Never},
		{"the web does not open mail", "2026-03-04", func(*policy.AddGrants) {}, "", policy.TypeMX, "00:00 no", Never},
		{"mail does", "2026-03-04", func(c *policy.AddGrants) { c.Channel = policy.Mail }, "", policy.TypeMX, "00:00 g-2", AllDay},
		{"a name of mail", "2026-03-04", func(c *policy.AddGrants) { c.Channel = policy.Mail }, "_imaps._tcp.www.inps.it", policy.TypeSRV, "00:00 g-2", AllDay},
		{"a type that is not opened", "2026-03-04", func(c *policy.AddGrants) { c.Types = []policy.Type{policy.TypeA} }, "", policy.TypeAAAA, "00:00 no", Never},
		{"a service", "2026-03-04", func(c *policy.AddGrants) { c.Names = []string{"inps"} }, "servizi2.inps.it", 0, "00:00 g-2", AllDay},
	} {
		t.Run(test.about, func(t *testing.T) {
			town := tributi(t)
			town.allow(t, "2026-03-02 10:00", test.edit)
			q := Question{Office: "tributi", Name: name("www.inps.it"), Type: test.typ, Day: test.day}
			if test.name != "" {
				q.Name = name(test.name)
			}
			a, err := town.ask(q)
			if err != nil {
				t.Fatal(err)
			}
			if got := told(a); got != test.want || a.Reached != test.reach {
				t.Errorf("%s: %s, want %s", a.Reached, got, test.want)
			}
			if test.reach == Never && test.name == "" && len(a.Others) == 0 && test.typ != policy.TypeMX && !strings.Contains(test.about, "servers") {
				t.Errorf("the grant that covers the name is not told of")
			}
		})
	}
}

func TestWhatIsNotInTheJournalIsSaid(t *testing.T) {
	ask := func(t *testing.T, town *aTown, day policy.Moment, now string) *Answer {
		t.Helper()
		a, err := town.ask(Question{Office: "tributi", Name: name("www.inps.it"), Day: day, Now: at(now)})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	says := func(t *testing.T, a *Answer, complete bool, want ...string) {
		t.Helper()
		all := strings.Join(a.Notes, "\n")
		for _, w := range want {
			if !strings.Contains(all, w) {
				t.Errorf("%q is not said: %q", w, a.Notes)
			}
		}
		if a.Complete != complete {
			t.Errorf("complete: %v; %q", a.Complete, a.Notes)
		}
	}
	strange := func(t *testing.T, town *aTown, when, kind, body string) {
		t.Helper()
		err := town.store.Update(func(tx policy.Tx) error {
			return tx.Journal(policy.Entry{Time: at(when), Kind: kind, Body: json.RawMessage(body)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	grant := func(*policy.AddGrants) {}

	t.Run("the future", func(t *testing.T) {
		town := tributi(t)
		town.allow(t, "2026-03-02 10:00", grant)
		a := ask(t, town, "2026-12-24", "2026-03-03 10:00")
		says(t, a, true, "yet to come")
		if !a.Future || a.Reached != AllDay {
			t.Errorf("%+v", a)
		}
		says(t, ask(t, town, "2026-03-03", "2026-03-03 10:00"), true, "the day is not over")
		says(t, ask(t, town, "2026-03-03", "2026-03-05 10:00"), true, "the journal's last entry is of 2026-03-02 10:00")
		says(t, ask(t, town, "2026-01-06", "2026-03-05 10:00"), true, "the journal begins later")
	})
	t.Run("a kind that is not known", func(t *testing.T) {
		town := tributi(t)
		town.allow(t, "2026-03-02 10:00", grant)
		strange(t, town, "2026-03-03 09:00", "grant.suspend", `{"grant":"g-2"}`)
		a := ask(t, town, "2026-03-04", "2026-03-05 10:00")
		says(t, a, false, "1 of the journal's entries")
		if len(a.Puzzles) != 1 || a.Puzzles[0].Seq != 5 || a.Puzzles[0].Kind != "grant.suspend" {
			t.Errorf("%+v", a.Puzzles)
		}
	})
	for _, test := range []struct{ about, kind, body string }{
		{"a record with a member that is not known", "office.change", `{"id":"tributi","name":"Ufficio Tributi","paused":true,"version":5}`},
		{"a body that cannot be read", "grant.revoke", `{"grants":7}`},
		{"a body that says nothing", "seat.assign", `{}`},
		{"a grant for nobody", "grant.add", `{"grants":[{"id":"g-9","channel":"web","rule":"x.it","request":"r-1","created":"2026-01-01T00:00:00Z","version":5}]}`},
		{"a service without a rule", "service.add", `{"id":"s","rules":[{"source":"x"}],"version":5}`},
	} {
		t.Run(test.about, func(t *testing.T) {
			town := tributi(t)
			town.allow(t, "2026-03-02 10:00", grant)
			strange(t, town, "2026-03-03 09:00", test.kind, test.body)
			a := ask(t, town, "2026-03-04", "2026-03-05 10:00")
			says(t, a, false)
			if len(a.Puzzles) != 1 || a.Puzzles[0].Seq != 5 || told(a) != "00:00 g-2" {
				t.Errorf("%s, %+v", told(a), a.Puzzles)
			}
		})
	}
	t.Run("what was lost with a store", func(t *testing.T) {
		town := tributi(t)
		town.allow(t, "2026-03-02 10:00", grant)
		strange(t, town, "2026-03-09 09:00", "store.restore",
			fmt.Sprintf(`{"backup":"b","head":{"seq":4,"hash":%q},"replaced":{"seq":7,"hash":%q},"kept":"usciere.db.before"}`, town.store.head.Hash, strings.Repeat("ab", 32)))
		says(t, ask(t, town, "2026-03-04", "2026-03-15 10:00"), false, "entry 5 put a backup back on 2026-03-09 09:00: what was changed between 2026-03-02 10:00 and then", "usciere.db.before")
		says(t, ask(t, town, "2026-03-01", "2026-03-15 10:00"), true)
		says(t, ask(t, town, "2026-03-10", "2026-03-15 10:00"), true)
	})
	t.Run("a restore that lost nothing", func(t *testing.T) {
		town := tributi(t)
		strange(t, town, "2026-03-09 09:00", "store.restore", fmt.Sprintf(`{"backup":"b","head":{"seq":3,"hash":%[1]q},"replaced":{"seq":3,"hash":%[1]q}}`, town.store.head.Hash))
		says(t, ask(t, town, "2026-03-04", "2026-03-15 10:00"), true)
	})
}

func TestAClockThatWasSetBack(t *testing.T) {
	town := tributi(t)
	town.allow(t, "2099-03-04 10:00", func(*policy.AddGrants) {}) // the clock ran ahead
	town.now = at("2026-03-04 12:00")
	town.do(t, policy.AddOffice{ID: "cultura", Name: "Cultura"}) // it was set right
	town.now = at("2026-03-05 12:00")
	town.do(t, policy.RevokeGrants{Grants: []policy.GrantID{2}})
	town.now = at("2026-03-05 11:00")
	town.allow(t, "2026-03-05 11:00", func(*policy.AddGrants) {})
	for day, want := range map[policy.Moment]string{
		"2026-03-03": "00:00 no", "2026-03-04": "00:00 no, 12:00 g-2", "2026-03-05": "00:00 g-2, 11:00 g-3", "2099-03-04": "00:00 g-3",
	} {
		a, err := town.ask(Question{Office: "tributi", Name: name("www.inps.it"), Day: day})
		if err != nil {
			t.Fatal(err)
		}
		if got := told(a); got != want {
			t.Errorf("%s: %s, want %s", day, got, want)
		}
		if said := strings.Contains(strings.Join(a.Notes, " "), "the clock was set back"); said == (day == "2026-03-03") || said == a.Complete {
			t.Errorf("%s: %q", day, a.Notes)
		}
	}
}

// A binding that never came to be goes without a word in the body of the change that moves the seat elsewhere.
func TestAWorkstationThatASeatLeaves(t *testing.T) {
	town := tributi(t)
	here, there := netip.MustParseAddr("10.20.2.9"), netip.MustParseAddr("10.20.2.10")
	town.do(t, policy.AssignSeat{Seat: "dirigente", Holder: "L. Neri", From: "2026-05-01", Hosts: []netip.Addr{here}})
	town.do(t, policy.AssignSeat{Seat: "dirigente", Holder: "P. Gallo", From: "2026-05-01", Hosts: []netip.Addr{there}, Correct: true})
	a, err := town.ask(Question{Office: "tributi", Name: name("www.inps.it"), Day: "2026-05-02"})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Seats) != 1 || len(a.Seats[0].Hosts) != 1 || a.Seats[0].Hosts[0].Addr != there || a.Seats[0].Holder.Name != "P. Gallo" || !a.Seats[0].Free {
		t.Errorf("%+v", a.Seats)
	}
}

// A device has no address in the journal, but that it had no limits is in it.
func TestADeviceOfASeatIsNamed(t *testing.T) {
	town := tributi(t)
	town.do(t, policy.AddDevice{Device: "52:54:00:00:00:01", Seat: "dirigente"})
	a, err := town.ask(Question{Office: "tributi", Name: name("www.inps.it"), Day: policy.DayOf(town.now, rome)})
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(a.Notes, " "); !strings.Contains(notes, "the devices 52:54:00:00:00:01 had no limits") || !a.Complete {
		t.Errorf("%q", a.Notes)
	}
}

// The hosts behind a site that all employees may reach are not in the journal, but that there may have been some is said.
func TestAGrantOfEmployeesOpensHostsToo(t *testing.T) {
	town := tributi(t)
	town.do(t, policy.RevokeGrants{Grants: []policy.GrantID{1}, Reason: "x"}) // of everyone, from the start
	town.now = at("2026-01-08 09:00")
	town.do(t, policy.AddGrants{Subject: policy.Subject{Role: policy.Employee}, Names: []string{"www.example.it"}, Protocol: "77/2026", Reason: "x"})
	a, err := town.ask(Question{Office: "tributi", Name: name("edge.cdn.net"), Day: policy.DayOf(town.now, rome)})
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(a.Notes, " "); a.Reached != Never || !strings.Contains(notes, "HTTPS and SVCB records point to") {
		t.Errorf("%s: %q", a.Reached, a.Notes)
	}
}

// Where a token was shown is not in the journal, but that its bearer had no limits is.
func TestATokenOfASeatIsNamed(t *testing.T) {
	town := tributi(t)
	town.do(t, policy.AddToken{ID: "casa", Hash: policy.Hash{1}, Seat: "dirigente"})
	a, err := town.ask(Question{Office: "tributi", Name: name("www.inps.it"), Day: policy.DayOf(town.now, rome)})
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(a.Notes, " "); !strings.Contains(notes, "who showed the tokens casa had no limits") || !a.Complete {
		t.Errorf("%q", a.Notes)
	}
}

// Fuzzing seals entries whose kinds and bodies are anybody's: whatever they hold, there is an answer or an error.
func FuzzAsk(f *testing.F) {
	for kind := range kinds {
		f.Add(kind, `{}`, "office.add", `{"id":"tributi","name":"x","networks":["10.0.0.0/8"],"version":1}`)
	}
	f.Add("office.add", `{"id":"tributi","name":"x","version":1}`, "grant.add", `{"grants":[{"id":"g-1","office":"tributi","service":"s","channel":"web","request":"r-1","created":"2026-01-01T00:00:00Z","version":2}]}`)
	f.Add("office.add", `{"id":"tributi","name":"x","version":1}`, "grant.add", `{"grants":[{"id":"g-1","office":"tributi","rule":".x.it","channel":"mail","from":"2026-03-04T10:00","request":"r-1","created":"2026-01-01T00:00:00Z","version":2}]}`)
	f.Add("seat.add", `{"seat":{"id":"s","office":"tributi","role":"manager"},"hosts":[{"addr":"::1","seats":[{"seat":"s"}]},null]}`, "office.add", `{"id":"tributi","name":"x","version":1}`)
	f.Add("service.add", `{"id":"s","rules":[{"rule":".it"}]}`, "catalog.install", `{"services":[null],"removed":["s"]}`)
	f.Fuzz(func(t *testing.T, kind1, body1, kind2, body2 string) {
		var head journal.Head
		var b bytes.Buffer
		for i, e := range []journal.Entry{{Kind: kind1, Body: json.RawMessage(body1)}, {Kind: kind2, Body: json.RawMessage(body2)}} {
			e.Time = time.Date(2026, 3, 4, i, 0, 0, 0, time.UTC)
			sealed, err := journal.Seal(head, e)
			if err != nil {
				return
			}
			head = sealed.Head()
			b.Write(append(sealed.Encode(), '\n'))
		}
		q := Question{Office: "tributi", Name: name("www.x.it"), Type: policy.TypeA, Day: "2026-03-04", Zone: rome}
		if a, err := Ask(&b, journal.Head{}, q); err == nil {
			if _, err := json.Marshal(a); err != nil || len(a.Stretches) == 0 {
				t.Fatalf("%v: %+v", err, a)
			}
		}
	})
}
