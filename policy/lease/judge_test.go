package lease

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"usciere/policy"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func TestWhatIsInDoubtIsNobodys(t *testing.T) {
	const one, two = policy.DeviceID("52:54:00:00:00:01"), policy.DeviceID("52:54:00:00:00:02")
	addr := netip.MustParseAddr
	sight := func(at string, mac policy.DeviceID, host policy.DeviceID, since, until time.Duration) Sight {
		s := Sight{Lease: Lease{Addr: addr(at), MAC: mac, Host: host, Until: noon.Add(until)}, Source: "test"}
		if since != 0 {
			s.Since = noon.Add(since)
		}
		return s
	}
	logged := func(s Sight, order int) Sight { s.order = order; return s }
	for _, tc := range []struct {
		about  string
		sights []Sight
		near   neighbours
		want   string
	}{
		{"a lease", []Sight{sight("10.0.0.1", one, "pc", 0, time.Hour)}, nil, "10.0.0.1 52:54:00:00:00:01 pc"},
		{"a lease that is over", []Sight{sight("10.0.0.1", one, "pc", 0, 0)}, nil, ""},
		{"two machines at one address", []Sight{sight("10.0.0.1", one, "pc", 0, time.Hour), sight("10.0.0.1", two, "pc2", 0, 2*time.Hour)}, nil,
			"10.0.0.1 52:54:00:00:00:01 pc contested: 2 machines, 10.0.0.1 52:54:00:00:00:02 pc2 contested: 2 machines"},
		{"two servers of one mind", []Sight{sight("10.0.0.1", one, "pc", 0, time.Hour), sight("10.0.0.1", one, "pc", 0, 2*time.Hour)}, nil, "10.0.0.1 52:54:00:00:00:01 pc"},
		{"it moved, as when it spoke says", []Sight{sight("10.0.0.1", one, "pc", -time.Hour, 9*time.Hour), sight("10.0.1.1", one, "pc", -time.Minute, time.Hour)}, nil,
			"10.0.0.1 52:54:00:00:00:01 pc moved to 10.0.1.1, 10.0.1.1 52:54:00:00:00:01 pc"},
		{"it moved, as the ends say", []Sight{sight("10.0.0.1", one, "pc", 0, time.Hour), sight("10.0.1.1", one, "pc", 0, 2*time.Hour)}, nil,
			"10.0.0.1 52:54:00:00:00:01 pc moved to 10.0.1.1, 10.0.1.1 52:54:00:00:00:01 pc"},
		{"it is in two places at once", []Sight{sight("10.0.0.1", one, "pc", -time.Minute, time.Hour), sight("10.0.1.1", one, "pc", -time.Minute, time.Hour)}, nil,
			"10.0.0.1 52:54:00:00:00:01 pc contested: the machine, 10.0.1.1 52:54:00:00:00:01 pc contested: the machine"},
		{"it moved within a second, as the log says", []Sight{logged(sight("10.0.0.1", one, "", -time.Hour, time.Hour), 2), logged(sight("10.0.1.1", one, "", -time.Hour, time.Hour), 1)}, nil,
			"10.0.0.1 52:54:00:00:00:01 , 10.0.1.1 52:54:00:00:00:01  moved to 10.0.0.1"},
		{"moved to where another is", []Sight{sight("10.0.0.1", one, "", -time.Hour, time.Hour), sight("10.0.1.1", one, "", -time.Minute, time.Hour), sight("10.0.1.1", two, "", -time.Minute, time.Hour)}, nil,
			"10.0.0.1 52:54:00:00:00:01  moved to 10.0.1.1, 10.0.1.1 52:54:00:00:00:01  contested: 2 machines, 10.0.1.1 52:54:00:00:00:02  contested: 2 machines"},
		{"an address of each family", []Sight{sight("10.0.0.1", one, "pc", 0, time.Hour), sight("fd00::1", one, "pc", 0, time.Hour)}, nil,
			"10.0.0.1 52:54:00:00:00:01 pc, fd00::1 52:54:00:00:00:01 pc"},
		{"a name of two machines", []Sight{sight("10.0.0.1", one, "pc", 0, time.Hour), sight("10.0.0.2", two, "pc", 0, time.Hour)}, nil,
			"10.0.0.1 52:54:00:00:00:01 , 10.0.0.2 52:54:00:00:00:02 "},
		{"a name of two machines that are not known", []Sight{sight("10.0.0.1", "", "pc", 0, time.Hour), sight("10.0.0.2", "", "pc", 0, time.Hour)}, nil,
			"10.0.0.1  , 10.0.0.2  "},
		{"another machine answers at the address", []Sight{sight("10.0.0.1", one, "pc", 0, time.Hour)}, neighbours{addr("10.0.0.1"): {two, true}},
			"10.0.0.1 52:54:00:00:00:01 pc contested: the machine at the address is 52:54:00:00:00:02"},
		{"another machine answered at the address once", []Sight{sight("10.0.0.1", one, "pc", 0, time.Hour)}, neighbours{addr("10.0.0.1"): {two, false}}, "10.0.0.1 52:54:00:00:00:01 pc"},
		{"temporary addresses", []Sight{sight("10.0.0.1", one, "pc", 0, time.Hour)}, neighbours{addr("fd00::a"): {one, false}, addr("fd00::b"): {one, true}, addr("10.0.0.9"): {two, true}},
			"10.0.0.1 52:54:00:00:00:01 pc, fd00::a 52:54:00:00:00:01 pc, fd00::b 52:54:00:00:00:01 pc"},
	} {
		t.Run(tc.about, func(t *testing.T) {
			var got []string
			for _, s := range judge(tc.sights, tc.near, noon) {
				text := strings.TrimPrefix(fmt.Sprintf("%s %s %s", s.Addr, s.MAC, s.Host), "invalid")
				if s.Against != "" {
					text += " " + s.Against
				}
				for _, longer := range []string{" have leases of the address", " has leases of more than one address, and which is the newest cannot be told"} {
					text = strings.TrimSuffix(text, longer)
				}
				got = append(got, text)
			}
			if text := strings.Join(got, ", "); text != tc.want {
				t.Errorf("got  %s\nwant %s", text, tc.want)
			}
			for addr, m := range sightings(judge(tc.sights, tc.near, noon)) {
				if m.MAC == "" && m.Host == "" && len(tc.near) > 0 {
					t.Errorf("%s is nobody", addr)
				}
			}
		})
	}
}
