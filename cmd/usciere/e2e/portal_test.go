//go:build e2e

package e2e

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestABlockedPageIsAskedForAndReached goes the whole way with a browser: from the page of a blocked name to the site itself.
func TestABlockedPageIsAskedForAndReached(t *testing.T) {
	h := openHall(t, "")
	desk := h.workstation("desk", "10.20.5.5")
	b := desk.browse()

	b.speaks("it-IT,it;q=0.9")
	text, at := b.open("http://www.inps.it/portale")
	says(t, text, "www.inps.it", "Questo sito non è tra quelli richiesti dal tuo ufficio (Ufficio Cultura)", "art. 7", "interno 100")
	if at != "http://www.inps.it/portale" {
		t.Errorf("at %s", at)
	}
	b.look("block-it")
	for _, language := range []string{"en", "de"} {
		b.speaks(language)
		b.open("http://www.inps.it/")
		b.look("block-" + language)
	}

	// The form, from the page's one button.
	b.speaks("it")
	b.open("http://www.inps.it/")
	b.do(chromedp.Click(css("a.button")), chromedp.WaitVisible(css("#reason")))
	text, at = b.shown()
	says(t, text, "Ufficio Cultura", "Motivazione")
	if !strings.HasPrefix(at, "http://usciere.internal/request?name=www.inps.it") {
		t.Errorf("the form is at %s", at)
	}
	b.look("form")
	b.do(chromedp.SetValue(css("#more"), "due parole"), chromedp.Click(css("button[type=submit]")), chromedp.WaitVisible(css("#reason-fault")))
	b.look("form-faults")
	b.do(
		chromedp.SetValue(css("#reason"), "Verifica delle posizioni contributive dei fornitori delle mostre"), chromedp.SetValue(css("#more"), "servizi2.inps.it\nexample.it e sottodomini"),
		chromedp.SetValue(css("#until"), "2099-06-30"), chromedp.Click(css("button[type=submit]")), chromedp.WaitVisible(css(".mark")),
	)
	text, at = b.shown()
	says(t, text, "attende la firma del responsabile", "casella dell’ufficio", "servizi2.inps.it", "example.it – e tutti i nomi che ne dipendono", "fino al 30 giugno 2099")
	if at != "http://usciere.internal/request/r-2" {
		t.Errorf("the request is at %s", at)
	}
	b.look("status")
	text, _ = b.open(at + "/letter")
	says(t, text, "Verifica delle posizioni contributive", "www.inps.it")
	if strings.Contains(text, "/sign/") {
		t.Error("the letter to print has the link")
	}
	b.accessible("letter")
	b.look("letter")
	text, _ = b.open("http://www.inps.it/")
	says(t, text, "è già stato chiesto", "r-2 attende la firma", "Vedi la richiesta")
	b.look("block-open")
	b.open("http://usciere.internal/")
	b.look("home")
	b.open("http://usciere.internal/nothing")
	b.look("not-found")

	// The letter comes by mail; its link signs at the manager's workstation alone.
	eventually(t, "the letter is at the mail server", func() bool { return len(h.mail.mails()) > 0 })
	m := h.mail.mails()[0]
	if m.to != "cultura@comune.example.it" {
		t.Errorf("sent to %q", m.to)
	}
	plain, _ := parts(t, m)
	link := regexp.MustCompile(`http://usciere\.internal/sign/\w+`).FindString(plain)
	if link == "" {
		t.Fatalf("the mail has no link:\n%s", plain)
	}
	text, _ = b.open(link)
	says(t, text, "Da questa postazione la richiesta non si può firmare", "protocollo")
	b.look("sign-elsewhere")
	manager := h.workstation("seat", "10.20.5.9").browse()
	manager.speaks("it")
	text, _ = manager.open(link)
	says(t, text, "Firma P. Gallo, per l’incarico «Dirigente Ufficio Cultura»")
	manager.look("sign")
	manager.do(chromedp.Click(css("button[type=submit]")), chromedp.WaitVisible(css(".mark")))
	text, _ = manager.shown()
	says(t, text, "firmata, attende la decisione", "firmata da P. Gallo")
	text, _ = manager.open(link)
	says(t, text, "Questo collegamento non vale più")
	manager.look("sign-over")

	// IT grants it, and the browser reaches the site.
	h.must("request", "approve", "r-2", "--protocol", "88/2026")
	text, _ = b.open("http://usciere.internal/request/r-2")
	says(t, text, "accolta", "Protocollo n. 88/2026")
	b.look("status-approved")
	b.end()
	again := desk.browse()
	text, _ = again.open("http://www.inps.it/")
	says(t, text, siteText)
	again.speaks("it")
	text, _ = again.open("http://www.inps.it.example.com/")
	says(t, text, "www.inps.it.example.com", "Questo sito non è tra quelli richiesti")
}

// curl fetches a page on a machine; the exit code is curl's.
func (m *machine) curl(args ...string) result {
	m.t.Helper()
	return run(m.t, m.command(append([]string{tool(m.t, "curl"), "--silent", "--show-error", "--max-time", "10"}, args...)...))
}

func TestHTTPSIsRefusedAtOnceUnlessTheTownHasARoot(t *testing.T) {
	tool(t, "curl")
	const refused = 7 // of curl: could not connect
	t.Run("without a root", func(t *testing.T) {
		desk := openHall(t, "").workstation("desk", "10.20.5.5")
		if r := desk.curl("https://www.inps.it/"); r.code != refused {
			t.Errorf("%s", r)
		}
		says(t, desk.curl("http://www.inps.it/").out, "Questo sito non è tra quelli richiesti")
	})
	t.Run("with a root", func(t *testing.T) {
		root := filepath.Join(t.TempDir(), "root.pem")
		h := openHall(t, `portal: {https: ["10.20.0.53:443"]}`, func(config, state string) {
			for _, args := range [][]string{{"init"}, {"export", root}} {
				if r := run(t, exec.Command(program, append(append([]string{"ca"}, args...), "--config", config, "--state", state)...)); r.code != 0 {
					t.Fatalf("usciere ca %s: %s", args[0], r)
				}
			}
		})
		desk := h.workstation("desk", "10.20.5.5")
		says(t, desk.curl("--cacert", root, "https://www.inps.it/portale").out, "Questo sito non è tra quelli richiesti", `href="https://usciere.internal/request?name=www.inps.it"`)
		says(t, desk.curl("--cacert", root, "https://usciere.internal/").out, "Ufficio Cultura")
		if r := desk.curl("https://www.inps.it/"); r.code != 60 { // of curl: the certificate is not trusted
			t.Errorf("without the root: %s", r)
		}
		h.must("allow", "www.inps.it", "--office", "cultura", "--protocol", "1/2026", "--reason", "mostre")
		// Whatever a workstation does, it gets no certificate for a name that it may reach.
		if r := desk.curl("--cacert", root, "--resolve", "www.inps.it:443:10.20.0.53", "https://www.inps.it/"); r.code == 0 || strings.Contains(r.out, "<html") {
			t.Errorf("for a name that is granted: %s", r)
		}
	})
}
