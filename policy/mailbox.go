package policy

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// certifiedDomains are the domains, with all below them, of providers of certified mail in Italy and of the professions and
// regions that gave their members boxes. What only ends in "pec" is no sign (infospec.it): each stands here by itself.
var certifiedDomains = []struct{ domain, source string }{
	{"pec.it", "Aruba PEC; of the catalog"},
	{"arubapec.it", "Aruba PEC; of the catalog"},
	{"mypec.eu", "Aruba PEC; seen in public program code that tells certified mail, 2026-11"},
	{"casellapec.com", "Aruba PEC; seen in public program code that tells certified mail, 2026-11"},
	{"gigapec.it", "Aruba PEC; seen in public program code that tells certified mail, 2026-11"},
	{"lamiapec.it", "seen in public program code that tells certified mail, 2026-11"},
	{"legalmail.it", "InfoCert Legalmail; of the catalog"},
	{"legalmailpa.it", "InfoCert Legalmail for public bodies; seen in public program code that tells certified mail, 2026-11"},
	{"postecert.it", "Poste Italiane; of the catalog"},
	{"sicurezzapostale.it", "Namirial; seen in public program code that tells certified mail, 2026-11"},
	{"registerpec.it", "Register; seen in public program code that tells certified mail, 2026-11"},
	{"actaliscertymail.it", "Actalis; addresses of municipalities in public data, 2018 to 2026"},
	{"telecompost.it", "Telecom Italia; seen in public program code that tells certified mail, 2026-11"},
	{"cedacricert.it", "Cedacri; seen in public program code that tells certified mail, 2026-11"},
	{"asmepec.it", "Asmel, boxes of municipalities; seen in public program code, 2026-11"},
	{"sicurpec.it", "seen in public program code that tells certified mail, 2026-11"},
	{"emailcertificatapec.it", "seen in public program code that tells certified mail, 2026-11"},
	{"ingpec.eu", "of engineers; addresses of their orders in public program code, 2026-11"},
	{"archiworldpec.it", "of architects; addresses of their orders in public program code, 2026-11"},
	{"conafpec.it", "of agronomists; seen in public program code, 2026-11"},
	{"consulentidellavoropec.it", "of labour consultants; seen in public program code that tells certified mail, 2026-11"},
	{"psypec.it", "of psychologists; seen in public program code, 2026-11"},
}

// certifiedLabels are the labels of a domain that say it is one of certified mail, wherever they stand: pec.comune.x.it,
// postacert.toscana.it, x.legalmail.it, certmail.regione.sicilia.it (addresses of public bodies in public data, 2026-11).
var certifiedLabels = []string{"pec", "postacert", "postacertificata", "legalmail", "certmail"}

// CertifiedMailbox says whether an address is one of certified mail (PEC), by its domain: that of a provider, or one with a
// label such as pec. It knows what is usual, not every box there is.
func CertifiedMailbox(address string) bool {
	_, domain, ok := cutLast(strings.ToLower(strings.TrimSpace(address)), "@")
	if !ok {
		return false
	}
	domain = strings.TrimSuffix(domain, ".")
	for _, known := range certifiedDomains {
		if domain == known.domain || strings.HasSuffix(domain, "."+known.domain) {
			return true
		}
	}
	labels := strings.Split(domain, ".")
	if labels[0] == "cert" { // cert.comune.x.it, cert.ruparpiemonte.it; deeper it is a response team's
		return len(labels) > 2
	}
	return slices.ContainsFunc(labels, func(label string) bool {
		return slices.ContainsFunc(strings.Split(label, "-"), func(word string) bool { return slices.Contains(certifiedLabels, word) })
	})
}

func cutLast(text, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(text, sep); i >= 0 {
		return text[:i], text[i+len(sep):], true
	}
	return text, "", false
}

// titles are what stands before a name and is none of it.
var titles = []string{"dott", "ssa", "dottssa", "dr", "drssa", "ing", "avv", "arch", "geom", "prof", "profssa", "rag", "sig", "sigra", "on"}

// PersonsMailbox says whether an address is named after a person: m.rossi, mario.rossi, rossi.m, mrossi and rossi for
// M. Rossi or Mario Rossi.
func PersonsMailbox(address, person string) bool {
	local, _, ok := cutLast(address, "@")
	if !ok {
		return false
	}
	local, _, _ = strings.Cut(local, "+")
	parts := words(local)
	names := slices.DeleteFunc(words(person), func(w string) bool { return slices.Contains(titles, w) })
	joined := strings.Join(parts, "")
	if len(names) == 1 {
		return longEnough(joined) && joined == names[0]
	}
	for i := 1; i < len(names); i++ {
		first, last := names[:i], names[i:]
		if longEnough(joined) && (joined == strings.Join(first, "") || joined == strings.Join(last, "")) {
			return true
		}
		if namedAfter(parts, joined, first, last) || namedAfter(parts, joined, last, first) {
			return true
		}
	}
	return false
}

// longEnough says whether a word by itself can be told from an abbreviation.
func longEnough(word string) bool { return utf8.RuneCountInString(word) > 2 }

// namedAfter says whether an address is a family name with the given names, or the beginning of one, before or behind it.
func namedAfter(parts []string, joined string, given, family []string) bool {
	surname := strings.Join(family, "")
	if utf8.RuneCountInString(surname) < 2 {
		return false // an initial is no surname
	}
	initials := ""
	for _, g := range given {
		r, _ := utf8.DecodeRuneInString(g)
		initials += string(r)
	}
	first, _ := utf8.DecodeRuneInString(given[0])
	for _, cut := range []func(string, string) (string, bool){strings.CutSuffix, strings.CutPrefix} {
		rest, ok := cut(joined, surname)
		if !ok || rest == "" {
			continue
		}
		if slices.Contains([]string{strings.Join(given, ""), given[0], initials, string(first)}, rest) {
			return true
		}
		if given[0] == string(first) && strings.HasPrefix(rest, given[0]) && slices.Contains(parts, rest) {
			return true // the record has an initial, the address the name
		}
	}
	return false
}

// words are the words of a text in lower case, without accents and apostrophes.
func words(text string) []string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(text)) {
		switch {
		case unicode.IsLetter(r):
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r), r == '\'', r == '’':
		default:
			b.WriteByte(' ')
		}
	}
	return strings.Fields(b.String())
}

// letterRule is why an office has a mailbox that is nobody's.
const letterRule = "letters go to the office's own mailbox, so that nothing is lost when the holder changes (directive on certified mail, point c)"

// checkOfficeMailbox refuses a mailbox that letters between offices must not go to (R10, R12).
func (e *Edit) checkOfficeMailbox(o *Office) error {
	if err := checkMailbox(o.Mailbox); err != nil || o.Mailbox == "" {
		return err
	}
	if CertifiedMailbox(o.Mailbox) {
		return invalid("give the office's ordinary mailbox, such as "+o.ID+"@comune.example.it",
			"%s is certified mail: letters between offices never go there, but to the office's own mailbox (directive on certified mail, points a and c)", o.Mailbox)
	}
	for _, s := range e.Seats() {
		if err := checkShared(o, s); err != nil {
			return err
		}
		if err := e.checkNamesake(o, s); err != nil {
			return err
		}
	}
	return nil
}

// checkSeatMailbox refuses a seat's mailbox that is certified mail or an office's (R12, R13); a person's it may be.
func (e *Edit) checkSeatMailbox(s *Seat) error {
	if CertifiedMailbox(s.Mailbox) {
		return invalid("give the holder's ordinary mailbox, or none",
			"%s is certified mail: a manager's own mailbox is for what is personal, confidential or an urgent copy (directive on certified mail, points a and d)", s.Mailbox)
	}
	for _, o := range e.Offices() {
		if err := checkShared(o, s); err != nil {
			return err
		}
	}
	return nil
}

func checkShared(o *Office, s *Seat) error {
	if o.Mailbox == "" || !strings.EqualFold(o.Mailbox, s.Mailbox) {
		return nil
	}
	return conflict("give each a mailbox of its own", "%s is the mailbox of the office %s and of the seat %s: %s", o.Mailbox, o.ID, s.ID, letterRule)
}

// checkNamesake refuses an office's mailbox that is named after one who holds a seat of the office, or will.
func (e *Edit) checkNamesake(o *Office, s *Seat) error {
	if s.Office != o.ID || o.Mailbox == "" {
		return nil
	}
	for _, h := range s.Holders {
		if (h.Until == "" || h.Until >= e.Today()) && o.MailboxOf(h.Name) {
			return conflict("give the office a mailbox of its own: `usciere office change "+o.ID+" --mailbox MAILBOX`",
				"%s is named after %s, who holds the seat %s: %s", o.Mailbox, h.Name, s.ID, letterRule)
		}
	}
	return nil
}

// MailboxOf says whether the office's mailbox is named after a person. A word of the office's own name is the office's.
func (o *Office) MailboxOf(person string) bool {
	local, _, _ := cutLast(o.Mailbox, "@")
	return !slices.Contains(words(o.Name+" "+o.ID), strings.Join(words(local), "")) && PersonsMailbox(o.Mailbox, person)
}

// checkHoldersMail is checkNamesake for a seat whose holders change.
func (e *Edit) checkHoldersMail(s *Seat) error {
	o, err := e.officeOf(s.Office)
	if err != nil {
		return err
	}
	return e.checkNamesake(o, s)
}
