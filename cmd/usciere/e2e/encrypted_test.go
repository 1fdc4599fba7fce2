//go:build e2e

package e2e

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"usciere/policy/admin"
	"usciere/resolver/dnstest"
)

// encrypted starts a demo town that is served over TLS, HTTPS and QUIC, with certificates for the names, which it puts into the folder.
func encrypted(t testing.TB, folder string, names ...string) (d *daemon, dot, doh, doq netip.AddrPort) {
	t.Helper()
	return encryptedWith(t, folder, "", names...)
}

// encryptedWith is encrypted with more settings.
func encryptedWith(t testing.TB, folder, more string, names ...string) (d *daemon, dot, doh, doq netip.AddrPort) {
	t.Helper()
	certificates(t, folder, names...)
	config := write(t, filepath.Join(folder, "usciere.yaml"), `
listen: ["127.0.0.1:0"]
state: state
town: {site: [127.10.0.0/16, 127.0.0.1/32]}
portal: {enabled: false}
zones: [{name: intranet.test, records: ["www A 127.0.0.7"]}]
tls:
  certificate: cert.pem
  key: key.pem
  listen: ["127.0.0.1:0"]
  https: ["127.0.0.1:0"]
  quic: ["127.0.0.1:0"]
`+more)
	d = serve(t, setup{args: []string{"--demo", "--config", config}, state: filepath.Join(folder, "state")})
	var status admin.Status
	if code, err := d.try("GET", "/v1/status", nil, &status); err != nil || code != 200 || len(status.Daemon.Encrypted) != 3 {
		t.Fatalf("status %d, %v: %q", code, err, status.Daemon.Encrypted)
	}
	for i, at := range []*netip.AddrPort{&dot, &doh, &doq} {
		text := status.Daemon.Encrypted[i]
		for _, around := range []string{"dot ", "doq ", "https://", "/dns-query", " (HTTP/3 too)"} {
			text = strings.ReplaceAll(text, around, "")
		}
		var err error
		if *at, err = netip.ParseAddrPort(text); err != nil {
			t.Fatal(err)
		}
	}
	return d, dot, doh, doq
}

func TestEncryptedTransportsGiveTheSameVerdicts(t *testing.T) {
	folder := t.TempDir()
	d, dot, doh, doq := encrypted(t, folder)
	// kdig 3.2 forgets +quic when +tls-ca follows it.
	kdig := func(from, hostname string, at netip.AddrPort, options ...string) result {
		t.Helper()
		args := []string{"+retry=0", "+timeout=5", "+edns", "-b", from, "@127.0.0.1", "-p", portOf(at),
			"+tls-ca=" + filepath.Join(folder, "ca.pem"), "+tls-hostname=" + hostname}
		return run(t, exec.Command(tool(t, "kdig"), append(append(args, options...), "www.inps.it")...))
	}
	for _, transport := range []struct {
		name    string
		at      netip.AddrPort
		session string
		options []string
	}{
		{"DoT", dot, ";; TLS session", nil},
		{"DoH by POST", doh, "HTTP session (HTTP/2-POST)", []string{"+https"}},
		{"DoH by GET", doh, "HTTP session (HTTP/2-GET)", []string{"+https", "+https-get"}},
		{"DoQ", doq, ";; QUIC session", []string{"+quic"}},
	} {
		for _, q := range []struct {
			who, from, status string
		}{
			{"an office that has the name", "127.10.1.5", "NOERROR"},
			{"one that has not", "127.10.2.5", "NOERROR"},
			{"a stranger", "127.99.0.1", "REFUSED"},
		} {
			plain := d.dig(q.from, "www.inps.it")
			r := kdig(q.from, "localhost", transport.at, transport.options...)
			got := parseReply(t, r.out)
			if got.status != q.status || got.first() != plain.first() || !strings.Contains(r.out, transport.session) {
				t.Errorf("%s, %s: %s %q; over UDP %s %q\n%s", transport.name, q.who, got.status, got.answer, plain.status, plain.answer, r.out)
			}
			if q.status != "REFUSED" && !strings.Contains(r.out, "PADDING: ") {
				t.Errorf("%s, %s: not padded\n%s", transport.name, q.who, r.out)
			}
		}
		if r := kdig("127.10.1.5", "another.test", transport.at, transport.options...); r.code == 0 || strings.Contains(r.out, "HEADER") {
			t.Errorf("%s: kdig took the certificate for another name's\n%s", transport.name, r)
		}
	}
	said := run(t, exec.Command(tool(t, "curl"), "-v", "--connect-timeout", "2", "--cacert", filepath.Join(folder, "ca.pem"),
		"--doh-url", "https://localhost:"+portOf(doh)+"/dns-query", "http://www.intranet.test:1/"))
	if !strings.Contains(said.err, "DoH A: 127.0.0.7") {
		t.Errorf("curl did not learn the address:\n%s", said.err)
	}
	q, err := question("_dns.resolver.arpa", dns.TypeSVCB).Pack()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := dnstest.ExchangeRaw("udp", d.addr.String(), "", q, patience)
	var announced dns.Msg
	if err != nil || announced.Unpack(raw) != nil {
		t.Fatalf("%v: %x", err, raw)
	}
	var got []string
	for _, rr := range announced.Answer {
		got = append(got, recordText(rr))
	}
	for i, want := range []string{
		`1 localhost. alpn="h2,h3" port="` + portOf(doh) + `" ipv4hint="127.0.0.1" dohpath="/dns-query{?dns}"`,
		`2 localhost. alpn="dot" port="` + portOf(dot) + `" ipv4hint="127.0.0.1"`,
		`3 localhost. alpn="doq" port="` + portOf(doq) + `" ipv4hint="127.0.0.1"`,
	} {
		if len(got) != 3 || got[i] != "_dns.resolver.arpa. SVCB "+want {
			t.Errorf("announced is %q; want %s", got, want)
		}
	}
}

func TestTheCertificateIsWatched(t *testing.T) {
	folder := t.TempDir()
	d, dot, _, _ := encrypted(t, folder)
	if status := d.must("status"); !strings.Contains(status, "expires on") {
		t.Errorf("a certificate of a day is no problem:\n%s", status)
	}
	shown := func() string {
		t.Helper()
		c, err := tls.Dial("tcp", dot.String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return fmt.Sprintf("%x", c.ConnectionState().PeerCertificates[0].Signature)
	}
	before := shown()
	certificates(t, folder)
	d.reload("certificate read again")
	if shown() == before {
		t.Error("after a reload the old certificate is shown")
	}
	write(t, filepath.Join(folder, "key.pem"), "junk")
	d.reload("are no pair")
	if status := d.must("status"); !strings.Contains(status, "are no pair") {
		t.Errorf("a broken key is no problem:\n%s", status)
	}
	if after := shown(); after == before {
		t.Error("with a broken key the first certificate is back")
	}
	refuses(t, served(t, "--config", filepath.Join(folder, "usciere.yaml"), "--state", t.TempDir()), "cert.pem and the key")
}
