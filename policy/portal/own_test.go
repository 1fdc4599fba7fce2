package portal

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"usciere/policy"
	"usciere/policy/journal"
	"usciere/policy/request"
)

func formOf(name, reason string) url.Values {
	return url.Values{"name": {name}, "reason": {reason}, "more": {""}, "until": {""}}
}

// draft fills in the form at a workstation and returns the request's path and the one-time link's.
func (p *place) draft(from string, form url.Values) (status, link string) {
	p.Helper()
	r := p.post(from, "/request", form)
	if r.status != 303 {
		p.Fatalf("status %d\n%s", r.status, afterStyle(r.body))
	}
	return r.header.Get("Location"), p.lastLink()
}

// lastLink is the one-time link in the newest letter.
func (p *place) lastLink() (link string) {
	p.Helper()
	err := p.live.View(func(r policy.Records) error {
		return r.EachLetter(func(l *policy.Letter) bool {
			if paper, ok, err := r.Paper(l.ID); err == nil && ok {
				if m := regexp.MustCompile(`http://usciere\.internal(/sign/\w+)`).FindStringSubmatch(paper.Text); m != nil {
					link = m[1]
				}
			}
			return true
		})
	})
	if err != nil || link == "" {
		p.Fatalf("no letter has a link: %v", err)
	}
	return link
}

func (p *place) requests() (out []*policy.Request) {
	p.Helper()
	if err := p.live.View(func(r policy.Records) error {
		return r.EachRequest(func(q *policy.Request) bool {
			if q.Office != "" {
				out = append(out, q)
			}
			return true
		})
	}); err != nil {
		p.Fatal(err)
	}
	return out
}

func TestTheFirstPageSaysWhoOneIs(t *testing.T) {
	p := open(t)
	addr, port, _ := net.SplitHostPort(p.addr)
	for _, tc := range []struct{ from, host, want string }{
		{anagrafe, own, "Questa postazione appartiene a: Ufficio Anagrafe."},
		{anagrafe, "USCIERE.internal.:" + port, "Ufficio Anagrafe"},
		{anagrafe, addr, "Ufficio Anagrafe"},
		{manager, own, "È assegnata all’incarico «Dirigente Ufficio Anagrafe». Da qui l’accesso non ha limiti (art. 8)."},
		{tributi, own, "Ufficio &lt;Tributi&gt; &amp; &#34;Entrate&#34;"},
		{noOffice, own, "non risulta ancora assegnata a un ufficio"},
	} {
		r := p.get(tc.from, tc.host, "/")
		r.has(t, tc.want)
		if r.status != 200 || !strings.Contains(r.header.Get("Content-Security-Policy"), "form-action 'self'; frame-ancestors 'none'") || r.header.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: status %d, %v", tc.host, r.status, r.header)
		}
	}
	if r := p.get(anagrafe, "10.9.9.9", "/"); r.status != 421 {
		t.Errorf("another address: status %d", r.status)
	}
}

func TestTheFormYieldsADraftAndALetterWithALink(t *testing.T) {
	p := open(t)
	r := p.get(anagrafe, own, "/request?name=www.inps.it")
	r.has(t, `value="www.inps.it"`, "Ufficio Anagrafe", "16 novembre 2026", "e sottodomini")
	status, link := p.draft(anagrafe, url.Values{
		"name": {" https://www.inps.it/portale "}, "reason": {"verifica posizioni\r\ncontributive"}, "more": {"www.agenziaentrate.gov.it\r\n\r\nexample.it e sottodomini\r\n"}, "until": {"2027-06-30"},
	})
	all := p.requests()
	if len(all) != 1 {
		t.Fatalf("%d requests", len(all))
	}
	q := all[0]
	if q.State != policy.Submitted || q.Office != "anagrafe" || q.Until != "2027-06-30" || strings.Join(q.Addresses, "|") != "https://www.inps.it/portale|www.agenziaentrate.gov.it|example.it e sottodomini" ||
		q.Reason != "verifica posizioni\ncontributive" || q.Link == nil || q.Steps[0].By != "portal" {
		t.Errorf("request %+v", q)
	}
	if status != "/request/"+q.ID.String() {
		t.Errorf("led to %s", status)
	}
	p.get(anagrafe, own, status).has(t, "attende la firma del responsabile", "casella dell’ufficio", "example.it", "e tutti i nomi che ne dipendono", "fino al 30 giugno 2027", "16 novembre 2026: preparata", status+"/letter")
	p.get(anagrafe, own, "/").has(t, status, "Richieste in corso")
	for _, other := range []string{tributi, noOffice} {
		for _, path := range []string{status, status + "/letter", link} {
			if r := p.get(other, own, path); r.status != 404 || strings.Contains(r.body, "inps") {
				t.Errorf("%s sees %s: status %d", other, path, r.status)
			}
		}
	}
	paper := p.get(anagrafe, own, status+"/letter")
	paper.has(t, "www.inps.it", "verifica posizioni", "Ufficio Anagrafe")
	token := strings.TrimPrefix(link, "/sign/")
	if paper.status != 200 || strings.Contains(paper.body, token) || strings.Contains(paper.body, "/sign/") {
		t.Errorf("the printed letter has the link, or is not there: status %d", paper.status)
	}
	if strings.Contains(paper.header.Get("Content-Security-Policy"), "unsafe") {
		t.Error(paper.header.Get("Content-Security-Policy"))
	}
}

func TestWhatIsPastedUnseenIsLeftOut(t *testing.T) {
	p := open(t)
	form := formOf("www.inps.it", "uno\v\u202edue\u202c\u2028tre\r\n\u2066quattro\u2069")
	form.Set("more", "\u202awww.inail.it\u202c\u2029www.anpr.interno.it")
	p.draft(anagrafe, form)
	q := p.requests()[0]
	if want := "uno\ndue\ntre\nquattro"; q.Reason != want {
		t.Errorf("reasons %q; want %q", q.Reason, want)
	}
	if want := []string{"www.inps.it", "www.inail.it", "www.anpr.interno.it"}; !slices.Equal(q.Addresses, want) {
		t.Errorf("addresses %q; want %q", q.Addresses, want)
	}
}

func TestWhatIsMissingIsSaidAtItsField(t *testing.T) {
	p := open(t)
	for _, tc := range []struct {
		name  string
		form  url.Values
		field string
		want  string
	}{
		{"no name", formOf("", "motivi"), "name", "Scrivi l’indirizzo del sito"},
		{"no reasons", formOf("www.inps.it", " \r\n"), "reason", "Scrivi i motivi"},
		{"no site", formOf("pippo", "motivi"), "name", "«pippo» non è l’indirizzo"},
		{"a public suffix", formOf("gov.it e sottodomini", "motivi"), "name", "aprirebbe tutti i siti"},
		{"reasons beyond measure", formOf("www.inps.it", strings.Repeat("è", 2001)), "reason", "troppo lunghi"},
		{"reasons of no text", formOf("www.inps.it", "a\x00b"), "reason", "previsto"},
		{"a further address that is none", url.Values{"name": {"www.inps.it"}, "reason": {"motivi"}, "more": {"www.a.it\nb c d"}}, "more", "«b c d»"},
		{"too many addresses", url.Values{"name": {"www.inps.it"}, "reason": {"motivi"}, "more": {strings.Repeat("www.a.it\n", 60)}}, "more", "al massimo 50"},
		{"no date", url.Values{"name": {"www.inps.it"}, "reason": {"motivi"}, "until": {"domani"}}, "until", "«domani» non è una data"},
		{"a day that has passed", url.Values{"name": {"www.inps.it"}, "reason": {"motivi"}, "until": {"2026-11-15"}}, "until", "già passata"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p.advance(time.Minute)
			r := p.post(anagrafe, "/request", tc.form)
			r.has(t, tc.want, `id="`+tc.field+`-fault"`, `href="#`+tc.field+`"`, `aria-invalid="true" aria-describedby="`+tc.field+`-fault`, `role="alert"`)
			if r.status != 422 {
				t.Errorf("status %d", r.status)
			}
		})
	}
	if n := len(p.requests()); n != 0 {
		t.Errorf("%d requests were written", n)
	}
	if r := p.post(anagrafe, "/request", url.Values{"name": {"www.inps.it"}, "reason": {"motivi"}, "until": {"30/6/2027"}}); r.status != 303 || p.requests()[0].Until != "2027-06-30" {
		t.Errorf("a day as people write it: status %d", r.status)
	}
}

func TestWhatIsTypedIsEscapedEverywhere(t *testing.T) { // S18
	p := open(t)
	const evil = `"><script>alert(1)</script><img src=x onerror='a'>{{.}}`
	for _, field := range []string{"name", "reason", "more", "until"} {
		form := formOf("bad name", "motivi")
		form.Set(field, evil)
		r := p.post(anagrafe, "/request", form)
		if r.status != 422 || strings.Contains(r.body, "<script") || strings.Contains(r.body, "<img") {
			t.Errorf("%s: status %d\n%s", field, r.status, afterStyle(r.body))
		}
		p.advance(time.Minute)
	}
	if r := p.get(anagrafe, own, "/request?name="+url.QueryEscape(evil)); strings.Contains(r.body, "<script") || !strings.Contains(r.body, "&lt;script&gt;") {
		t.Errorf("in the address: %s", afterStyle(r.body))
	}
	status, link := p.draft(anagrafe, formOf("www.inps.it", evil))
	p.do(policy.ChangeOffice{ID: "anagrafe", Name: ptr(evil)})
	for _, r := range []reply{
		p.get(anagrafe, own, status), p.get(anagrafe, own, status+"/letter"), p.get(anagrafe, own, link), p.get(manager, own, link), p.get(anagrafe, own, "/"),
		p.get(anagrafe, "other.it", "/"), p.get(anagrafe, own, "/<script>alert(1)</script>"), p.get(anagrafe, own, "/sign/<script>"), p.get(anagrafe, own, "/request/r-<script>"),
	} {
		if strings.Contains(r.body, "<script") || strings.Contains(r.body, "<img") {
			t.Errorf("status %d: %s", r.status, afterStyle(r.body))
		}
	}
}

func ptr[T any](v T) *T { return &v }

func TestAFormComesFromThePortalsOwnPages(t *testing.T) {
	p := open(t)
	_, port, _ := net.SplitHostPort(p.addr)
	form := formOf("www.inps.it", "motivi").Encode()
	typed := "Content-Type: application/x-www-form-urlencoded"
	for _, tc := range []struct {
		name, host string
		header     []string
		status     int
	}{
		{"another origin", own, []string{typed, "Origin: http://evil.example.com"}, 403},
		{"the blocked site's origin", own, []string{typed, "Origin: http://www.inps.it"}, 403},
		{"no origin at all", own, []string{typed, "Origin: null"}, 403},
		{"another port", own, []string{typed, "Origin: http://" + own + ":1"}, 403},
		{"a site that is fetched across", own, []string{typed, "Sec-Fetch-Site: cross-site"}, 403},
		{"a sister site", own, []string{typed, "Sec-Fetch-Site: same-site"}, 403},
		{"a name that was pointed here", "evil.example.com", []string{typed, "Origin: http://evil.example.com"}, 405},
		{"JSON", own, []string{"Content-Type: application/json", "Origin: http://" + own}, 415},
		{"a form with files", own, []string{"Content-Type: multipart/form-data; boundary=x", "Origin: http://" + own}, 415},
		{"no type", own, []string{"Origin: http://" + own}, 415},
		{"its own page", own, []string{typed, "Origin: http://" + own}, 303},
		{"its own page, with a port", own + ":" + port, []string{typed, "Origin: http://" + own + ":" + port}, 303},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := len(p.requests())
			r := p.ask(anagrafe, "POST", tc.host, "/request", form, tc.header...)
			if wrote := len(p.requests()) > before; r.status != tc.status || wrote != (tc.status == 303) {
				t.Errorf("status %d, want %d; written: %v", r.status, tc.status, wrote)
			}
			p.advance(time.Minute)
		})
	}
	if r := p.ask(anagrafe, "POST", own, "/request", "name="+strings.Repeat("a", 17<<10), typed, "Origin: http://"+own); r.status != 413 {
		t.Errorf("too long: status %d", r.status)
	}
	if r := p.ask(anagrafe, "POST", own, "/request", "name=%zz", typed, "Origin: http://"+own); r.status != 400 {
		t.Errorf("malformed: status %d", r.status)
	}
	if r := p.ask(anagrafe, "PUT", own, "/request", "", typed, "Origin: http://"+own); r.status != 405 {
		t.Errorf("PUT: status %d", r.status)
	}
	if r := p.post(noOffice, "/request", formOf("www.inps.it", "motivi")); r.status != 403 {
		t.Errorf("in no office: status %d", r.status)
	}
}

func TestAClientCannotFloodTheOffice(t *testing.T) {
	p := open(t)
	for range postBurst {
		if r := p.post(anagrafe, "/request", formOf("", "")); r.status != 422 {
			t.Fatalf("status %d", r.status)
		}
	}
	r := p.post(anagrafe, "/request", formOf("www.inps.it", "motivi"))
	r.has(t, "Riprova tra un minuto")
	if r.status != 429 || r.header.Get("Retry-After") != "60" || len(p.requests()) != 0 {
		t.Errorf("status %d", r.status)
	}
	if r := p.post(manager, "/request", formOf("www.inps.it", "motivi")); r.status != 303 {
		t.Errorf("another workstation: status %d", r.status)
	}
	p.advance(postEvery)
	if r := p.post(anagrafe, "/request", formOf("www.inps.it", "motivi")); r.status != 303 {
		t.Errorf("later: status %d", r.status)
	}
	for i := range 120 {
		p.advance(time.Minute)
		if r := p.post(anagrafe, "/request", formOf(fmt.Sprintf("www.a%d.it", i), "motivi")); r.status == 422 {
			r.has(t, "attendono già la firma")
			return
		}
	}
	t.Error("an office can have any number of unsigned requests")
}

func TestWithoutItsLetterNoRequestIsWritten(t *testing.T) {
	p := open(t)
	p.noPaper = errors.New("disk full")
	if r := p.post(anagrafe, "/request", formOf("www.inps.it", "motivi")); r.status != 500 || !strings.Contains(r.body, "momentaneamente") || len(p.requests()) != 0 {
		t.Errorf("status %d, %d requests", r.status, len(p.requests()))
	}
}

func TestTheLinkSignsOnceAtTheSeatsWorkstationOnly(t *testing.T) {
	p := open(t)
	status, link := p.draft(anagrafe, formOf("www.inps.it", "verifica"))
	id := p.requests()[0].ID
	state := func() policy.RequestState { return p.requests()[0].State }
	for range 3 { // a mail scanner follows links
		p.get(manager, own, link).has(t, "Firma M. Rossi, per l’incarico «Dirigente Ufficio Anagrafe»", "Firma la richiesta", `action="`+link+`"`)
		p.ask(manager, "HEAD", own, link, "")
	}
	for _, from := range []string{anagrafe, clerk} {
		p.get(from, own, link).has(t, "Da questa postazione la richiesta non si può firmare", "protocollo", status+"/letter")
		if r := p.post(from, link, nil); r.status != 403 {
			t.Errorf("%s signs: status %d", from, r.status)
		}
	}
	for _, from := range []string{tributi, director, noOffice} {
		if r := p.post(from, link, nil); r.status != 404 {
			t.Errorf("%s signs: status %d", from, r.status)
		}
	}
	if r := p.ask(manager, "POST", own, link, "", "Content-Type: application/x-www-form-urlencoded", "Origin: http://www.inps.it"); r.status != 403 {
		t.Errorf("from another site: status %d", r.status)
	}
	if r := p.post(manager, "/sign/"+request.NewToken(), nil); r.status != 410 {
		t.Errorf("a link that was never given: status %d", r.status)
	}
	if state() != policy.Submitted {
		t.Fatalf("it is %s", state())
	}
	if r := p.post(manager, link, nil); r.status != 303 || r.header.Get("Location") != "/request/"+id.String() {
		t.Fatalf("status %d to %q", r.status, r.header.Get("Location"))
	}
	q := p.requests()[0]
	if q.State != policy.Endorsed || q.Seat != "dirigente-anagrafe" || q.Holder != "M. Rossi" || q.Link != nil {
		t.Errorf("signed: %+v", q)
	}
	p.get(anagrafe, own, status).has(t, "firmata, attende la decisione", "firmata da M. Rossi")
	for _, r := range []reply{p.post(manager, link, nil), p.get(manager, own, link)} {
		r.has(t, "Questo collegamento non vale più")
		if r.status != 410 {
			t.Errorf("used again: status %d", r.status)
		}
	}
}

func TestAMachineThatOnlyItsNameMakesTheSeatsDoesNotSign(t *testing.T) {
	p := open(t)
	status, link := p.draft(anagrafe, formOf("www.inps.it", "verifica"))
	p.do(policy.AddDevice{Device: "pc-rossi", Seat: "dirigente-anagrafe"}, policy.AddDevice{Device: "52:54:00:00:00:09", Seat: "dirigente-anagrafe"})
	seen := func(m policy.Sighting) { p.live.See(policy.Sightings{netip.MustParseAddr(anagrafe): m}) }
	seen(policy.Sighting{MAC: "52:54:00:00:00:01", Host: "pc-rossi"}) // whose name anybody can take
	p.get(anagrafe, own, link).has(t, "Da questa postazione la richiesta non si può firmare", status+"/letter")
	if r := p.post(anagrafe, link, nil); r.status != 403 || p.requests()[0].State != policy.Submitted {
		t.Errorf("by its name: status %d, it is %s", r.status, p.requests()[0].State)
	}
	seen(policy.Sighting{MAC: "52:54:00:00:00:09"})
	if r := p.post(anagrafe, link, nil); r.status != 303 || p.requests()[0].State != policy.Endorsed {
		t.Errorf("by its hardware address: status %d, it is %s", r.status, p.requests()[0].State)
	}
}

func TestAnOfficeThatTakesOverAnIDSeesNothingOfTheOneBefore(t *testing.T) {
	p := open(t)
	status, link := p.draft(anagrafe, formOf("www.inps.it", "verifica riservata"))
	p.do(request.Deny{Request: p.asked("anagrafe", "www.inail.it"), Reason: "no"})
	p.get(anagrafe, "www.inail.it", "/").has(t, "non è stata accolta")
	p.do(policy.RemoveOffice{ID: "anagrafe", All: true},
		policy.AddOffice{ID: "anagrafe", Name: "Ufficio Nuovo", Networks: []netip.Prefix{netip.MustParsePrefix("127.10.1.0/24")}},
		policy.AddSeat{ID: "dirigente-anagrafe", Office: "anagrafe", Holder: "N. Nuovi", From: "2025-09-01", Hosts: []netip.Addr{netip.MustParseAddr(manager)}})
	for _, path := range []string{status, status + "/letter", "/request/r-2"} {
		if r := p.get(anagrafe, own, path); r.status != 404 || strings.Contains(r.body, "riservata") {
			t.Errorf("%s: status %d", path, r.status)
		}
	}
	for _, r := range []reply{p.get(manager, own, link), p.post(manager, link, nil)} {
		if r.status != 410 && r.status != 404 {
			t.Errorf("the link: status %d", r.status)
		}
	}
	if r := p.get(anagrafe, "www.inail.it", "/"); strings.Contains(r.body, "non è stata accolta") {
		t.Errorf("the denial is told to another office\n%s", afterStyle(r.body))
	}
	status, link = p.draft(anagrafe, formOf("www.inps.it", "motivi nuovi"))
	p.get(anagrafe, own, status).has(t, "motivi nuovi")
	if r := p.post(manager, link, nil); r.status != 303 {
		t.Errorf("its own request cannot be signed: status %d", r.status)
	}
}

func TestALinkEnds(t *testing.T) {
	p := open(t)
	_, link := p.draft(anagrafe, formOf("www.inps.it", "verifica"))
	p.advance(linkLife - time.Minute)
	if r := p.get(manager, own, link); r.status != 200 {
		t.Errorf("a minute before its end: status %d", r.status)
	}
	p.advance(time.Minute)
	for _, r := range []reply{p.get(manager, own, link), p.post(manager, link, nil)} {
		if r.status != 410 {
			t.Errorf("after its end: status %d", r.status)
		}
	}
	if s := p.requests()[0].State; s != policy.Submitted {
		t.Errorf("it is %s", s)
	}
}

func TestTheJournalKnowsTheOfficeAndNotTheWorkstation(t *testing.T) {
	p := open(t)
	_, link := p.draft(anagrafe, formOf("www.inps.it", "verifica"))
	p.post(manager, link, nil)
	var kinds []string
	text := p.journal(func(kind, via, actor, office string) {
		if via == "portal" {
			kinds = append(kinds, kind+" "+actor+" "+office)
		}
	})
	if strings.Join(kinds, ", ") != "request.submit portal anagrafe, request.endorse portal anagrafe" {
		t.Errorf("journalled: %q", kinds)
	}
	if strings.Contains(text, anagrafe) || strings.Contains(text, strings.TrimPrefix(link, "/sign/")) {
		t.Error("the journal has the workstation's address, or the link")
	}
	if log := p.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

func (p *place) journal(each func(kind, via, actor, office string)) string {
	p.Helper()
	var all strings.Builder
	if err := p.store.Journal(1, func(e journal.Entry) bool {
		each(e.Kind, e.Actor.Via, e.Actor.Name, e.Office)
		all.Write(e.Body)
		return true
	}); err != nil {
		p.Fatal(err)
	}
	return all.String()
}
