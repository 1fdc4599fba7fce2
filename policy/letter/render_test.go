package letter

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"usciere/policy"
)

var update = flag.Bool("update", false, "write the golden files of testdata")

const token = "q3kZ0bXyT7mWn5sE2vRhLdPu9cJfAg1o"

// samples are letters of all kinds, as they stand in the record once they are issued.
func samples() map[string]*policy.Letter {
	issued := func(kind policy.LetterKind, protocol string, c policy.LetterContent) *policy.Letter {
		c.OfficeName, c.Seat, c.SeatName, c.Holder = "Tributi", "dirigente-tributi", "Dirigente dei tributi", "Giulia Bernardi"
		return &policy.Letter{ID: 7, Kind: kind, Office: "tributi", Request: 12, Content: c, State: policy.Issued, Issue: &policy.Issue{
			At: time.Date(2026, 4, 1, 8, 0, 0, 0, time.UTC), Protocol: protocol, Date: "2026-04-01", Language: "it", Town: "Comune di Esempio",
			Heading:   []string{"Settore Innovazione · Servizio Sistemi informativi", "Via del Municipio 1, 54100 Esempio · ced@comune.esempio.it"},
			Signature: "Il dirigente dei Sistemi informativi\ning. Paolo Ferri", Portal: "http://usciere.comune.esempio.it",
			Head: "412:5f0c3b1d7a9e24c68f10b3d2a4e6970815263748596a7b8c9daebfc0d1e2f304",
		}}
	}
	reason := "Verifica delle posizioni contributive dei contribuenti che chiedono la rateizzazione, e consultazione delle circolari dell’Istituto."
	portal := policy.Opening{Grant: 41, What: "www.inps.it", Channel: policy.Web, Until: "2027-06-30"}
	tree := policy.Opening{Grant: 42, What: ".agenziaentrate.gov.it", Channel: policy.Web, From: "2026-04-08", Until: "2027-06-30", Terms: "A, AAAA; mon-fri 08:00-14:00; tue,thu 14:30-17:30"}
	spid := policy.Opening{Grant: 43, What: "service spid", Title: "SPID, sistema pubblico di identità digitale", Channel: policy.Web}
	pec := policy.Opening{Grant: 50, What: "service pec", Title: "Posta elettronica certificata", Channel: policy.Mail}
	asked := []string{"https://www.inps.it/", ".agenziaentrate.gov.it", "www.facebook.com", "spid"}
	return map[string]*policy.Letter{
		"decision": issued(policy.DecisionNotice, "1412/2026", policy.LetterContent{
			Protocol: "1203/2026", Date: "2026-03-11", Reason: reason, Asked: asked, Opened: []policy.Opening{portal, tree, spid},
		}),
		"decision-in-part": issued(policy.DecisionNotice, "1412/2026", policy.LetterContent{
			Protocol: "1203/2026", Date: "2026-03-11", Reason: reason, Asked: asked, Opened: []policy.Opening{{Grant: 41, What: "www.inps.it", Channel: policy.Web}},
			Left: []policy.Left{{What: "www.facebook.com", Why: "La motivazione non spiega a quale compito dell’ufficio serva la rete sociale."}}, Renews: "77/2025 of 2025-03-08",
		}),
		"decision-pec": issued(policy.DecisionNotice, "1412/2026", policy.LetterContent{
			Protocol: "1203/2026", Date: "2026-03-11", Reason: reason, Channel: policy.Mail, Ground: policy.OutsideBodies, Opened: []policy.Opening{pec},
		}),
		"denial": issued(policy.DenialNotice, "1412/2026", policy.LetterContent{
			Protocol: "1203/2026", Date: "2026-03-11", Reason: reason, Asked: []string{"www.facebook.com", "www.instagram.com"},
			Decision: "La richiesta non indica per quali procedimenti dell’ufficio serva l’accesso.\nLe informazioni citate si trovano anche nella rete interna, alla pagina dei tributi.",
		}),
		"revocation": issued(policy.RevocationNotice, "1412/2026", policy.LetterContent{
			Protocol: "1203/2026", Date: "2026-03-11", Opened: []policy.Opening{portal}, Ends: "2026-03-31", Decision: "Il procedimento per il quale l’accesso era stato chiesto si è concluso.",
		}),
		"reminder": issued(policy.Reminder, "", policy.LetterContent{
			Protocol: "1203/2026", Date: "2026-03-11", Opened: []policy.Opening{portal, tree}, Ends: "2027-06-30", Days: 30,
		}),
		"form": issued(policy.RequestForm, "", policy.LetterContent{
			Date: "2026-04-01", Reason: reason, Asked: asked, Until: "2027-06-30", LinkEnds: "2026-04-08T18:00",
		}),
	}
}

func in(l *policy.Letter, language string) *policy.Letter {
	copied, issue := *l, *l.Issue
	issue.Language, copied.Issue = language, &issue
	return &copied
}

func TestLettersLookAsTheyDid(t *testing.T) {
	for name, l := range samples() {
		for _, w := range languages {
			paper, err := Render(in(l, w.Tag), token)
			if err != nil {
				t.Fatal(err)
			}
			for ending, got := range map[string]string{"txt": paper.Text, "html": paper.Page} {
				golden(t, name+"."+w.Tag+"."+ending, got)
			}
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not as it was: `go test ./policy/letter -update` takes it as it is now, and `git diff` shows it\n%s", name, got)
	}
}

var placeholder = regexp.MustCompile(`\{[a-z]*\}`)

// What one language fills in, the others do too, and none leaves a text out.
func TestTheLanguagesSayTheSame(t *testing.T) {
	first := reflect.ValueOf(*languages[0])
	for _, w := range languages {
		v := reflect.ValueOf(*w)
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if v.Field(i).Kind() != reflect.String {
				continue
			}
			text := v.Field(i).String()
			got, want := placeholder.FindAllString(text, -1), placeholder.FindAllString(first.Field(i).String(), -1)
			slices.Sort(got)
			slices.Sort(want)
			if text == "" || !slices.Equal(got, want) {
				t.Errorf("%s %s: %q", w.Tag, name, text)
			}
			if strings.Contains(text, "'") {
				t.Errorf("%s %s: %q has an apostrophe of typewriters", w.Tag, name, text)
			}
		}
	}
}

func TestDatesAreWrittenInTheLanguage(t *testing.T) {
	for _, c := range []struct {
		moment   policy.Moment
		language string
		want     string
	}{
		{"2026-04-01", "it", "1º aprile 2026"}, {"2026-04-12T18:00", "it", "12 aprile 2026, ore 18:00"},
		{"2026-04-01", "en", "1 April 2026"}, {"2026-04-12T18:00", "en", "12 April 2026, 18:00"},
		{"2026-03-01", "de", "1. März 2026"}, {"2026-04-12T18:00", "de", "12. April 2026, 18:00 Uhr"},
		{"", "it", ""}, {"soon", "it", "soon"},
	} {
		if got := wordsOf(c.language).date(c.moment); got != c.want {
			t.Errorf("%s in %s: %q; want %q", c.moment, c.language, got, c.want)
		}
	}
}

func TestItalianArticlesLoseTheirVowelBeforeEightAndEleven(t *testing.T) {
	w := wordsOf("it")
	for day, want := range map[policy.Moment]string{
		"2026-04-08": "dall’8 aprile 2026 all’11 aprile 2026", "2026-04-09": "dal 9 aprile 2026 all’11 aprile 2026",
	} {
		if got := w.when(day, "2026-04-11"); got != want {
			t.Errorf("%s: %q; want %q", day, got, want)
		}
	}
	if got := w.request("88/2026", "2026-03-11"); got != "prot. n. 88/2026 dell’11 marzo 2026" {
		t.Error(got)
	}
}

func TestLinesAreAtMost72Wide(t *testing.T) {
	for name, l := range samples() {
		for _, w := range languages {
			paper, err := Render(in(l, w.Tag), token)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(paper.Text) {
				if wide := utf8.RuneCountInString(strings.TrimRight(line, "\n")); wide > columns && strings.Contains(strings.TrimSpace(line), " ") {
					t.Errorf("%s in %s: %d columns: %s", name, w.Tag, wide, line)
				}
			}
		}
	}
}

func TestALetterWithoutAnIssueIsNotRendered(t *testing.T) {
	_, err := Render(&policy.Letter{ID: 3, Kind: policy.DenialNotice}, "")
	if !policy.IsCode(err, policy.Conflict) {
		t.Error(err)
	}
}
