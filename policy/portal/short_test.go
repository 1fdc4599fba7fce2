package portal

import (
	"encoding/base64"
	"encoding/hex"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// ocspRequest is one that openssl 3.0 made: openssl ocsp -issuer … -cert … -reqout.
const ocspRequest = "3042304030" + "3e303c303a300906052b0e03021a05000414" + "1111111111111111111111111111111111111111" + "0414" + "2222222222222222222222222222222222222222" + "0201" + "01"

func TestWhatIsNoPersonOpeningAPageGetsAShortAnswer(t *testing.T) {
	p := open(t)
	der, err := hex.DecodeString(ocspRequest)
	if err != nil {
		t.Fatal(err)
	}
	ocsp := base64.StdEncoding.EncodeToString(der)
	for _, tc := range []struct {
		name, method, host, path string
		header                   []string
		status                   int
		kind                     string // of the content; "text/html" = the page
	}{
		{"a page", "GET", "www.inps.it", "/", nil, 403, "text/html"},
		{"a page asked for by anything", "GET", "www.inps.it", "/", []string{"Accept: */*"}, 403, "text/html"},
		{"a page in a frame", "GET", "www.inps.it", "/", []string{"Sec-Fetch-Dest: iframe"}, 403, "text/html"},
		{"a picture", "GET", "www.inps.it", "/a.png", []string{"Accept: image/avif,image/webp,*/*;q=0.8"}, 403, "text/plain"},
		{"a style", "GET", "www.inps.it", "/a.css", []string{"Accept: text/css,*/*;q=0.1"}, 403, "text/plain"},
		{"a script, by its destination", "GET", "www.inps.it", "/a.js", []string{"Accept: */*", "Sec-Fetch-Dest: script"}, 403, "text/plain"},
		{"a fetch", "GET", "www.inps.it", "/api", []string{"Sec-Fetch-Dest: empty"}, 403, "text/plain"},
		{"JSON", "GET", "www.inps.it", "/api", []string{"Accept: application/json"}, 403, "text/plain"},
		{"XMLHttpRequest", "GET", "www.inps.it", "/api", []string{"X-Requested-With: XMLHttpRequest"}, 403, "text/plain"},
		{"a favicon", "GET", "www.inps.it", "/favicon.ico", nil, 404, "text/plain"},
		{"another icon", "GET", "www.inps.it", "/apple-touch-icon-120x120.png", nil, 404, "text/plain"},
		{"an ACME challenge", "GET", "www.inps.it", "/.well-known/acme-challenge/token", nil, 404, "text/plain"},
		{"Android's probe", "GET", "connectivitycheck.gstatic.com", "/generate_204", nil, 404, "text/plain"},
		{"Apple's probe", "GET", "captive.apple.com", "/hotspot-detect.html", nil, 404, "text/plain"},
		{"Firefox' probe", "GET", "detectportal.firefox.com", "/canonical.html", nil, 404, "text/plain"},
		{"Windows' probe", "GET", "www.msftconnecttest.com", "/redirect", nil, 404, "text/plain"},
		{"an OCSP request in a path", "GET", "ocsp.example.com", "/" + ocsp, nil, 200, "application/ocsp-response"},
		{"an OCSP request in an escaped path", "GET", "ocsp.example.com", "/a/b/" + url.PathEscape(ocsp), nil, 200, "application/ocsp-response"},
		{"a POST of an OCSP request", "POST", "ocsp.example.com", "/", []string{"Content-Type: application/ocsp-request"}, 200, "application/ocsp-response"},
		{"Base64 that is no OCSP request", "GET", "www.inps.it", "/TWFu", nil, 403, "text/html"},
		{"a CRL", "GET", "crl.example.com", "/ca.crl", nil, 404, "text/plain"},
		{"an issuer's certificate", "GET", "pki.example.com", "/CA.CRT", nil, 404, "text/plain"},
		{"a WebSocket", "GET", "www.inps.it", "/ws", []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"}, 403, "text/plain"},
		{"HTTP/2 offered", "GET", "www.inps.it", "/", []string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"}, 403, "text/html"},
		{"a POST", "POST", "www.inps.it", "/", nil, 405, "text/plain"},
		{"a PUT", "PUT", "www.inps.it", "/", nil, 405, "text/plain"},
		{"a preflight", "OPTIONS", "www.inps.it", "/", []string{"Origin: http://x.it", "Access-Control-Request-Method: POST"}, 405, "text/plain"},
		{"an odd method", "BREW", "www.inps.it", "/", nil, 405, "text/plain"},
		{"a HEAD", "HEAD", "www.inps.it", "/", nil, 403, "text/html"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := p.ask(anagrafe, tc.method, tc.host, tc.path, "", tc.header...)
			kind, _, _ := strings.Cut(r.header.Get("Content-Type"), ";")
			if r.status != tc.status || kind != tc.kind {
				t.Errorf("%d %s %.80q, want %d %s", r.status, kind, r.body, tc.status, tc.kind)
			}
			if tc.kind == "text/plain" && (len(r.body) > 200 || strings.Contains(r.body, "<")) || tc.method == "HEAD" && r.body != "" {
				t.Errorf("answer %q", r.body)
			}
			if tc.kind == "application/ocsp-response" && r.body != "\x30\x03\x0a\x01\x03" {
				t.Errorf("answer %x", r.body)
			}
			if r.status == 405 && r.header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow: %q", r.header.Get("Allow"))
			}
			if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("header %v", r.header)
			}
		})
	}
}

// S18, and the faults of others: what a client may write where a name belongs.
func TestAHostileHostNeverReachesAPage(t *testing.T) {
	p := open(t)
	label := strings.Repeat("a", 63)
	for _, host := range []string{
		"<script>alert(1)</script>", "www.inps.it\"><img>", "a'b.it", "a\x00b.it", "\xff\xfe.it", strings.Repeat("a", 256) + ".it",
		strings.Join([]string{label, label, label, label, "it"}, "."), "a..it", ".", "", "a b.it", "www.inps.it:80:80", "www.inps.it:http", "[::1", "[1.2.3.4]",
		"user@host.it", "a/b.it", "a\\b.it", "%3Cscript%3E.it", "${x}.it", "a;b.it",
	} {
		out := p.raw(anagrafe, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		if out != "" && !strings.HasPrefix(out, "HTTP/1.1 400 ") || strings.Contains(out, "<script") || strings.Contains(out, "<img") {
			t.Errorf("Host %.60q: %.200s", host, out)
		}
		// What net/http would have refused is refused here too.
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Host, r.RemoteAddr = host, anagrafe+":1234"
		p.portal.ServeHTTP(w, r)
		if w.Code != 400 || strings.Contains(w.Body.String(), "<") {
			t.Errorf("Host %.60q: status %d, %.200s", host, w.Code, w.Body)
		}
	}
	for _, split := range []string{
		"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a.it\r\nHost: b.it\r\n\r\n", "GET / HTTP/1.1\r\nHost: a.it\r\n X: y\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.it\r\nX-Long: " + strings.Repeat("x", 40<<10) + "\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00", "GET /\r\n\r\n", "\r\n\r\n\r\n",
		"GET / HTTP/9.9\r\nHost: a.it\r\n\r\n", "GET " + strings.Repeat("/", 40<<10) + " HTTP/1.1\r\nHost: a.it\r\n\r\n",
	} {
		if out := p.raw(anagrafe, split); strings.Contains(out, "200 OK") || strings.Contains(out, "<html") {
			t.Errorf("%.60q: %.100s", split, out)
		}
	}
}

func TestNothingIsProxied(t *testing.T) {
	p := open(t)
	for _, request := range []string{
		"CONNECT www.inps.it:443 HTTP/1.1\r\nHost: www.inps.it:443\r\n\r\n",
		"GET http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
		"GET http://usciere.internal/ HTTP/1.1\r\nHost: usciere.internal\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: www.inps.it\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		out := p.raw(anagrafe, request)
		if !strings.HasPrefix(out, "HTTP/1.1 403 ") && !strings.HasPrefix(out, "HTTP/1.1 400 ") && !strings.HasPrefix(out, "HTTP/1.1 505 ") || strings.Contains(out, "<html") {
			t.Errorf("%q: %.200s", request, out)
		}
	}
}

func TestAConnectionHasOneRequest(t *testing.T) {
	p := open(t)
	one := "GET / HTTP/1.1\r\nHost: www.inps.it\r\nConnection: keep-alive\r\n\r\n"
	out := p.raw(anagrafe, one+one)
	if strings.Count(out, "HTTP/1.1 403") != 1 || !strings.Contains(out, "Connection: close") {
		t.Errorf("%d answers", strings.Count(out, "HTTP/1.1 "))
	}
}

func TestOutsideTheSiteNothingIsSaid(t *testing.T) {
	p := open(t)
	if out := p.raw(outside, "GET / HTTP/1.1\r\nHost: www.inps.it\r\n\r\n"); out != "" {
		t.Errorf("got %q", out)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "http://usciere.internal/", nil)
	r.RemoteAddr = outside + ":1"
	p.portal.ServeHTTP(w, r)
	if w.Code != 403 || w.Body.Len() != 0 {
		t.Errorf("status %d, %q", w.Code, w.Body)
	}
}

func TestAHostIsANameOrAnAddress(t *testing.T) {
	for _, tc := range []struct{ host, name, addr string }{
		{"www.inps.it", "www.inps.it", ""}, {"WWW.Inps.IT.:8080", "www.inps.it", ""}, {"città.it", "xn--citt-3na.it", ""}, {"a_b.it", "a_b.it", ""},
		{"10.0.0.1", "", "10.0.0.1"}, {"10.0.0.1:80", "", "10.0.0.1"}, {"[::1]", "", "::1"}, {"[::1]:80", "", "::1"}, {"[fe80::1%25eth0]", "", "fe80::1"},
		{"www.inps.it:", "www.inps.it", ""},
	} {
		n, a, ok := readHost(tc.host)
		if !ok || tc.name != "" && n.String() != tc.name || tc.addr != "" && a != netip.MustParseAddr(tc.addr) {
			t.Errorf("%q: %q, %v, %v", tc.host, n, a, ok)
		}
	}
}
