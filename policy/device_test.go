package policy

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestADeviceIsAHardwareAddressOrAHostName(t *testing.T) {
	for _, tc := range []struct{ text, id, wrong string }{
		{"52:54:00:12:34:56", "52:54:00:12:34:56", ""},
		{"52-54-00-AB-CD-EF", "52:54:00:ab:cd:ef", ""},
		{"5254.00ab.cdef", "52:54:00:ab:cd:ef", ""},
		{"525400abcdef", "52:54:00:ab:cd:ef", ""},
		{"PC-Segretario", "pc-segretario", ""},
		{"pc_01", "pc_01", ""},
		{"pc.comune.example.it", "", "has a domain"},
		{"01:00:5e:00:00:01", "", "no single machine"},
		{"00:00:00:00:00:00", "", "no single machine"},
		{"52:54:00:12:34:56:78:90", "", "8 octets"},
		{"", "", "neither"},
		{"-pc", "", "neither"},
		{"pc segretario", "", "neither"},
		{"52:54:00:12:34", "", "neither"},
		{strings.Repeat("a", 64), "", "neither"},
	} {
		id, err := ParseDevice(tc.text)
		if string(id) != tc.id || (err != nil) != (tc.wrong != "") || err != nil && !strings.Contains(err.Error(), tc.wrong) {
			t.Errorf("%q: %q, %v", tc.text, id, err)
		}
	}
}

func TestADeviceOfASeatIsKnownWhereItHasALease(t *testing.T) {
	town := newTown(t)
	const mac, other = DeviceID("52:54:00:00:00:01"), DeviceID("52:54:00:00:00:02")
	seen := func(at string, m Sighting) { town.See(Sightings{addr(at): m}) }
	who := func(at, want string) {
		t.Helper()
		c := town.Snapshot().Who(addr(at), town.now)
		office := ""
		if c.Office != nil {
			office = c.Office.ID
		}
		if got := strings.TrimSpace(strings.Join([]string{office, string(c.Role), c.Seat, string(c.Device)}, " ")); got != want {
			t.Errorf("%s is %q, not %q", at, got, want)
		}
	}
	const manager = "tributi manager dirigente-tributi 52:54:00:00:00:01"
	seen("10.20.1.77", Sighting{MAC: mac})
	who("10.20.1.77", "anagrafe employee")
	town.do(AddDevice{Device: mac, Seat: "dirigente-tributi"})
	who("10.20.1.77", manager) // the very next question
	who("10.20.1.78", "anagrafe employee")

	before := town.Snapshot()
	seen("10.20.1.77", Sighting{MAC: mac})
	if town.Snapshot() != before {
		t.Error("nothing moved, and the rules are others")
	}
	seen("10.20.2.77", Sighting{MAC: mac})
	who("10.20.1.77", "anagrafe employee")
	who("10.20.2.77", manager)

	seen("10.20.2.77", Sighting{MAC: mac, Until: town.now.Add(time.Hour)})
	who("10.20.2.77", manager)
	town.now = town.now.Add(time.Hour)
	who("10.20.2.77", "tributi employee")

	seen("10.20.2.77", Sighting{MAC: other, Host: "pc-dirigente"})
	who("10.20.2.77", "tributi employee")
	town.do(AddDevice{Device: "pc-dirigente", Seat: "dirigente-tributi", Name: "portatile"})
	who("10.20.2.77", "tributi manager dirigente-tributi pc-dirigente")
	seen("192.0.2.1", Sighting{MAC: mac})
	if c := town.Snapshot().Who(addr("192.0.2.1"), town.now); c.Inside || c.Seat != "" {
		t.Errorf("outside the site a device is somebody: %+v", c)
	}

	// An entry by address decides, if it says anything.
	seen("10.20.2.77", Sighting{MAC: mac})
	town.do(AddHost{Addr: addr("10.20.2.77"), Name: "stampante"})
	who("10.20.2.77", manager)
	town.do(RemoveHost{Addr: addr("10.20.2.77")}, AddHost{Addr: addr("10.20.2.77"), Office: "anagrafe"})
	who("10.20.2.77", "anagrafe employee")
	if at, own := town.Snapshot().Whereabouts(mac, town.now); len(at) != 0 || len(own) != 1 {
		t.Errorf("it is at %v, and at %v by name only", at, own)
	}
	town.do(RemoveHost{Addr: addr("10.20.2.77")})
	if at, own := town.Snapshot().Whereabouts(mac, town.now); len(at) != 1 || len(own) != 0 {
		t.Errorf("it is at %v, and at %v by name only", at, own)
	}

	// It stays known through a change of the settings, and goes with its entry or its seat.
	if err := town.Reload(Town{Site: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Zone: time.UTC}); err != nil {
		t.Fatal(err)
	}
	who("10.20.2.77", manager)
	town.do(RemoveDevice{Device: mac})
	who("10.20.2.77", "tributi employee")
	town.do(AddDevice{Device: mac, Seat: "dirigente-tributi"})
	town.do(RemoveSeat{Seat: "dirigente-tributi"})
	who("10.20.2.77", "tributi employee")
}

func TestADeviceBelongsToOneSeat(t *testing.T) {
	town := newTown(t)
	town.do(AddDevice{Device: "52:54:00:00:00:01", Seat: "dirigente-tributi"})
	for _, tc := range []struct {
		code   Code
		says   string
		change Change
	}{
		{Conflict, "is a device of the seat dirigente-tributi already", AddDevice{Device: "52:54:00:00:00:01", Seat: "dirigente-tributi"}},
		{Conflict, "is a device of the seat dirigente-tributi", AddDevice{Device: "52:54:00:00:00:01", Seat: "dirigente-anagrafe"}},
		{NotFound, "no seat", AddDevice{Device: "52:54:00:00:00:02", Seat: "nessuno"}},
		{Invalid, "neither", AddDevice{Device: "", Seat: "dirigente-tributi"}},
		{NotFound, "no device", RemoveDevice{Device: "52:54:00:00:00:09"}},
		{Conflict, "is a device of the seat dirigente-tributi", SetSeat{ID: "dirigente-anagrafe", Office: "anagrafe", Devices: []Device{{ID: "52:54:00:00:00:01"}}}},
	} {
		town.refused(tc.code, tc.says, tc.change)
	}
}
