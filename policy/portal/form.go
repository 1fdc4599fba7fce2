package portal

import (
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"usciere/policy"
	"usciere/policy/journal"
	"usciere/policy/request"
)

// linkLife is how long the one-time link of a form can be used.
const linkLife = 14 * 24 * time.Hour

const (
	maxReason    = 4000 // octets
	maxAddress   = 500  // octets
	maxAddresses = 50   // of one form
)

// form is the request form, as it was filled in so far.
type form struct {
	Office, Date string
	Name         string
	Reason       string
	More         string
	Until        string
	Faults       []fault
}

// fault is what is wrong with a field; without a field, with the whole.
type fault struct{ Field, Text, Detail string }

// Fault is what is wrong with a field, or nothing.
func (f *form) Fault(field string) string {
	for _, x := range f.Faults {
		if x.Field == field {
			return x.Text
		}
	}
	return ""
}

// form shows the empty form; the page of a blocked name gives its name.
func (p *Portal) form(w http.ResponseWriter, v *visit) {
	if !p.mayWrite(w, v) {
		return
	}
	name := v.r.URL.Query().Get("name")
	if len(name) > maxAddress || !isPrintable(name) {
		name = ""
	}
	p.showForm(w, v, http.StatusOK, &form{Name: name})
}

func (p *Portal) showForm(w http.ResponseWriter, v *visit, status int, f *form) {
	f.Office, f.Date = v.client.Office.Name, v.text.date(v.today())
	p.render(w, v, status, formPage, v.text.FormTitle, f)
}

func (v *visit) today() policy.Moment { return policy.DayOf(v.at, v.rules.Town().Zone) }

// mayWrite says whether a request can be written here; if not, the visitor was told why.
func (p *Portal) mayWrite(w http.ResponseWriter, v *visit) bool {
	switch {
	case v.client.Office == nil:
		p.say(w, v, http.StatusForbidden, v.text.HomeTitle, v.text.HomeNobody)
	case !v.Forms:
		p.say(w, v, http.StatusNotFound, v.text.NotFoundTitle, v.text.nextPaper)
	default:
		return true
	}
	return false
}

// readForm reads a form that was sent; otherwise it returns the status and what to say.
func (v *visit) readForm(w http.ResponseWriter) (status int, what string) {
	if kind, _, err := mime.ParseMediaType(v.r.Header.Get("Content-Type")); v.r.ContentLength != 0 && (err != nil || kind != "application/x-www-form-urlencoded") {
		return http.StatusUnsupportedMediaType, v.text.errAsForm
	}
	v.r.Body = http.MaxBytesReader(w, v.r.Body, maxForm)
	err := v.r.ParseForm()
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return http.StatusRequestEntityTooLarge, v.text.errTooLong
	case err != nil:
		return http.StatusBadRequest, v.text.errAsForm
	}
	return 0, ""
}

// submit takes a filled-in form: a draft of a request, and the letter for the office's mailbox, in one transaction.
func (p *Portal) submit(w http.ResponseWriter, v *visit) {
	if !p.mayWrite(w, v) {
		return
	}
	sent := v.r.PostForm
	f := &form{
		Name: strings.TrimSpace(sent.Get("name")), Reason: strings.TrimSpace(typed(sent.Get("reason"))),
		More: typed(sent.Get("more")), Until: strings.TrimSpace(sent.Get("until")),
	}
	draft := p.draft(v, f)
	if len(f.Faults) > 0 {
		p.showForm(w, v, http.StatusUnprocessableEntity, f)
		return
	}
	made, err := p.cfg.Rules.Apply(writer, draft)
	var refusal *policy.Error
	switch {
	case errors.As(err, &refusal) && refusal.Code == policy.Conflict:
		f.Faults = append(f.Faults, fault{Text: v.text.errFull})
	case errors.As(err, &refusal):
		f.Faults = append(f.Faults, fault{Text: v.text.errOther, Detail: refusal.Message})
	case err != nil:
		p.failed(w, v, err)
		return
	default:
		if moved, ok := made[0].(*request.Moved); ok {
			v.seeOther(w, "/request/"+moved.Request.ID.String())
		}
		return
	}
	p.showForm(w, v, http.StatusUnprocessableEntity, f)
}

// typed is a text of several lines without what comes along unseen when it is pasted: line ends of other kinds, and what turns
// the direction of text.
func typed(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\v', c == '\u2028', c == '\u2029':
			return '\n'
		case '\u202a' <= c && c <= '\u202e', '\u2066' <= c && c <= '\u2069':
			return -1
		}
		return c
	}, strings.ReplaceAll(text, "\r\n", "\n"))
}

// writer is who the journal says wrote the requests of the pages: which office, but not from which workstation.
var writer = policy.Actor{Name: "portal", Via: journal.ViaPortal}

func (v *visit) seeOther(w http.ResponseWriter, path string) {
	w.Header().Set("Location", path)
	w.WriteHeader(http.StatusSeeOther)
}

// draft reads the form into a change; what is wrong becomes its faults.
func (p *Portal) draft(v *visit, f *form) draft {
	t := v.text
	bad := func(field, text string) { f.Faults = append(f.Faults, fault{Field: field, Text: text}) }
	d := draft{write: p.cfg.WriteForm, token: request.NewToken()}
	d.Office, d.Unsigned, d.Reason = v.client.Office.ID, true, f.Reason
	d.Link = &policy.Link{Digest: request.TokenDigest(d.token), Until: v.at.Add(linkLife).UTC().Truncate(time.Second)}
	if f.Name == "" {
		bad("name", t.errNameMissing)
	} else if text := t.addressFault(f.Name, t.errName); text != "" {
		bad("name", text)
	} else {
		d.Names = append(d.Names, f.Name)
	}
	switch {
	case f.Reason == "":
		bad("reason", t.errReason)
	case len(f.Reason) > maxReason:
		bad("reason", t.errReasonLong)
	case policy.CheckText("", f.Reason, maxReason) != nil:
		bad("reason", t.errAsForm)
	}
	for line := range strings.Lines(f.More) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if text := t.addressFault(line, t.errMore); text != "" {
			bad("more", text)
			break
		}
		if d.Names = append(d.Names, line); len(d.Names) > maxAddresses {
			bad("more", fill(t.errTooMany, "text", strconv.Itoa(maxAddresses)))
			break
		}
	}
	if f.Until != "" {
		day, ok := readDay(f.Until)
		switch {
		case !ok:
			bad("until", fill(t.errUntil, "text", shorten(f.Until)))
		case day < v.today():
			bad("until", t.errPast)
		default:
			d.Until, f.Until = day, string(day)
		}
	}
	return d
}

// addressFault says what is wrong with an address of a site; other is what to say when it is none.
func (t *texts) addressFault(text, other string) string {
	rule, _, err := request.ParseAsked(text)
	switch {
	case len(text) > maxAddress || !isPrintable(text):
		return fill(other, "text", shorten(text))
	case err != nil && strings.Contains(err.Error(), "public suffix"):
		return fill(t.errSuffix, "text", shorten(text))
	case err != nil || !policy.Browsable([]byte(rule.Name)):
		return fill(other, "text", shorten(text))
	}
	return ""
}

// readDay reads a day as browsers send it, or as people write it where a browser has no field for days.
func readDay(text string) (policy.Moment, bool) {
	for _, layout := range []string{time.DateOnly, "2/1/2006", "2.1.2006", "2-1-2006"} {
		if day, err := time.Parse(layout, text); err == nil {
			return policy.Moment(day.Format(time.DateOnly)), true
		}
	}
	return "", false
}

func isPrintable(text string) bool {
	return utf8.ValidString(text) && policy.CheckText("", text, len(text)) == nil && !strings.ContainsAny(text, "\n\t")
}

func shorten(text string) string {
	const most = 80 // characters
	text = strings.ToValidUTF8(text, "\ufffd")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// draft is a request from the page and the letter to be signed, as one change.
type draft struct {
	request.Submit
	token string // of the one-time link; it is only in the letter
	write func(e *policy.Edit, q *policy.Request, token string) (*policy.Letter, error)
}

// Apply makes the change; its body is a *request.Moved.
func (d draft) Apply(e *policy.Edit) (policy.Made, error) {
	made, err := d.Submit.Apply(e)
	if err != nil {
		return made, err
	}
	if moved, ok := made.Body.(*request.Moved); ok {
		moved.Letter, err = d.write(e, moved.Request, d.token)
	}
	return made, err
}
