package policy

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rome is the town's clock.
var rome = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		panic(err)
	}
	return zone
}()

// at reads "2026-03-02 10:00" by the town's clock.
func at(text string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", text, rome)
	if err != nil {
		panic(err)
	}
	return t
}

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// name reads a name in presentation form.
func name(text string) Name {
	n, err := ParseName(text)
	if err != nil {
		panic(err)
	}
	return n
}

func rule(text string) Rule {
	r, _, err := ParseRule(text)
	if err != nil {
		panic(err)
	}
	return r
}

var clerk = Actor{UID: 1000, Name: "niccolo", PID: 4711, Via: "socket"}

// aTown is rules under change, with a clock of their own.
type aTown struct {
	*Live
	t     testing.TB
	store *memStore
	now   time.Time
}

var theSite = Town{Site: prefixes("10.20.0.0/16", "192.168.7.0/24", "2001:db8:20::/48"), Zone: rome}

// emptyTown is a town without rules, on Monday 2 March 2026, 10:00.
func emptyTown(t testing.TB) *aTown {
	t.Helper()
	town := &aTown{t: t, store: newMemStore(), now: at("2026-03-02 10:00")}
	town.Live = &Live{store: town.store, now: func() time.Time { return town.now }}
	if err := town.Reload(theSite); err != nil {
		t.Fatal(err)
	}
	return town
}

// newTown has three offices with networks and a manager's seat each.
func newTown(t testing.TB) *aTown {
	t.Helper()
	town := emptyTown(t)
	town.do(
		AddOffice{ID: "anagrafe", Name: "Ufficio Anagrafe", Networks: prefixes("10.20.1.0/24", "2001:db8:20:1::/64")},
		AddOffice{ID: "tributi", Name: "Ufficio Tributi", Networks: prefixes("10.20.2.0/24")},
		AddOffice{ID: "ced", Name: "Centro elaborazione dati", Networks: prefixes("10.20.0.0/16")},
		AddSeat{ID: "dirigente-anagrafe", Office: "anagrafe", Holder: "M. Rossi", From: "2025-09-01", Hosts: []netip.Addr{addr("10.20.1.9")}},
		AddSeat{ID: "dirigente-tributi", Office: "tributi", Holder: "M. Verdi", From: "2025-01-01", Hosts: []netip.Addr{addr("10.20.2.9")}},
		AddSeat{ID: "dirigente-ced", Office: "ced", Holder: "L. Neri", From: "2024-01-01"},
	)
	return town
}

// do makes changes that must succeed; each in a transaction of its own.
func (town *aTown) do(changes ...Change) (last any) {
	town.t.Helper()
	for _, c := range changes {
		made, err := town.Apply(clerk, c)
		if err != nil {
			town.t.Fatalf("%s: %v", c.Kind(), err)
		}
		last = made[0]
	}
	return last
}

var protocols = "0000000000"

// allow grants names to an office (or "everyone", or "role:server") with paperwork in order, then edited.
func (town *aTown) allow(to string, names string, edit ...func(*AddGrants)) []*Grant {
	town.t.Helper()
	c := AddGrants{Names: strings.Fields(names), Protocol: nextProtocol(), Reason: "verifica posizioni contributive"}
	switch {
	case to == "everyone":
		c.Everyone = true
	case strings.HasPrefix(to, "role:"):
		c.Role = Role(to[len("role:"):])
	default:
		c.Office = to
	}
	for _, e := range edit {
		e(&c)
	}
	return town.do(c).(GrantsAdded).Grants
}

// nextProtocol counts up a protocol number.
func nextProtocol() string {
	digits := []byte(protocols)
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i]++; digits[i] <= '9' {
			break
		}
		digits[i] = '0'
	}
	protocols = string(digits)
	return protocols + "/2026"
}

func mail(c *AddGrants) { c.Channel = Mail }

// decide judges a question of a client at the town's present time.
func (town *aTown) decide(client, question string, types ...Type) (Verdict, Name) {
	s := town.Snapshot()
	c := s.Who(addr(client), town.now)
	n := name(question)
	return s.Decide(&c, []byte(n), append(types, TypeA)[0], town.now), n
}

func (town *aTown) allows(client, question string, types ...Type) bool {
	v, _ := town.decide(client, question, types...)
	return v.Action == Allow
}

// refused makes a change that must be refused with the code and a message that has the piece, and leave all as it was.
func (town *aTown) refused(code Code, piece string, c Change) {
	town.t.Helper()
	before, stored := town.Snapshot(), town.store.dump()
	_, err := town.Apply(clerk, c)
	if err == nil {
		town.t.Fatalf("%s %+v was accepted; want a refusal with %q", c.Kind(), c, piece)
	}
	var refusal *Error
	if !errors.As(err, &refusal) {
		town.t.Fatalf("%s failed with %v; want a refusal", c.Kind(), err)
	}
	if refusal.Code != code || !strings.Contains(refusal.Error(), piece) {
		town.t.Errorf("%s was refused as %s: %q; want %s with %q", c.Kind(), refusal.Code, refusal.Error(), code, piece)
	}
	if town.Snapshot() != before || town.store.dump() != stored {
		town.t.Errorf("the refused %s changed something", c.Kind())
	}
}
