package policy

import (
	"strings"
	"testing"
)

func TestCertifiedMailIsToldByItsDomain(t *testing.T) {
	for address := range strings.FieldsSeq(`
		comune.massa@pec.it COMUNE@PEC.IT comune@postacert.toscana.it protocollo@pec.comune.example.it a@b.pec.comune.example.it
		protocollo@cert.comune.example.it comune@cert.ruparpiemonte.it comune@asmepec.it comune.x@legalmail.it x@avvocati.legalmail.it
		regione@certmail.regione.sicilia.it comune@actaliscertymail.it comune@pec-comune.it comune@comune-pec.example.it x@ingpec.eu
		a@b@pec.it x@mail.postecert.it x@pec.it.`) {
		if !CertifiedMailbox(address) {
			t.Errorf("%s is certified mail", address)
		}
	}
	for address := range strings.FieldsSeq(`
		anagrafe@comune.example.it pec@comune.example.it protocollo.pec@comune.example.it info@infospec.it info@pecora.it x@concert.it
		info@cert.it cert@comune.example.it info@csirt.cert.example.it x@cert-agid.gov.it x@xpec.it x@notpec.it pec.it @ x@ ufficio@aruba.it
		x@postacertx.it x@pecora-nera.it`) {
		if CertifiedMailbox(address) {
			t.Errorf("%s is no certified mail", address)
		}
	}
	seen := map[string]bool{}
	for _, known := range certifiedDomains {
		if seen[known.domain] || known.source == "" || !CertifiedMailbox("x@"+known.domain) || !CertifiedMailbox("x@a."+known.domain) || CertifiedMailbox("x@a"+known.domain) {
			t.Errorf("%s: twice, without a source, or not told", known.domain)
		}
		seen[known.domain] = true
	}
}

func TestAMailboxIsToldToBeAPersons(t *testing.T) {
	for _, tc := range []struct{ person, is, isNot string }{
		{"M. Rossi", "m.rossi rossi.m mrossi rossi M.Rossi mario.rossi rossi-mario m_rossi2 m.rossi+x", "anagrafe mrossini m.rossini r.mossi ufficio.rossini rossim.x rossi.anagrafe m"},
		{"Mario Rossi", "mario.rossi rossi.mario m.rossi mariorossi rossim rossi", "maria.rossi l.rossi ufficio.rossi mario.verdi"},
		{"Rossi Mario", "m.rossi mario.rossi rossi", "l.rossi"},
		{"Dott.ssa Maria Grazia De Luca", "maria.deluca mg.deluca mgdeluca m.de.luca deluca mariagrazia.deluca", "anagrafe g.luca.x"},
		{"Niccolò D'Angelò", "niccolo.dangelo n.dangelo dangelo", "angelo.x"},
		{"J. Müller", "j.muller muller", "j.mull"},
		{"Rossi", "rossi", "m.rossi"},
		{"h", "", "h h.h"},
		{"", "", "x"},
		{"U. Tecnico", "u.tecnico", "tecnica"},
	} {
		for local := range strings.FieldsSeq(tc.is) {
			if !PersonsMailbox(local+"@comune.example.it", tc.person) {
				t.Errorf("%s@ is of %q", local, tc.person)
			}
		}
		for local := range strings.FieldsSeq(tc.isNot) {
			if PersonsMailbox(local+"@comune.example.it", tc.person) {
				t.Errorf("%s@ is not of %q", local, tc.person)
			}
		}
	}
}

// R10, R12, R13: what a letter to an office is never sent to is no mailbox of an office.
func TestAnOfficesMailboxIsNeitherCertifiedNorAPersons(t *testing.T) {
	const point = "points a and c"
	mailbox := func(text string) ChangeOffice { return ChangeOffice{ID: "anagrafe", Mailbox: &text} }
	gallo := []Holder{{Name: "L. Gallo", From: "2026-01-01"}}
	before := func() *aTown {
		town := newTown(t)
		others := "l.gallo@comune.example.it" // nobody's yet
		town.do(
			ChangeOffice{ID: "tributi", Mailbox: &others},
			SetSeat{ID: "dirigente-anagrafe", Office: "anagrafe", Mailbox: "dirigente@comune.example.it", Holders: []Holder{
				{Name: "P. Marino", From: "2024-01-01", Until: "2025-08-31"}, {Name: "M. Rossi", From: "2025-09-01", Until: "2026-06-30"}, {Name: "Anna Bianchi", From: "2026-07-01"}}},
		)
		return town
	}
	for _, tc := range []struct {
		about  string
		change Change
		code   Code
		piece  string
	}{
		{"a new office with certified mail", AddOffice{ID: "sport", Name: "Sport", Mailbox: "sport@pec.comune.example.it"}, Invalid, point},
		{"an office that changes to certified mail", mailbox("comune@postacert.toscana.it"), Invalid, point},
		{"no address at all", mailbox("anagrafe"), Invalid, "no mail address"},
		{"the mailbox of a seat", mailbox("Dirigente@comune.example.it"), Conflict, "of the office anagrafe and of the seat dirigente-anagrafe"},
		{"the mailbox of another office's seat", AddOffice{ID: "sport", Name: "Sport", Mailbox: "dirigente@comune.example.it"}, Conflict, "point c"},
		{"the holder's", mailbox("m.rossi@comune.example.it"), Conflict, "named after M. Rossi, who holds the seat dirigente-anagrafe"},
		{"the holder's in full", mailbox("mario.rossi@comune.example.it"), Conflict, "point c"},
		{"the holder's to come", mailbox("bianchi.anna@comune.example.it"), Conflict, "named after Anna Bianchi"},
		{"a seat with an office's mailbox", AddSeat{ID: "vice", Office: "ced", Mailbox: "l.gallo@comune.example.it"}, Conflict, "point c"},
		{"a seat whose holder has the office's mailbox", AddSeat{ID: "vice", Office: "tributi", Holder: "Luigi Gallo"}, Conflict, "named after Luigi Gallo"},
		{"a holder who has the office's mailbox", AssignSeat{Seat: "dirigente-tributi", Holder: "L. Gallo"}, Conflict, "named after L. Gallo"},
		{"the same, written whole", SetSeat{ID: "dirigente-tributi", Office: "tributi", Holders: gallo}, Conflict, "named after L. Gallo"},
		{"a seat that comes to the office", SetSeat{ID: "dirigente-ced", Office: "tributi", Holders: gallo}, Conflict, "named after L. Gallo"},
		{"a seat with certified mail", AddSeat{ID: "vice", Office: "tributi", Mailbox: "m.verdi@pec.it"}, Invalid, "points a and d"},
		{"a seat that changes to certified mail", SetSeat{ID: "dirigente-tributi", Office: "tributi", Mailbox: "m.verdi@pec.it"}, Invalid, "points a and d"},
	} {
		t.Run(tc.about, func(t *testing.T) { before().refused(tc.code, tc.piece, tc.change) })
	}
	town := before()
	for _, fine := range []string{"p.marino@comune.example.it", "l.neri@comune.example.it", "anagrafe@comune.example.it", "pec@comune.example.it", ""} {
		town.do(mailbox(fine)) // a former holder's, another office's holder's
	}
	town.do(
		AddOffice{ID: "verde", Name: "Ufficio Verde pubblico", Mailbox: "verde@comune.example.it"},
		AddSeat{ID: "dirigente-verde", Office: "verde", Holder: "A. Verde", Mailbox: "a.verde@comune.example.it"}, // R13: a seat's may be a person's
		AssignSeat{Seat: "dirigente-ced", Holder: "L. Gallo"},
	)
}

// What was entered before it was refused goes on, and keeps no rotation from being one command.
func TestAMailboxThatStaysIsNotJudgedAgain(t *testing.T) {
	town := newTown(t)
	const old = "tributi@pec.comune.example.it"
	err := town.store.Update(func(tx Tx) error {
		o, _ := town.Snapshot().Office("tributi")
		s, _ := town.Snapshot().Seat("dirigente-tributi")
		certified, shared := *o, *s
		certified.Mailbox, shared.Mailbox = old, old
		if err := tx.Put(TableSeats, s.ID, &shared); err != nil {
			return err
		}
		return tx.Put(TableOffices, o.ID, &certified)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := town.Reload(theSite); err != nil {
		t.Fatal(err)
	}
	name := "Entrate"
	town.do(
		ChangeOffice{ID: "tributi", Name: &name}, AssignSeat{Seat: "dirigente-tributi", Holder: "P. Gallo"},
		SetSeat{ID: "dirigente-tributi", Office: "tributi", Name: "Dirigente", Mailbox: old},
	)
	mailbox := "protocollo@pec.comune.example.it"
	town.refused(Invalid, "points a and c", ChangeOffice{ID: "tributi", Mailbox: &mailbox})
}
