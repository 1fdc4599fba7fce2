package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"usciere/cmd/usciere/settings"
	"usciere/policy"
)

// demoSettings are the defaults of serve --demo: a small town on loopback, where every 127.x.y.z is a workstation.
func demoSettings() settings.Settings {
	s := settings.Default()
	s.Town.Name = "Comune Demo"
	s.Town.Site = []netip.Prefix{netip.MustParsePrefix("127.10.0.0/16")}
	s.Listen = []string{"127.0.0.1:5300"}
	s.Admin.Group, s.Admin.Viewers = "", "" // whoever runs the demo changes it
	s.Sinkhole.Contact = "interno 100"
	s.Zones = []settings.Zone{{Name: "comune.demo.test", Records: []string{
		"@ A 127.0.0.1", "@ MX 10 posta", "intranet A 127.0.0.1", "posta A 127.0.0.1", "_imaps._tcp SRV 0 1 993 posta",
		"_submissions._tcp SRV 0 1 465 posta", "autoconfig CNAME posta",
	}}}
	if folder, err := s.StateFolder(); err == nil {
		s.State = demoFolder(folder)
	}
	return s
}

// demoFolder is where the demo keeps its state: beside that of a real town, never in it.
func demoFolder(state string) string { return filepath.Join(filepath.Dir(state), "usciere-demo") }

// demoOffices are the offices of the demo, by network; each has a manager's seat to sign for it. Two may ask for certified mail.
var demoOffices = []struct {
	id, name, network, manager string
	pec                        []policy.Ground
}{
	{"anagrafe", "Ufficio Anagrafe", "127.10.1.0/24", "M. Rossi", nil},
	{"tributi", "Ufficio Tributi", "127.10.2.0/24", "M. Verdi", nil},
	{"protocollo", "Ufficio Protocollo", "127.10.3.0/24", "L. Neri", []policy.Ground{policy.OutsideBodies}},
	{"avvocatura", "Avvocatura", "127.10.4.0/24", "G. Bianchi", []policy.Ground{policy.CourtActs}},
	{"cultura", "Ufficio Cultura", "127.10.5.0/24", "P. Gallo", nil},
}

// seedDemo makes the demo's rules, once.
func seedDemo(rules *policy.Live) error {
	s := rules.Snapshot()
	if s.Counts().Offices > 0 {
		if _, office, ok := s.NetworkOf(netip.MustParseAddr("127.10.1.5")); ok && office.ID == demoOffices[0].id {
			return nil
		}
		return fmt.Errorf("the state folder holds the rules of a real town\n  give the demo another one with --state DIR")
	}
	var changes []policy.Change
	for _, o := range demoOffices {
		manager := policy.AddSeat{ID: "dirigente-" + o.id, Name: "Dirigente " + o.name, Office: o.id, Holder: o.manager, From: "2025-09-01"}
		if o.id == "tributi" {
			manager.Hosts = []netip.Addr{netip.MustParseAddr("127.10.2.9")}
		}
		changes = append(changes, policy.AddOffice{
			ID: o.id, Name: o.name, Mailbox: o.id + "@comune.demo.test", Networks: []netip.Prefix{netip.MustParsePrefix(o.network)}, PEC: o.pec,
		}, manager)
	}
	grant := func(office, protocol, date, reason string, names ...string) {
		changes = append(changes, policy.AddGrants{
			Subject: policy.Subject{Office: office}, Names: names, Protocol: protocol, Date: policy.Moment(date), Reason: reason,
		})
	}
	grant("anagrafe", "12/2026", "2026-03-02", "verifica posizioni contributive per residenze", "inps")
	grant("anagrafe", "13/2026", "2026-03-02", "anagrafe nazionale e carta d'identità elettronica", "anpr", "cie")
	grant("tributi", "21/2026", "2026-03-16", "visure catastali e posizioni fiscali", "agenzia-entrate")
	grant("protocollo", "30/2026", "2026-04-01", "indice dei domicili digitali", "www.inipec.gov.it", "indicepa.gov.it")
	grant("protocollo", "31/2026", "2026-04-01", "posta certificata verso enti esterni", "pec")
	grant("avvocatura", "40/2026", "2026-04-20", "processo telematico", ".giustizia.it", "pec")
	_, err := rules.Apply(policy.Actor{UID: uint32(os.Getuid()), Name: "demo", PID: int32(os.Getpid()), Via: "system"}, changes...)
	if err != nil {
		return fmt.Errorf("make the demo's rules: %w", err)
	}
	return nil
}
