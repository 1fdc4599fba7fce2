package policy

import (
	"net/netip"
	"testing"
)

func TestTheAddressSaysWhoAsks(t *testing.T) {
	town := newTown(t)
	town.do(
		AddNetwork{Office: "tributi", Network: netip.MustParsePrefix("10.20.1.128/25")},
		AddNetwork{Office: "tributi", Network: netip.MustParsePrefix("2001:db8:20:1:8000::/65")},
		AddHost{Addr: addr("10.20.1.50"), Office: "tributi"},
		AddHost{Addr: addr("10.20.0.25"), Role: Server, Name: "mail relay"},
		AddHost{Addr: addr("192.168.7.5"), Office: "anagrafe"},
		AddHost{Addr: addr("10.20.2.77"), Name: "printer"},
		AddHost{Addr: addr("2001:db8:20:1::9"), Seat: "dirigente-tributi"},
	)
	for _, tc := range []struct {
		about, addr string
		inside      bool
		office      string
		role        Role
		seat        string
	}{
		{"a workstation of its network's office", "10.20.1.5", true, "anagrafe", Employee, ""},
		{"the longest prefix wins", "10.20.1.200", true, "tributi", Employee, ""},
		{"the wide prefix takes the rest", "10.20.77.1", true, "ced", Employee, ""},
		{"IPv6 by longest prefix", "2001:db8:20:1::5", true, "anagrafe", Employee, ""},
		{"IPv6 by a longer prefix", "2001:db8:20:1:8000::5", true, "tributi", Employee, ""},
		{"an IPv4 address in IPv6 clothes is the IPv4 client", "::ffff:10.20.1.5", true, "anagrafe", Employee, ""},
		{"and the host of that address", "::ffff:10.20.1.50", true, "tributi", Employee, ""},
		{"a zone is no part of the address", "2001:db8:20:1::5%eth0", true, "anagrafe", Employee, ""},
		{"a host's own entry before its network", "10.20.1.50", true, "tributi", Employee, ""},
		{"a host's office where no network is", "192.168.7.5", true, "anagrafe", Employee, ""},
		{"a server in its network's office", "10.20.0.25", true, "ced", Server, ""},
		{"a host with only a name changes nothing", "10.20.2.77", true, "tributi", Employee, ""},
		{"a manager's workstation", "10.20.1.9", true, "anagrafe", Manager, "dirigente-anagrafe"},
		{"a seat's office before the network's", "2001:db8:20:1::9", true, "tributi", Manager, "dirigente-tributi"},
		{"inside the site, in no office", "192.168.7.6", true, "", Employee, ""},
		{"inside the site by IPv6, in no office", "2001:db8:20:99::1", true, "", Employee, ""},
		{"outside the site", "192.0.2.1", false, "", Employee, ""},
		{"outside by IPv6", "2001:db8:21::1", false, "", Employee, ""},
		{"the unspecified address", "0.0.0.0", false, "", Employee, ""},
	} {
		t.Run(tc.about, func(t *testing.T) {
			c := town.Snapshot().Who(addr(tc.addr), town.now)
			office := ""
			if c.Office != nil {
				office = c.Office.ID
			}
			if c.Inside != tc.inside || office != tc.office || c.Role != tc.role || c.Seat != tc.seat {
				t.Errorf("%s: inside %v, office %q, role %s, seat %q", tc.addr, c.Inside, office, c.Role, c.Seat)
			}
		})
	}
	if c := town.Snapshot().Who(netip.Addr{}, town.now); c.Inside || c.Office != nil {
		t.Error("no address at all is inside the site")
	}
}

// R9, R12: the role belongs to the seat, and comes and goes with the days the workstation is bound to it.
func TestASeatsWorkstationsChangeByDate(t *testing.T) {
	town := newTown(t)
	town.do(
		AssignSeat{Seat: "dirigente-tributi", Holder: "A. Bianchi", From: "2026-12-01", Hosts: []netip.Addr{addr("10.20.2.31")}},
	)
	for _, tc := range []struct {
		about, client, at string
		role              Role
	}{
		{"before the seat was entered", "10.20.2.9", "2024-12-31 23:59", Employee},
		{"the old workstation before the rotation", "10.20.2.9", "2026-11-30 23:59", Manager},
		{"the old workstation after it", "10.20.2.9", "2026-12-01 00:00", Employee},
		{"the new workstation before it", "10.20.2.31", "2026-11-30 23:59", Employee},
		{"the new workstation after it", "10.20.2.31", "2026-12-01 00:00", Manager},
	} {
		if c := town.Snapshot().Who(addr(tc.client), at(tc.at)); c.Role != tc.role || c.Office.ID != "tributi" {
			t.Errorf("%s: role %s in %s", tc.about, c.Role, c.Office.ID)
		}
	}
	seat, _ := town.Snapshot().Seat("dirigente-tributi")
	for day, want := range map[Moment]string{"2024-12-31": "", "2025-01-01": "M. Verdi", "2026-11-30": "M. Verdi", "2026-12-01": "A. Bianchi"} {
		if h, _ := seat.HolderOn(day); h.Name != want {
			t.Errorf("on %s the seat was held by %q; want %q", day, h.Name, want)
		}
	}
}

func TestAnEmployeeOfAnOfficeStandsForIt(t *testing.T) {
	town := newTown(t)
	if c, ok := town.Snapshot().Employee("tributi"); !ok || !c.Inside || c.Role != Employee || c.Office.ID != "tributi" {
		t.Errorf("%+v, %v", c, ok)
	}
	if _, ok := town.Snapshot().Employee("nobody"); ok {
		t.Error("an employee of an unknown office")
	}
}

func TestNetworksAreFoundWithTheirOwners(t *testing.T) {
	town := newTown(t)
	s := town.Snapshot()
	if p, o, ok := s.NetworkOf(addr("::ffff:10.20.1.5")); !ok || p.String() != "10.20.1.0/24" || o.ID != "anagrafe" {
		t.Errorf("%s of %v, %v", p, o, ok)
	}
	if _, _, ok := s.NetworkOf(addr("192.0.2.1")); ok {
		t.Error("an address outside has a network")
	}
	if err := town.Reload(Town{Site: prefixes("10.20.1.0/24"), Zone: rome}); err != nil {
		t.Fatal(err)
	}
	if out := town.Snapshot().NetworksOutside(); len(out) != 3 {
		t.Errorf("outside the smaller site lie %v; want 10.20.0.0/16, 10.20.2.0/24 and the IPv6 prefix", out)
	}
	if c := town.Snapshot().Who(addr("10.20.2.5"), town.now); c.Inside {
		t.Error("a network outside the site of the new settings is inside")
	}
}
