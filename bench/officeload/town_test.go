package officeload

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheTownIsAsDocumented(t *testing.T) {
	town := New(1)
	if n := len(town.Offices); n != 60 {
		t.Errorf("%d offices", n)
	}
	if n := len(town.Stations); n != 2000 {
		t.Errorf("%d workstations", n)
	}
	addrs := map[netip.Addr]bool{}
	sizes := []int{}
	for _, o := range town.Offices {
		sizes = append(sizes, len(o.Stations))
		for _, s := range o.Stations {
			if !o.Network.Contains(s.Addr) || !Site.Contains(s.Addr) || addrs[s.Addr] {
				t.Errorf("%s has %s, which is another's or not in %s", s.Name, s.Addr, o.Network)
			}
			addrs[s.Addr] = true
		}
	}
	if least, most := slices.Min(sizes), slices.Max(sizes); least < 8 || most < 2*least || most > 200 {
		t.Errorf("offices of %d to %d workstations", least, most)
	}
	domains := map[string]bool{}
	for _, d := range town.domains {
		domains[d] = true
	}
	if len(domains) != 500 {
		t.Errorf("%d granted domains", len(domains))
	}
	octets := 0
	for _, h := range town.Offices[0].reach {
		octets += len(h.granted[0].Name)
	}
	if mean := octets / len(town.Offices[0].reach); mean < 14 || mean > 22 {
		t.Errorf("names are %d octets long", mean)
	}
}

// covered says slowly whether a name is at or below one of the domains.
func covered(name string, domains []string) bool {
	return slices.ContainsFunc(domains, func(d string) bool { return name == d || strings.HasSuffix(name, "."+d) })
}

func TestTheVerdictOfAQuestionIsThatOfItsOfficesGrants(t *testing.T) {
	town := New(2)
	seen := map[Kind]int{}
	for _, e := range town.Events(Play{From: Clock(10, 0), To: Clock(10, 1)}) {
		q, o := e.Question, e.Station.Office
		if slices.Contains(background, q.Name) || slices.Contains(telemetry, q.Name) {
			continue // the services are the server's own
		}
		granted := covered(q.Name, town.Everyone) || covered(q.Name, o.Domains)
		if isLocal := q.Kind == Local; !isLocal && granted == (q.Kind == Blocked) {
			t.Fatalf("%s asks %s: %s, and granted is %v", o.ID, q.Name, q.Kind, granted)
		}
		if q.Kind == Blocked && covered(q.Name, town.domains) {
			seen[Flood]++ // granted, but to others: counted where there is no flood
		}
		seen[q.Kind]++
	}
	for _, k := range []Kind{Cached, Blocked, Cold, Local, Flood} {
		if seen[k] == 0 {
			t.Errorf("no question of %s in %v", k, seen)
		}
	}
}

func TestWhatIsWrittenNamesAllThereIs(t *testing.T) {
	town := New(1)
	folder := t.TempDir()
	if err := town.Write(folder, netip.MustParseAddrPort("127.0.0.1:5353"), netip.MustParseAddrPort("127.0.0.1:5354")); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		file, line string
		want       int
	}{
		{TownFile, ", networks: [127.20.", 60},
		{TownFile, "rule: .", 200 + 60*10},
		{TownFile, "everyone: true, service: ", 5},
		{SettingsFile, `servers: ["127.0.0.1:5354"]`, 1},
		{SettingsFile, `listen: ["127.0.0.1:5353"]`, 1},
		{directoryFile, "pc-", 2000},
		{reverseFile, " PTR pc-", 2000},
	} {
		text, err := os.ReadFile(filepath.Join(folder, tc.file))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), tc.line); n != tc.want {
			t.Errorf("%s has %q %d times; want %d", tc.file, tc.line, n, tc.want)
		}
	}
}

func TestUpstreamGivesEveryNameAnAddressAndSomeTwo(t *testing.T) {
	town := New(1)
	six := 0
	for _, h := range town.blocked {
		name := h.blocked[0].Name
		if a := Upstream(name, A); !a.Is4() {
			t.Fatalf("%s has %s", name, a)
		}
		if Upstream(name, HTTPS).IsValid() {
			t.Fatalf("%s has an HTTPS record", name)
		}
		if Upstream(name, AAAA).IsValid() {
			six++
		}
	}
	if share := float64(six) / blockedNames; share < 0.38 || share > 0.42 {
		t.Errorf("%.2f of the names have IPv6 addresses; want 0.40", share)
	}
}
