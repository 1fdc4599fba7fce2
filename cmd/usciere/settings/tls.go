package settings

import (
	"slices"
	"strings"
)

// TLS is the encrypted service: DNS over TLS, HTTPS and QUIC, with one certificate.
type TLS struct {
	Certificate string   `yaml:"certificate" doc:"File of the certificate (PEM), the chain behind it included. A relative path starts at the settings file's folder. A file that changes is read again." example:"/etc/usciere/dns.pem" reload:"restart"`
	Key         string   `yaml:"key" doc:"File of its key (PEM), unencrypted." example:"/etc/usciere/dns.key" reload:"restart"`
	Listen      []string `yaml:"listen" doc:"Where to answer DNS over TLS: address:port, in quotes; the usual port is 853." example:"[\"10.20.0.53:853\"]" reload:"restart"`
	HTTPS       []string `yaml:"https" doc:"Where to answer DNS over HTTPS, under /dns-query; the usual port is 443." example:"[\"10.20.0.53:443\"]" reload:"restart"`
	HTTP3       bool     `yaml:"http3" doc:"Answer DNS over HTTPS over HTTP/3 as well, at the same addresses and ports over UDP." reload:"restart"`
	QUIC        []string `yaml:"quic" doc:"Where to answer DNS over QUIC, which is UDP; the usual port is 853." example:"[\"10.20.0.53:853\"]" reload:"restart"`
	Name        string   `yaml:"name" doc:"Name under which workstations are told of all this (DDR, RFC 9462); the certificate must be for it." def:"the first name in the certificate" example:"dns.comune.example.it"`
}

// Served says whether anything is served encrypted.
func (t TLS) Served() bool { return len(t.Listen)+len(t.HTTPS)+len(t.QUIC) > 0 }

func (r *report) tls(s Settings) {
	t := s.TLS
	r.path("tls.certificate", t.Certificate)
	r.path("tls.key", t.Key)
	if t.Name != "" {
		if _, err := checkDomain(t.Name); err != nil {
			r.key("tls.name", "%s", err)
		}
	}
	for _, list := range []struct {
		key   string
		addrs []string
	}{{"tls.listen", t.Listen}, {"tls.https", t.HTTPS}, {"tls.quic", t.QUIC}} {
		for i, l := range list.addrs {
			if _, err := ParseListen(l); err != nil {
				r.key(index(list.key, i), "%s", err)
			}
		}
		once(r, list.key, list.addrs)
	}
	var http3 []string
	if t.HTTP3 {
		http3 = t.HTTPS
	}
	for _, clash := range []struct {
		key    string
		addrs  []string
		others string
		taken  []string
	}{
		{"tls.listen", t.Listen, "listen", s.Listen},
		{"tls.https", t.HTTPS, "listen", s.Listen},
		{"tls.https", t.HTTPS, "tls.listen", t.Listen},
		{"tls.https", t.HTTPS, "portal.listen", s.Portal.Listen},
		{"tls.https", t.HTTPS, "portal.https", s.Portal.HTTPS},
		{"tls.quic", t.QUIC, "listen", s.Listen},
		{"tls.quic", t.QUIC, "tls.https, for HTTP/3", http3},
	} {
		for i, l := range clash.addrs {
			if slices.Contains(clash.taken, l) && !strings.HasSuffix(l, ":0") {
				r.key(index(clash.key, i), "%s is in %s already", l, clash.others)
			}
		}
	}
	switch {
	case t.Served() && (t.Certificate == "" || t.Key == ""):
		r.key("tls", "expected certificate and key, with which to encrypt")
	case !t.Served() && (t.Certificate != "" || t.Key != ""):
		r.key("tls", "expected where to serve with the certificate: listen, https or quic")
	}
}
