package portal

import (
	"encoding/asn1"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"usciere/policy"
)

// ocspTryLater is an OCSPResponse whose status is tryLater(3) (RFC 6960 §4.2.1): who asks goes on without, as its own rules are.
var ocspTryLater = []byte{0x30, 0x03, 0x0a, 0x01, 0x03}

// answerShort answers what is no person opening a page of a sinkholed name, and says whether it was that.
func (v *visit) answerShort(w http.ResponseWriter, name policy.Name) bool {
	r := v.r
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case isOCSP(r):
		w.Header().Set("Content-Type", "application/ocsp-response")
		_, _ = w.Write(ocspTryLater)
	case !reads:
		w.Header().Set("Allow", "GET, HEAD")
		short(w, r, http.StatusMethodNotAllowed, v.text.shortNotAsked)
	case wantsUpgrade(r):
		short(w, r, http.StatusForbidden, v.text.shortNotAsked)
	case isProbe(r, name):
		short(w, r, http.StatusNotFound, v.text.shortNothing)
	case isMachine(r):
		short(w, r, http.StatusForbidden, v.text.shortNotAsked)
	default:
		return false
	}
	return true
}

// short answers with one line of plain text.
func short(w http.ResponseWriter, r *http.Request, status int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, line+"\n")
	}
}

// wantsUpgrade says whether the connection is to become one of another protocol (RFC 9110 §7.8): a WebSocket, mostly. HTTP/2 is
// what a client can do without, and gets its page.
func wantsUpgrade(r *http.Request) bool {
	for _, protocol := range strings.Split(strings.Join(r.Header.Values("Upgrade"), ","), ",") {
		if p := strings.ToLower(strings.TrimSpace(protocol)); p != "" && p != "h2c" && p != "h2" {
			return true
		}
	}
	return false
}

// Where systems look whether they are on the Internet. The answer is neither what they hope for nor a page to log on at.
var (
	probeHosts = []string{
		"captive.apple.com", "connectivitycheck.gstatic.com", "connectivitycheck.android.com", "clients3.google.com", "detectportal.firefox.com",
		"www.msftconnecttest.com", "ipv6.msftconnecttest.com", "www.msftncsi.com", "nmcheck.gnome.org", "network-test.debian.org",
		"connectivity-check.ubuntu.com", "networkcheck.kde.org", "ping.archlinux.org", "conncheck.opensuse.org",
	}
	probePaths = []string{
		"/generate_204", "/gen_204", "/hotspot-detect.html", "/library/test/success.html", "/connecttest.txt", "/ncsi.txt", "/success.txt",
		"/canonical.html", "/check_network_status.txt", "/kindle-wifi/wifistub.html", "/static/hotspot.txt",
	}
)

// isProbe says whether nobody looks at the answer: the probes of networks, of certificates (RFC 8555 §8.3, RFC 5280 §4.2.1.13)
// and of crawlers, and the pictures that browsers look for by themselves.
func isProbe(r *http.Request, name policy.Name) bool {
	at := strings.ToLower(r.URL.Path)
	switch {
	case slices.Contains(probePaths, at), slices.Contains(probeHosts, name.String()):
		return true
	case strings.HasPrefix(at, "/.well-known/"), at == "/robots.txt", at == "/favicon.ico", at == "/browserconfig.xml", at == "/ads.txt",
		strings.HasPrefix(at, "/apple-touch-icon"):
		return true
	case strings.HasPrefix(r.UserAgent(), "CaptiveNetworkSupport"):
		return true
	}
	return slices.Contains([]string{".crl", ".crt", ".cer", ".p7c", ".p7b", ".der"}, path.Ext(at))
}

// isMachine says whether the request is for a part of a page or comes from a program: by where the answer is to go (Fetch
// Metadata), else by what is accepted.
func isMachine(r *http.Request) bool {
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" {
		return !slices.Contains([]string{"document", "iframe", "frame"}, dest)
	}
	if r.Header.Get("X-Requested-With") == "XMLHttpRequest" {
		return true
	}
	accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	return accept != "" && strings.TrimSpace(accept) != "*/*" && !strings.Contains(accept, "text/html") && !strings.Contains(accept, "application/xhtml+xml")
}

// isOCSP says whether a request asks for the state of a certificate (RFC 6960 appendix A.1).
func isOCSP(r *http.Request) bool {
	if r.Method == http.MethodPost {
		return r.Header.Get("Content-Type") == "application/ocsp-request"
	}
	if r.Method != http.MethodGet || len(r.URL.EscapedPath()) > 1024 {
		return false
	}
	// The request is the rest of the path after the server's own, in Base64, whose "/" need not be escaped.
	rest := r.URL.EscapedPath()
	for range 8 {
		_, after, found := strings.Cut(rest, "/")
		if !found {
			return false
		}
		rest = after
		if text, err := url.PathUnescape(rest); err == nil && isOCSPRequest(text) {
			return true
		}
	}
	return false
}

// isOCSPRequest says whether a text is an OCSPRequest in Base64: of its structure the outer parts.
func isOCSPRequest(text string) bool {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	var request struct {
		TBS struct {
			Version   int             `asn1:"optional,explicit,tag:0,default:0"`
			Requestor asn1.RawValue   `asn1:"optional,explicit,tag:1"`
			List      []asn1.RawValue // of Request
			Rest      asn1.RawValue   `asn1:"optional,explicit,tag:2"`
		}
		Signature asn1.RawValue `asn1:"optional,explicit,tag:0"`
	}
	rest, err := asn1.Unmarshal(der, &request)
	return err == nil && len(rest) == 0 && len(request.TBS.List) > 0
}
