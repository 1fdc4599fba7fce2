package officeload

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// Files of a folder written by Write.
const (
	SettingsFile  = "usciere.yaml"
	TownFile      = "town.yaml"
	Socket        = "admin.sock" // of the daemon, once it runs
	directoryFile = "directory.zone"
	reverseFile   = "reverse.zone"
)

// Write puts into a folder what a server must be set up with to serve the town: the settings, with where it listens and whom it asks,
// town.yaml for `usciere apply`, and the two local zones.
func (t *Town) Write(folder string, listen, upstream netip.AddrPort) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		SettingsFile:  settings(folder, listen, upstream),
		TownFile:      t.policy(),
		directoryFile: t.directory(),
		reverseFile:   t.reverse(),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func settings(folder string, listen, upstream netip.AddrPort) string {
	return fmt.Sprintf(`town:
  name: Comune del Carico
  site: [%s]
listen: ["%s"]
state: %q
admin: {socket: %q, group: "", viewers: ""}
upstream:
  servers: ["%s"]
zones:
  - {name: %s, file: %s}
  - {name: %s, file: %s}
sinkhole:
  addresses: [%s]
  contact: interno 100
`, Site, listen, filepath.Join(folder, "state"), filepath.Join(folder, Socket), upstream, Directory, directoryFile, Reverse, reverseFile, Page)
}

// policy is town.yaml: each office's domains rest on a letter of its manager, everyone's on one of the IT office.
func (t *Town) policy() string {
	var b bytes.Buffer
	b.WriteString("offices:\n")
	for _, o := range t.Offices {
		fmt.Fprintf(&b, "  %s: {name: %s, networks: [%s]}\n", o.ID, o.Name, o.Network)
	}
	b.WriteString("seats:\n")
	for _, o := range t.Offices {
		fmt.Fprintf(&b, "  dirigente-%s: {office: %s, role: manager, holders: [{name: M. Rossi, from: 2025-09-01}]}\n", o.ID, o.ID)
	}
	b.WriteString("grants:\n")
	request := "{protocol: 1/2026, date: 2026-01-07, seat: dirigente-" + t.Offices[0].ID + ", reason: siti di lavoro di tutti gli uffici}"
	grant := func(subject, what, request string) {
		fmt.Fprintf(&b, "  - {%s, %s, request: %s}\n", subject, what, request)
	}
	for _, id := range Services {
		grant("everyone: true", "service: "+id, request)
		request = "1/2026"
	}
	for _, d := range t.Everyone {
		grant("everyone: true", "rule: ."+d, request)
	}
	for i, o := range t.Offices {
		number := fmt.Sprintf("%d/2026", i+2)
		request := fmt.Sprintf("{protocol: %s, date: 2026-01-07, seat: dirigente-%s, reason: siti di lavoro}", number, o.ID)
		for _, d := range o.Domains {
			grant("office: "+o.ID, "rule: ."+d, request)
			request = number
		}
	}
	return b.String()
}

// directory is the zone of the Active Directory domain.
func (t *Town) directory() string {
	var b strings.Builder
	for i, name := range append(controllers, servers...) {
		fmt.Fprintf(&b, "%s A %s\n", name, lanAddr(i))
	}
	ports := map[string]int{"_ldap": 389, "_kerberos": 88, "_gc": 3268}
	for _, name := range locators {
		service, _, _ := strings.Cut(name, ".")
		for _, dc := range controllers {
			fmt.Fprintf(&b, "%s SRV 0 100 %d %s\n", name, ports[service], dc)
		}
	}
	for _, s := range t.Stations {
		fmt.Fprintf(&b, "%s A %s\n", s.Name, s.Addr)
	}
	return b.String()
}

// reverse is the reverse zone of the LAN.
func (t *Town) reverse() string {
	var b strings.Builder
	for _, s := range t.Stations {
		a := s.Addr.As4()
		fmt.Fprintf(&b, "%d.%d PTR %s.%s.\n", a[3], a[2], s.Name, Directory)
	}
	return b.String()
}
