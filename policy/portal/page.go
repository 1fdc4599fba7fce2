package portal

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

//go:embed pages
var pages embed.FS

// page is what the layout shows around the body of a page.
type page struct {
	T     *texts
	Title string
	Town  string
	Home  bool // the town's name leads to the portal
	Body  any
}

// Every page is one template in the layout, its style in it, so that it is whole in one request.
var (
	blockPage   = parsePage("block.html")
	messagePage = parsePage("message.html")
	homePage    = parsePage("home.html")
	formPage    = parsePage("form.html")
	statusPage  = parsePage("status.html")
	signPage    = parsePage("sign.html")
)

func parsePage(name string) *template.Template {
	style, err := pages.ReadFile("pages/style.css")
	if err != nil {
		panic(err) // embedded; every test meets it, as with the templates
	}
	funcs := template.FuncMap{"style": func() template.CSS { return template.CSS(style) }}
	return template.Must(template.New("layout.html").Funcs(funcs).ParseFS(pages, "pages/layout.html", "pages/"+name))
}

// styleSource allows the style of the pages, and no other (CSP Level 3 §2.3.1): the digest of what stands in its element.
var styleSource = func() string {
	var b bytes.Buffer
	if err := messagePage.Execute(&b, page{T: &italian, Body: message{}}); err != nil {
		panic(err)
	}
	_, rest, _ := strings.Cut(b.String(), "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

// message is a page that only says something.
type message struct{ What, Help string }

// render writes a page. Forms go to the portal and to nowhere else; own pages are shown in no frame, where what is clicked
// could be hidden.
func (p *Portal) render(w http.ResponseWriter, v *visit, status int, t *template.Template, title string, body any) {
	own := t != blockPage
	var b bytes.Buffer
	if err := t.Execute(&b, page{T: v.text, Title: title, Town: v.Town, Home: own, Body: body}); err != nil {
		p.cfg.Log.Error("a page failed", "page", t.Name(), "error", err)
		short(w, v.r, http.StatusInternalServerError, v.text.shortNothing)
		return
	}
	policy := "default-src 'none'; img-src data:; style-src " + styleSource + "; base-uri 'none'; form-action "
	h := w.Header()
	if own {
		policy += "'self'; frame-ancestors 'none'"
		h.Set("Referrer-Policy", "same-origin") // with no-referrer, a form would come without its origin
	} else {
		policy += v.origin
		h.Set("Referrer-Policy", "no-referrer")
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.text.tag)
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes())
	}
}

// say writes a page that only says something.
func (p *Portal) say(w http.ResponseWriter, v *visit, status int, title, what string) {
	p.render(w, v, status, messagePage, title, message{What: what, Help: v.callIT()})
}
