package ipa

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"usciere/policy"
	"usciere/policy/town"
)

const dataset = `Codice_IPA,Denominazione_ente,Codice_uni_uo,Codice_uni_uo_padre,Descrizione_uo,Nome_responsabile,Cognome_responsabile,Mail_responsabile,Mail1,Tipo_Mail1,Mail2,Tipo_Mail2,Mail3,Tipo_Mail3
c_f023,Comune di Massa,A1B2C3,,Ufficio Anagrafe e Città,Mario,Rossi,m.rossi@comune.example.it,anagrafe@pec.example.it,Pec,m.rossi@comune.example.it,Altro,Anagrafe@comune.example.it,Altro
c_f023,Comune di Massa,D4E5F6,A1B2C3,"Tributi, entrate",,,,tributi@comune.example.it,Altro,,,,
c_f023,Comune di Massa,G7H8I9,,Protocollo,Anna,Verdi,a.verdi@comune.example.it,protocollo@pec.example.it,Pec,,,,
c_f023,Comune di Massa,,,Senza codice,,,,,,,,,
c_f023,Comune di Massa,G7H8I9,,Protocollo di nuovo,,,,,,,,,
`

func read(t *testing.T, text, body string) []Unit {
	t.Helper()
	units, err := Read(strings.NewReader(text), body)
	if err != nil {
		t.Fatal(err)
	}
	return units
}

func TestTheMailboxIsNeitherAPersonsNorCertified(t *testing.T) {
	var got []string
	for _, u := range read(t, dataset, "") {
		got = append(got, u.Mailbox)
	}
	if want := []string{"anagrafe@comune.example.it", "tributi@comune.example.it", "", "", ""}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTheDataSetIsReadInEveryDress(t *testing.T) {
	want := read(t, dataset, "")
	semicolons := strings.ReplaceAll(strings.ReplaceAll(dataset, `"Tributi, entrate"`, "Tributi! entrate"), ",", ";")
	for about, text := range map[string]string{
		"with a byte order mark":       "\ufeff" + dataset,
		"with lines that end in CR LF": strings.ReplaceAll(dataset, "\n", "\r\n"),
		"with semicolons":              strings.ReplaceAll(semicolons, "!", ","),
		"in Latin-1":                   strings.ReplaceAll(dataset, "à", "\xe0"),
		"of several bodies":            dataset + "c_h501,Comune di Roma,Z9Z9Z9,,Ufficio,,,,,,,,,\n",
	} {
		if got := read(t, text, "C_F023"); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v", about, got)
		}
	}
}

func TestWhatIsNoDataSetIsRefused(t *testing.T) {
	for _, test := range []struct{ about, text, body, says string }{
		{"nothing", "", "", "no row of column names"},
		{"another file", "a,b\n1,2\n", "", "no column codice_ipa"},
		{"several bodies", dataset + "c_h501,Comune di Roma,Z9Z9Z9,,Ufficio,,,,,,,,,\n", "", "choose one with --ente"},
		{"a body that is not in it", dataset, "c_h501", `no unit of the body "c_h501"`},
	} {
		t.Run(test.about, func(t *testing.T) {
			if _, err := Read(strings.NewReader(test.text), test.body); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
		})
	}
}

// told is the rows in short.
func told(rows []Row) (out []string) {
	for _, r := range rows {
		out = append(out, strings.Join([]string{string(r.State), r.Office, r.Mailbox, r.Why}, "|"))
	}
	return out
}

func TestASecondImportBringsUpToDate(t *testing.T) {
	doc := &town.Document{Offices: map[town.ID]town.Office{
		"tributi":                  {Name: "tributi, ENTRATE", Mailbox: "vecchia@comune.example.it", Sinkhole: policy.Zero}, // made by hand: the same by its name
		"ufficio-anagrafe-e-citta": {Name: "Un altro"},                                                                      // the id is taken
		"sport":                    {Name: "Sport"},
	}}
	want := []string{
		"new|ufficio-anagrafe-e-citta-2|anagrafe@comune.example.it|",
		"changed|tributi|tributi@comune.example.it|name was tributi, ENTRATE, mailbox was vecchia@comune.example.it, ipa was none",
		"new|protocollo||no mailbox of its own in the index",
		"skipped|||line 5 has no code (Codice_uni_uo)",
		"skipped|||line 6 has the code of line 4 again",
	}
	if got := told(Merge(doc, read(t, dataset, ""))); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if o := doc.Offices["tributi"]; o.Sinkhole != policy.Zero || o.IPA != "D4E5F6" || len(doc.Offices) != 5 {
		t.Errorf("%+v", doc.Offices)
	}
	for _, r := range Merge(doc, read(t, dataset, ""))[:3] {
		if r.State != Unchanged {
			t.Errorf("a second time: %+v", r)
		}
	}
	doc.Offices["protocollo"] = town.Office{Name: "Protocollo", IPA: "g7h8i9", Mailbox: "protocollo@comune.example.it"}
	renamed := strings.Replace(dataset, ",Protocollo,", ",Protocollo generale,", 1)
	want[2] = "changed|protocollo|protocollo@comune.example.it|name was Protocollo, ipa was g7h8i9"
	if got := told(Merge(doc, read(t, renamed, ""))); got[2] != want[2] {
		t.Errorf("%q", got[2])
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(dataset), "c_f023")
	f.Add([]byte("\ufeffCodice_IPA;Codice_uni_uo;Descrizione_uo;Mail1;Tipo_Mail1\n\"a;b;c\n;;;\xff"), "")
	f.Fuzz(func(t *testing.T, data []byte, body string) {
		units, err := Read(bytes.NewReader(data), body)
		if err != nil {
			return
		}
		doc := new(town.Document)
		rows := Merge(doc, units)
		if len(rows) != len(units) {
			t.Fatalf("%d rows of %d units", len(rows), len(units))
		}
		for id, o := range doc.Offices {
			if policy.CheckID("an office", string(id)) != nil || o.Name == "" || o.IPA == "" || o.Mailbox != "" && !policy.IsMailbox(o.Mailbox) {
				t.Fatalf("%q: %+v", id, o)
			}
		}
		for i, r := range Merge(doc, units) {
			if r.State == New || r.State == Skipped && rows[i].State != Skipped {
				t.Fatalf("%+v, and a second time %+v", rows[i], r)
			}
		}
	})
}

func TestAMailboxThatASeatHasIsLeftOut(t *testing.T) {
	doc := &town.Document{
		Offices: map[town.ID]town.Office{"tributi": {Name: "Tributi, entrate", Mailbox: "entrate@comune.example.it"}, "protocollo": {Name: "Protocollo"}},
		Seats: map[town.ID]town.Seat{
			"dirigente": {Office: "tributi", Mailbox: "Tributi@comune.example.it"},
			"capo":      {Office: "protocollo", Holders: []town.Holder{{Name: "P. Gallo", From: "2024-01-01", Until: "2025-01-01"}, {Name: "L. Neri", From: "2025-01-02"}}},
		},
	}
	text := strings.ReplaceAll(dataset, "protocollo@pec.example.it,Pec", "protocollo@pec.example.it,Altro,luigi.neri@comune.example.it,Altro")
	want := []string{
		"new|ufficio-anagrafe-e-citta|anagrafe@comune.example.it|",
		"changed|tributi|entrate@comune.example.it|ipa was none; tributi@comune.example.it in the index is of the seat dirigente",
		"changed|protocollo||ipa was none; luigi.neri@comune.example.it in the index is of the seat capo",
	}
	if got := told(Merge(doc, read(t, text, ""))); !slices.Equal(got[:3], want) {
		t.Errorf("%q", got)
	}
	former := strings.ReplaceAll(text, "luigi.neri", "p.gallo")
	if got := told(Merge(doc, read(t, former, ""))); got[2] != "changed|protocollo|p.gallo@comune.example.it|mailbox was none" {
		t.Errorf("%q", got)
	}
}
