package portal

import (
	"fmt"
	"net"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"usciere/policy"
	"usciere/policy/admin"
	"usciere/policy/letter"
	"usciere/policy/request"
)

func TestTheBlockPageSaysWhatWhyAndWhatNow(t *testing.T) {
	p := open(t)
	_, port, _ := net.SplitHostPort(p.addr)
	r := p.get(anagrafe, "www.inps.it", "/portale?x=1", "Accept-Language: it-IT,it;q=0.9,en;q=0.5")
	r.has(t, `<html lang="it">`, "<h1 aria-describedby=\"over\">www.inps.it</h1>", "Questo sito non è tra quelli richiesti dal tuo ufficio (Ufficio Anagrafe)", "art. 7",
		`href="http://usciere.internal:`+port+`/request?name=www.inps.it"`, "Chiedi l’accesso", "interno 100", "Comune di Prova")
	if r.status != 403 || len(r.body) > 30<<10 {
		t.Errorf("status %d, %d octets", r.status, len(r.body))
	}
	for key, want := range map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Content-Type": "text/html; charset=utf-8", "Content-Language": "it", "Set-Cookie": "", "Location": "",
	} {
		if got := r.header.Get(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	csp := r.header.Get("Content-Security-Policy")
	if !strings.HasPrefix(csp, "default-src 'none'; ") || !strings.Contains(csp, "form-action http://usciere.internal:"+port) || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	for _, none := range []string{"<script", "javascript:", "src=", "@import", "url(", " style="} {
		if strings.Contains(r.body, none) {
			t.Errorf("%q is in the page", none)
		}
	}
}

func TestThePageSpeaksTheVisitorsLanguage(t *testing.T) {
	p := open(t)
	for accept, want := range map[string]string{
		"": "it", "fr": "it", "en-US,en;q=0.9": "en", "de-AT": "de", "it;q=0.2,de;q=0.9": "de", "gsw": "de", "xx,*": "it", "fr,en;q=0.3": "en",
		strings.Repeat("a-", 4000): "it", "en;q=x": "it", "\xff\xfe": "it", "en," + strings.Repeat("x", 300): "en",
	} {
		if r := p.get(anagrafe, "www.inps.it", "/", "Accept-Language: "+accept); !strings.Contains(r.body, `lang="`+want+`"`) {
			t.Errorf("%.40q: want %s, got %.60s", accept, want, r.body)
		}
	}
}

func TestEveryCaseHasItsReason(t *testing.T) {
	p := open(t)
	grant := func(c policy.AddGrants) {
		p.letters++
		c.Subject, c.Protocol, c.Reason = policy.Subject{Office: "anagrafe"}, fmt.Sprintf("%d/2026", p.letters), "per l'ufficio"
		p.do(c)
	}
	grant(policy.AddGrants{Names: []string{"granted.example.it"}})
	grant(policy.AddGrants{Names: []string{"hours.example.it"}, Schedule: "mon-fri 14:00-15:00"})
	grant(policy.AddGrants{Names: []string{"over.example.it"}, Until: "2026-11-17"})
	grant(policy.AddGrants{Names: []string{"later.example.it"}, From: "2026-12-01"})
	grant(policy.AddGrants{Names: []string{"txt.example.it"}, Types: []policy.Type{16}})
	p.asked("anagrafe", "asked.example.it", "tree.example.it e sottodomini")
	denied := p.asked("anagrafe", "denied.example.it", "*.below.example.it")
	made := p.do(request.Deny{Request: denied, Reason: "SEGRETO: motivi insufficienti"})
	notice := made[0].(*request.Moved).Letter
	part := p.asked("anagrafe", "yes.example.it", "no.example.it")
	p.do(request.Approve{Request: part, Names: []string{"yes.example.it"}, WhyNot: "SEGRETO"})
	p.judge["local.example.it"] = admin.Judgement{Local: "zone example.it"}
	p.judge["closed.example.it"] = admin.Judgement{Closed: "example.it"}
	p.judge["listed.example.it"] = admin.Judgement{Listed: "/etc/list"}
	p.advance(48 * time.Hour)
	for _, tc := range []struct {
		from, name, why, button string
	}{
		{noOffice, "www.inps.it", "Questa postazione non risulta ancora assegnata a un ufficio", ""},
		{anagrafe, "www.inps.it", "Questo sito non è tra quelli richiesti dal tuo ufficio (Ufficio Anagrafe)", "Chiedi l’accesso"},
		{tributi, "asked.example.it", "dal tuo ufficio (Ufficio &lt;Tributi&gt; &amp; &#34;Entrate&#34;)", "Chiedi l’accesso"},
		{anagrafe, "granted.example.it", "Questo sito è ora consentito al tuo ufficio", ""},
		{manager, "www.inps.it", "Da questa postazione il sito è consentito", ""},
		{anagrafe, "hours.example.it", "in altri giorni od orari: lun-ven 14:00-15:00", "Prepara una nuova richiesta"},
		{anagrafe, "over.example.it", "era consentito al tuo ufficio (Ufficio Anagrafe) fino al 17 novembre 2026", "Prepara una nuova richiesta"},
		{anagrafe, "later.example.it", "sarà consentito al tuo ufficio (Ufficio Anagrafe) dal 1º dicembre 2026", ""},
		{anagrafe, "txt.example.it", "per altri usi", ""},
		{anagrafe, "asked.example.it", "ha già chiesto questo sito il 16 novembre 2026: la richiesta r-", "Vedi la richiesta"},
		{anagrafe, "a.tree.example.it", "ha già chiesto questo sito", "Vedi la richiesta"},
		{anagrafe, "denied.example.it", "non è stata accolta, con decisione del 16 novembre 2026 (art. 7", "Prepara una nuova richiesta"},
		{anagrafe, "x.below.example.it", "non è stata accolta", "Prepara una nuova richiesta"},
		{anagrafe, "below.example.it", "non è tra quelli richiesti", "Chiedi l’accesso"},
		{anagrafe, "no.example.it", "non è stata accolta", "Prepara una nuova richiesta"},
		{tributi, "denied.example.it", "non è tra quelli richiesti", "Chiedi l’accesso"},
		{anagrafe, "local.example.it", "rete interna del Comune, ma a questo nome non risponde", ""},
		{noOffice, "local.example.it", "rete interna del Comune", ""},
		{anagrafe, "closed.example.it", "in una parte (example.it) non ancora aperta", ""},
		{manager, "listed.example.it", "elenco di sicurezza", ""},
		{anagrafe, "gov.it", "non è il nome di un sito che si possa richiedere", ""},
		{anagrafe, "intranet", "non è il nome di un sito che si possa richiedere", ""},
	} {
		t.Run(tc.from+" "+tc.name, func(t *testing.T) {
			r := p.get(tc.from, tc.name, "/")
			r.has(t, tc.why)
			button := regexp.MustCompile(`class="button[^>]*>([^<]*)<`).FindStringSubmatch(r.body)
			if r.status != 403 || strings.Count(r.body, `class="button`) > 1 || (button == nil) != (tc.button == "") || button != nil && button[1] != tc.button {
				t.Errorf("status %d, button %q, want %q", r.status, button, tc.button)
			}
			if strings.Contains(r.body, "SEGRETO") {
				t.Error("the reasons of a denial are told")
			}
		})
	}
	p.do(letter.Register{Letter: notice.ID, Protocol: "700/2026", Date: "2026-11-17", Style: letter.Style{Language: "it", Town: "Comune"}})
	p.get(anagrafe, "denied.example.it", "/").has(t, "con comunicazione prot. n. 700/2026 del 17 novembre 2026")
	again := p.asked("anagrafe", "denied.example.it")
	p.do(request.Approve{Request: again, Until: "2026-11-18"})
	p.advance(24 * time.Hour)
	p.get(anagrafe, "denied.example.it", "/").has(t, "fino al 18 novembre 2026")
	p.do(request.Deny{Request: p.asked("anagrafe", "denied.example.it", "a.over.example.it"), Reason: "SEGRETO"}) // whose time is over
	p.get(anagrafe, "denied.example.it", "/").has(t, "non è stata accolta, con decisione del 19 novembre 2026")
	p.advance(24 * time.Hour)
	grant(policy.AddGrants{Names: []string{".over.example.it"}, Until: "2026-11-20"})
	p.advance(72 * time.Hour)
	p.get(anagrafe, "a.over.example.it", "/").has(t, "fino al 20 novembre 2026") // granted after it was denied
	grant(policy.AddGrants{Names: []string{"over.example.it"}, Schedule: "mon-fri 14:00-15:00"})
	p.get(anagrafe, "over.example.it", "/").has(t, "in altri giorni od orari: lun-ven 14:00-15:00")
}

func TestWithoutTheFormOfficesAskOnPaper(t *testing.T) {
	p := open(t)
	p.portal.Use(Settings{Name: name(t, own), Town: "Comune"})
	r := p.get(anagrafe, "www.inps.it", "/")
	r.has(t, "il responsabile può chiederlo per iscritto", "Rivolgersi ai servizi informatici")
	if strings.Contains(r.body, "/request") {
		t.Error("the form is offered")
	}
	if r := p.get(anagrafe, own, "/request"); r.status != 404 {
		t.Errorf("the form: status %d", r.status)
	}
}

func TestANameBeyondASCIIIsShownAsItsOwnerWritesItWhereThatIsSafe(t *testing.T) {
	for text, want := range map[string]string{
		"www.xn--citt-3na.it":          "www.città.it",
		"xn--mnchen-3ya.de":            "münchen.de",
		"xn--fsq.com":                  "例.com",
		"xn--80ak6aa92e.com":           "", // аррӏе.com, all Cyrillic
		"xn--pple-43d.com":             "", // аpple.com, Cyrillic and Latin
		"xn--e1afmkfd.xn--p1ai":        "пример.рф",
		"www.inps.it":                  "",
		"xn--a.it":                     "",
		"xn--zzzzzzzzzzzzzzzzzzzzz.it": "",
	} {
		if got := unicodeOf(name(t, text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	p := open(t)
	p.get(anagrafe, "WWW.xn--citt-3na.it", "/").has(t, "www.xn--citt-3na.it", `<span class="unicode">www.città.it</span>`)
}

func TestTheLongestNameFits(t *testing.T) {
	p := open(t)
	label := strings.Repeat("a", 63)
	long := strings.Join([]string{label, label, label, label[:57], "it"}, ".")
	r := p.get(anagrafe, long, "/")
	r.has(t, `<span class="long">`+long)
	if len(r.body) > 30<<10 {
		t.Errorf("%d octets", len(r.body))
	}
}

// TestNoLanguageLacksAText holds the languages against the first: each has every text, with the same things filled in.
func TestNoLanguageLacksAText(t *testing.T) {
	holes := func(text string) []string {
		found := regexp.MustCompile(`\{[a-z]+\}`).FindAllString(text, -1)
		slices.Sort(found)
		return slices.Compact(found)
	}
	first := reflect.ValueOf(italian)
	for _, other := range languages {
		v := reflect.ValueOf(*other)
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			switch v.Field(i).Kind() {
			case reflect.String:
				if text := v.Field(i).String(); text == "" || !slices.Equal(holes(text), holes(first.Field(i).String())) {
					t.Errorf("%s: %s is %q, in Italian %q", other.tag, name, text, first.Field(i))
				}
			case reflect.Map:
				for _, state := range policy.RequestStates {
					if v.Field(i).MapIndex(reflect.ValueOf(state)).String() == "" {
						t.Errorf("%s: %s has nothing for %s", other.tag, name, state)
					}
				}
			case reflect.Array:
				for j := range v.Field(i).Len() {
					if v.Field(i).Index(j).String() == "" {
						t.Errorf("%s: %s[%d] is empty", other.tag, name, j)
					}
				}
			default:
				t.Errorf("%s is a %s", name, v.Field(i).Kind())
			}
		}
	}
}
