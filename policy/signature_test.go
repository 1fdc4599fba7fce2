package policy

import (
	"testing"
)

// signing is the catalog's service with other rules, as another version of the program may have it.
func signing(rules ...string) installCatalog {
	sv := Service{ID: Signature, Title: "Firma digitale", Channel: Web, Builtin: true}
	for _, text := range rules {
		sv.Rules = append(sv.Rules, ServiceRule{Rule: rule(text), Source: "x"})
	}
	return installCatalog{[]Service{sv}}
}

// R4: whoever holds a mail or PEC grant also reaches the signature infrastructure, by that grant, while it is in force.
func TestMailReachesTheSignatureInfrastructure(t *testing.T) {
	town := newTown(t)
	town.do(
		installCatalog{catalog()}, ChangeOffice{ID: "tributi", PEC: &[]Ground{OutsideBodies}}, AddHost{Addr: addr("10.20.1.25"), Role: Server},
		AddHost{Addr: addr("10.20.77.25"), Role: Server},
	)
	const stamp = "timestamp.infocert.it"
	reached := func(client string, want GrantID) {
		t.Helper()
		s := town.Snapshot()
		c := s.Who(addr(client), town.now)
		v, _ := town.decide(client, stamp)
		if v.Grant != want || want != 0 && (v.Action != Allow || v.Service.ID != Signature) {
			t.Errorf("%s: %s by %s, want %s", client, v.Action, v.Grant, want)
		}
		if is := s.Exists(&c, []byte(name("infocert.it"))); is != (want != 0) {
			t.Errorf("%s: a name above exists: %v", client, is)
		}
	}
	reached("10.20.1.5", 0)
	mailGrant := town.allow("anagrafe", "comune.example.it", mail, func(c *AddGrants) {
		c.Types, c.Schedule, c.Until = []Type{TypeMX}, "mon-fri 08:00-14:00", "2026-06-30"
	})[0]
	reached("10.20.1.5", mailGrant.ID)
	reached("10.20.1.25", mailGrant.ID) // a server of the office has what the office has
	reached("10.20.2.5", 0)
	if town.allows("10.20.1.5", "www.comune.example.it") || town.allows("10.20.1.5", "infocert.it", TypeMX) || town.allows("10.20.1.5", stamp, TypeMX) {
		t.Error("it opens more than the infrastructure")
	}
	pec := town.allow("tributi", "pec")[0]
	reached("10.20.2.5", pec.ID)
	if town.allows("10.20.1.5", "postecert.poste.it") {
		t.Error("mail opens a host of certified mail")
	}
	if v, _ := town.decide("10.20.2.5", "postecert.poste.it"); v.Service == nil || v.Service.ID != CertifiedMail || v.Grant != pec.ID {
		t.Errorf("%+v", v)
	}
	relay := town.allow("role:server", "example.org", mail)[0]
	reached("10.20.77.25", relay.ID)
	reached("10.20.77.5", 0)

	town.now = at("2026-03-02 15:00") // out of hours
	reached("10.20.2.5", pec.ID)
	s := town.Snapshot()
	c := s.Who(addr("10.20.1.5"), town.now)
	if v := s.Decide(&c, []byte(name(stamp)), TypeA, town.now); v.Action != Sinkhole {
		t.Errorf("open out of hours, by %s", v.Grant)
	}
	if id, ok := s.Dormant(&c, []byte(name(stamp)), TypeA, town.now); !ok || id != mailGrant.ID {
		t.Errorf("%s sleeps, want %s", id, mailGrant.ID)
	}
	if near := s.Nearby([]byte(name(stamp)), TypeA, town.now, 5); len(near) != 2 || near[0].Grant != pec.ID || near[1].Grant != relay.ID {
		t.Errorf("%+v", near)
	}
	town.now = at("2026-03-02 10:00")
	town.do(signing("tsa.example.com"))
	reached("10.20.1.5", 0)
	if v, _ := town.decide("10.20.1.5", "tsa.example.com"); v.Grant != mailGrant.ID {
		t.Errorf("after an update of the catalog: %s by %s", v.Action, v.Grant)
	}
	town.do(signing(stamp), RevokeGrants{Grants: []GrantID{mailGrant.ID}})
	reached("10.20.1.5", 0)
	reached("10.20.2.5", pec.ID)
}

// What comes with mail is no grant of the service: this can still be asked for, and the other way round.
func TestWhatComesWithMailIsNoGrantOfTheService(t *testing.T) {
	town := newTown(t)
	town.do(signing("tsa.example.com"))
	along := town.allow("anagrafe", "comune.example.it", mail)[0]
	own := town.allow("anagrafe", Signature)[0]
	town.refused(Conflict, "already has service firma-digitale: "+own.ID.String(), AddGrants{Subject: own.Subject, Names: []string{Signature}, Protocol: nextProtocol(), Reason: "x"})
	town.do(RevokeGrants{Grants: []GrantID{own.ID}})
	if v, _ := town.decide("10.20.1.5", "tsa.example.com"); v.Grant != along.ID {
		t.Errorf("%s by %s, want %s", v.Action, v.Grant, along.ID)
	}
	town.allow("anagrafe", Signature)
	town.do(RevokeGrants{Grants: []GrantID{along.ID}})
	if v, _ := town.decide("10.20.1.5", "tsa.example.com"); v.Grant == along.ID || v.Action != Allow {
		t.Errorf("%s by %s", v.Action, v.Grant)
	}
}

// A store whose grants are older than the service gets it with the next version of the program.
func TestMailGrantedBeforeTheServiceWasThereReachesItToo(t *testing.T) {
	for _, reload := range []bool{false, true} {
		town := newTown(t)
		id := town.allow("anagrafe", "comune.example.it", mail)[0].ID
		if reload {
			if err := town.Reload(theSite); err != nil {
				t.Fatal(err)
			}
		}
		if town.allows("10.20.1.5", "tsa.example.com") {
			t.Error("open without the service")
		}
		town.do(signing("tsa.example.com"))
		if v, _ := town.decide("10.20.1.5", "tsa.example.com"); v.Grant != id {
			t.Errorf("%s by %s, want %s", v.Action, v.Grant, id)
		}
		if n := town.Snapshot().services[Signature].used; n != 0 {
			t.Errorf("the service counts %d grants", n)
		}
	}
}

func TestTheSignatureInfrastructureIsFoundWithoutAllocating(t *testing.T) {
	town := newTown(t)
	town.do(signing("tsa.example.com"))
	town.allow("anagrafe", "comune.example.it", mail)
	s, asked := town.Snapshot(), []byte(name("tsa.example.com"))
	c := s.Who(addr("10.20.1.5"), town.now)
	if n := testing.AllocsPerRun(100, func() {
		if v := s.Decide(&c, asked, TypeA, town.now); v.Action != Allow {
			t.Fatal("not open")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
