package portal

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func FuzzHost(f *testing.F) {
	for _, s := range []string{"www.inps.it", "a:80", "[::1]:80", "10.0.0.1", "città.it", "xn--a.it", "<script>", "\xff", strings.Repeat("a.", 200), "xn--80ak6aa92e.com"} {
		f.Add(s)
	}
	p := open(f)
	f.Fuzz(func(t *testing.T, host string) {
		name, address, ok := readHost(host)
		if ok && (name == "") != address.IsValid() {
			t.Errorf("%q is both or neither", host)
		}
		if name != "" {
			if u := unicodeOf(name); strings.ContainsAny(u, "<>\"'& ") {
				t.Errorf("%q is shown as %q", host, u)
			}
		}
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.Host, r.RemoteAddr = host, anagrafe+":1"
		p.portal.ServeHTTP(w, r)
		_, body, _ := strings.Cut(w.Body.String(), "</style>")
		if strings.Contains(body, "<script") || w.Code == 500 {
			t.Errorf("%q: status %d, %s", host, w.Code, body)
		}
	})
}

func FuzzAcceptLanguage(f *testing.F) {
	for _, s := range []string{"it", "en-US,en;q=0.9", "*", "a-b-c-d;q=,;;", strings.Repeat("en-", 500), "\x00", "de-DE-u-co-phonebk"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		if textsFor(accept) == nil {
			t.Errorf("%q: no language", accept)
		}
	})
}

func FuzzForm(f *testing.F) {
	for _, s := range []string{"name=www.inps.it&reason=x&more=a.it%0Ab.it&until=2027-01-01", "name=%00&reason=%ff", "&&==;", "name=a&name=b", "until=99/99/9999&name=.it&reason=%0d%0a"} {
		f.Add(s)
	}
	p := open(f)
	f.Fuzz(func(t *testing.T, body string) {
		p.advance(postEvery)
		w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/request", strings.NewReader(body))
		r.Host, r.RemoteAddr = own, anagrafe+":1"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		p.portal.ServeHTTP(w, r)
		_, text, _ := strings.Cut(w.Body.String(), "</style>")
		if w.Code == 500 || strings.Contains(text, "<script") {
			t.Errorf("%q: status %d\n%s", body, w.Code, text)
		}
		if values, err := url.ParseQuery(body); err != nil && len(body) < maxForm && w.Code == 303 {
			t.Errorf("%q, %v: accepted although %v", body, values, err)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", "/request", "/request/r-1", "/sign/x", "/request/../sign", "//", "/%00", "/request/r-1/letter", "/request?name=%22", "/MEIwQDA+"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	p := open(f)
	f.Fuzz(func(t *testing.T, target string, mine bool) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.URL, r.RequestURI, r.RemoteAddr, r.Host = u, target, anagrafe+":1", "www.inps.it"
		if mine {
			r.Host = own
		}
		p.portal.ServeHTTP(w, r)
		if _, text, _ := strings.Cut(w.Body.String(), "</style>"); w.Code == 500 || strings.Contains(text, "<script") {
			t.Errorf("%q: status %d\n%s", target, w.Code, text)
		}
		if to := w.Header().Get("Location"); strings.Contains(to, "//") && !strings.HasPrefix(to, "/") {
			t.Errorf("%q leads to %q", target, to)
		}
	})
}
