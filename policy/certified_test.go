package policy

import (
	"slices"
	"strings"
	"testing"
)

// certifiedTown has the built-in services; tributi writes to outside bodies and takes their acts, ced is the legal office.
func certifiedTown(t testing.TB) *aTown {
	town := newTown(t)
	town.do(
		installCatalog{catalog()},
		ChangeOffice{ID: "tributi", PEC: &[]Ground{ActsOfOutsiders, OutsideBodies}}, ChangeOffice{ID: "ced", PEC: &[]Ground{CourtActs}},
		AddService{ID: "pec-regione", Channel: Mail, PEC: true, Rules: []ServiceRule{{Rule: rule(".pec.example.it"), Source: "x"}}},
		AddService{ID: "posta", Channel: Mail, Rules: []ServiceRule{{Rule: rule("x.example.it"), Source: "x"}}},
	)
	return town
}

func TestCertifiedMailIsGrantedOnAGroundThatFits(t *testing.T) {
	for _, tc := range []struct {
		about, names, protocol string
		to                     Subject
		ground                 Ground
		want                   Ground // empty: refused, with
		code                   Code
		piece                  string
	}{
		{"the ground that is named", "pec-regione", "1/2026", Subject{Office: "tributi"}, ActsOfOutsiders, ActsOfOutsiders, "", ""},
		{"the office's only ground", "pec", "1/2026", Subject{Office: "ced"}, "", CourtActs, "", ""},
		{"a service of the town's own", "pec-regione www.example.it", "1/2026", Subject{Office: "ced"}, "", CourtActs, "", ""},
		{"a request that has a ground goes on with it", "pec-regione", "77/2026", Subject{Office: "tributi"}, "", OutsideBodies, "", ""},
		{"one of several must be named", "pec", "1/2026", Subject{Office: "tributi"}, "", "", Invalid, "name it with --ground: outside-bodies, acts-of-outside-bodies"},
		{"an office without grounds", "pec", "1/2026", Subject{Office: "anagrafe"}, "", "", Invalid, "anagrafe has no ground for certified mail: certified mail is for writing to outside bodies, never between offices (directive on certified mail, point a)\n  if it writes to outside bodies, record that it may: `usciere office change anagrafe --pec outside-bodies`"},
		{"outside bodies, to whom it does not write", "pec", "1/2026", Subject{Office: "anagrafe"}, OutsideBodies, "", Invalid, "point a)\n  if it does, record that it may: `usciere office change anagrafe --pec outside-bodies`"},
		{"acts of outside bodies that do not concern it", "pec", "1/2026", Subject{Office: "ced"}, ActsOfOutsiders, "", Invalid, "point b.2)\n  if it does, record that it may: `usciere office change ced --pec court-acts,acts-of-outside-bodies`"},
		{"court acts, which are another's", "pec", "1/2026", Subject{Office: "tributi"}, CourtActs, "", Invalid, "point b.1), which is ced"},
		{"everyone", "pec", "1/2026", Subject{Everyone: true}, "", "", Invalid, "cannot be for a role or everyone"},
		{"employees", "pec", "1/2026", Subject{Role: Employee}, "", "", Invalid, "cannot be for a role or everyone"},
		{"servers of all offices", "pec", "1/2026", Subject{Role: Server}, OutsideBodies, "", Invalid, "cannot be for a role or everyone: certified mail is for writing to outside bodies, never between offices (directive on certified mail, point a)"},
		{"a ground of what is no certified mail", "posta", "1/2026", Subject{Office: "tributi"}, OutsideBodies, "", Invalid, "is for certified mail, and none is asked for"},
		{"a ground that there is not", "pec", "1/2026", Subject{Office: "tributi"}, "because", "", Invalid, "no ground for certified mail"},
		{"another ground than the request's", "pec-regione", "77/2026", Subject{Office: "tributi"}, ActsOfOutsiders, "", Conflict, "already a request on another ground: outside-bodies"},
	} {
		t.Run(tc.about, func(t *testing.T) {
			town := certifiedTown(t)
			town.do(AddGrants{Subject: Subject{Office: "tributi"}, Names: []string{"pec"}, Ground: OutsideBodies, Protocol: "77/2026", Reason: "x"})
			change := AddGrants{Subject: tc.to, Names: strings.Fields(tc.names), Ground: tc.ground, Protocol: tc.protocol}
			if tc.protocol != "77/2026" {
				change.Reason = "x"
			}
			if tc.want == "" {
				town.refused(tc.code, tc.piece, change)
				return
			}
			if q := town.do(change).(GrantsAdded).Request; q.Ground != tc.want {
				t.Errorf("the request has the ground %q", q.Ground)
			}
		})
	}
}

// A request on its way was checked when it was made; its office may have lost the ground since.
func TestAGroundIsCheckedWhenTheGrantIsOpenedToo(t *testing.T) {
	town := certifiedTown(t)
	open := func(names ...string) Change {
		return opening{AddGrants{Subject: Subject{Office: "ced"}, Names: names}, Request{Protocol: "5/2026", Date: "2026-03-01", Office: "ced", Reason: "x", Ground: CourtActs, State: Approved}}
	}
	town.do(open("pec"), open("www.example.it")) // part of what was asked, without certified mail, needs no ground
	town.do(RevokeGrants{Grants: []GrantID{1}, Reason: "x"}, ChangeOffice{ID: "ced", PEC: new([]Ground)})
	town.refused(Invalid, "point b.1", open("pec"))
}

// opening opens grants on a request that it makes.
type opening struct {
	AddGrants
	q Request
}

func (c opening) Apply(e *Edit) (Made, error) {
	q, err := e.PutRequest(c.q)
	if err != nil {
		return Made{}, err
	}
	wanted, _, err := e.Wanted(&c.AddGrants)
	if err != nil {
		return Made{}, err
	}
	grants, err := e.Open(wanted, q)
	return Made{Body: grants}, err
}

func TestAnOfficesGroundsAreChecked(t *testing.T) {
	town := certifiedTown(t)
	sport := AddOffice{ID: "sport", Name: "Sport"}
	with := func(grounds ...Ground) AddOffice { sport.PEC = grounds; return sport }
	town.refused(Conflict, "ced has the ground court-acts already: acts of courts go to the legal office", with(CourtActs))
	town.refused(Conflict, "`usciere office change ced --pec \"\"`", ChangeOffice{ID: "anagrafe", PEC: &[]Ground{OutsideBodies, CourtActs}})
	town.refused(Invalid, "no ground", with("because"))
	town.refused(Invalid, "empty", with(""))
	made := town.do(with(ActsOfOutsiders, OutsideBodies, ActsOfOutsiders)).(*Office)
	if want := []Ground{OutsideBodies, ActsOfOutsiders}; !slices.Equal(made.PEC, want) {
		t.Errorf("%v, want %v", made.PEC, want)
	}
	name := "Sport e tempo libero"
	if o := town.do(ChangeOffice{ID: "sport", Name: &name}).(*Office); len(o.PEC) != 2 {
		t.Errorf("another name took the grounds: %v", o.PEC)
	}
	town.do(ChangeOffice{ID: "ced", PEC: new([]Ground)}, ChangeOffice{ID: "anagrafe", PEC: &[]Ground{CourtActs}})
}

func TestAGroundStaysWhileAGrantRestsOnIt(t *testing.T) {
	town := certifiedTown(t)
	grants := town.allow("tributi", "pec posta", func(c *AddGrants) { c.Ground, c.Until = OutsideBodies, "2026-12-31" })
	lose := ChangeOffice{ID: "tributi", PEC: &[]Ground{ActsOfOutsiders}}
	town.refused(Conflict, "grant "+grants[0].ID.String()+" of tributi (service pec", lose)
	town.do(ChangeOffice{ID: "tributi", PEC: &[]Ground{OutsideBodies}}) // nothing rests on the other
	town.now = at("2027-01-01 00:00")
	town.do(ChangeOffice{ID: "tributi", PEC: new([]Ground)}, ChangeOffice{ID: "tributi", PEC: &[]Ground{OutsideBodies}})
	grants = town.allow("tributi", "pec")
	town.refused(Conflict, "`usciere grant revoke "+grants[0].ID.String()+"`", ChangeOffice{ID: "tributi", PEC: new([]Ground)})
	town.do(RevokeGrants{Grants: []GrantID{grants[0].ID}}, ChangeOffice{ID: "tributi", PEC: new([]Ground)})
}

// R10: its hosts are open to those alone that have a ground, whatever else is granted.
func TestNoDomainRuleOpensCertifiedMail(t *testing.T) {
	town := certifiedTown(t)
	allow := func(names ...string) AddGrants {
		return AddGrants{Subject: Subject{Office: "tributi"}, Names: names, Protocol: "9/2026", Reason: "x"}
	}
	for _, text := range []string{"webmail.pec.it", "pec.it", ".pec.it", "*.legalmail.it", ".aruba.it", "*.pec.aruba.it", "postecert.poste.it"} {
		for _, channel := range []Channel{Web, Mail} {
			c := allow("www.example.it", text)
			c.Channel = channel
			town.refused(Invalid, "certified mail", c)
		}
		town.refused(Invalid, "certified mail", AddService{ID: "nuovo", Channel: Mail, Rules: []ServiceRule{{Rule: rule(text), Source: "x"}}})
	}
	town.refused(Invalid, "certified mail", AddGrants{Subject: Subject{Everyone: true}, Names: []string{".aruba.it"}, Protocol: "9/2026", Reason: "x"})
	town.do(allow("www.aruba.it", "*.aruba.example", "poste.it"))
	// Nor does calling a host certified mail leave it open to who has it already.
	provider := AddService{ID: "pec-fornitore", PEC: true, Channel: Mail, Rules: []ServiceRule{{Rule: rule("webmail.aruba.example"), Source: "x"}}}
	town.refused(Conflict, "of tributi opens *.aruba.example", provider)
	town.do(AddService{ID: "altro", Channel: Web, Rules: []ServiceRule{{Rule: rule(".fornitore.example"), Source: "x"}}})
	provider.Rules[0].Rule = rule("webmail.fornitore.example")
	town.refused(Conflict, "service altro opens .fornitore.example", provider)
	town.do(RemoveService{ID: "altro"}, provider)
	for _, sv := range catalog() {
		for _, r := range sv.Rules {
			if err := checkUncertified(r.Rule, town.Snapshot().certifiedRules("")); err != nil && !sv.PEC {
				t.Errorf("service %s: %v", sv.ID, err)
			}
		}
	}
}

func TestAServiceOfCertifiedMailIsOfMailAndStaysWhatItIsWhileGranted(t *testing.T) {
	town := certifiedTown(t)
	own := AddService{ID: "pec-regione", Replace: true, Channel: Mail, Rules: []ServiceRule{{Rule: rule(".pec.example.it"), Source: "x"}}}
	town.refused(Invalid, "which is of the channel mail", AddService{ID: "nuovo", PEC: true, Rules: own.Rules})
	town.do(own)
	town.allow("anagrafe", "pec-regione") // any office: it is certified mail no more
	own.PEC = true
	town.refused(Conflict, "on a ground of its own", own)
	if sv, _ := town.Snapshot().Service(CertifiedMail); !sv.PEC {
		t.Error("the built-in service is no certified mail")
	}
}

func TestGroundsAreReadWithCommas(t *testing.T) {
	for text, want := range map[string][]Ground{
		"": {}, " , ": {}, "court-acts": {CourtActs}, "court-acts, outside-bodies,court-acts": {CourtActs, OutsideBodies, CourtActs},
	} {
		if got, err := ParseGrounds(text); err != nil || got == nil || !slices.Equal(got, want) {
			t.Errorf("%q: %#v, %v", text, got, err)
		}
	}
	if _, err := ParseGrounds("court-acts,because"); !IsCode(err, Invalid) {
		t.Errorf("%v", err)
	}
}
