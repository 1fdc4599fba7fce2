package portal

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"usciere/policy"
	"usciere/policy/admin"
	"usciere/policy/portal/authority"
)

// secure serves a place over HTTPS, and returns where, and the root.
func (p *place) secure() (addr string, roots *x509.CertPool, c *Certificates) {
	p.Helper()
	root, err := authority.Create(p.TempDir(), "Comune di Prova", p.clock())
	if err != nil {
		p.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(root.Root)
	c = NewCertificates(p.portal, root)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.Fatal(err)
	}
	s := NewServer(p.portal, c.Get, Limits{})
	served := make(chan error, 1)
	go func() { served <- s.ServeTLS(l) }()
	p.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			p.Error(err)
		}
		<-served
	})
	return l.Addr().String(), roots, c
}

// shake makes a handshake from a workstation, and asks for a page.
func (p *place) shake(from, addr, host string, cfg *tls.Config) (page string, state tls.ConnectionState, err error) {
	p.Helper()
	raw, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", addr)
	if err != nil {
		p.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(10 * time.Second))
	conn := tls.Client(raw, cfg)
	if err := conn.Handshake(); err != nil {
		return "", state, err
	}
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host)
	text, err := io.ReadAll(conn)
	return string(text), conn.ConnectionState(), err
}

func TestThePageOverHTTPSHasACertificateForWhatIsBlockedAlone(t *testing.T) {
	p := open(t)
	p.do(policy.AddGrants{Subject: policy.Subject{Office: "anagrafe"}, Names: []string{"granted.example.it"}, Protocol: "1/2026", Reason: "per l'ufficio"})
	p.judge["zone.example.it"] = admin.Judgement{Local: "zone example.it"}
	p.judge["closed.example.it"] = admin.Judgement{Closed: "closed.example.it"}
	addr, roots, c := p.secure()
	_, port, _ := net.SplitHostPort(addr)
	for _, tc := range []struct {
		from, name string
		ok         bool
	}{
		{anagrafe, "www.inps.it", true},
		{anagrafe, "WWW.inps.it", true},
		{anagrafe, own, true},
		{tributi, "granted.example.it", true},
		{noOffice, "www.inps.it", true},
		{anagrafe, "granted.example.it", false},
		{manager, "www.inps.it", false},
		{anagrafe, "zone.example.it", false},
		{anagrafe, "closed.example.it", false},
		{anagrafe, "intranet", false},
		{anagrafe, "pc.local", false},
		{outside, "www.inps.it", false},
	} {
		page, state, err := p.shake(tc.from, addr, tc.name, &tls.Config{ServerName: tc.name, RootCAs: roots, Time: p.clock, NextProtos: []string{"h2", "http/1.1"}})
		if (err == nil) != tc.ok {
			t.Errorf("%s asks for %s: %v", tc.from, tc.name, err)
			continue
		}
		if err == nil && (state.NegotiatedProtocol != "http/1.1" || !strings.HasPrefix(page, "HTTP/1.1 ")) {
			t.Errorf("%s: %q, %.60q", tc.name, state.NegotiatedProtocol, page)
		}
		if tc.name == "www.inps.it" && tc.ok && !strings.Contains(page, "form-action https://usciere.internal:"+port) {
			t.Errorf("the page leads elsewhere: %.400q", page)
		}
	}
	for _, cfg := range []*tls.Config{{InsecureSkipVerify: true}, {InsecureSkipVerify: true, ServerName: "127.0.0.1"}} {
		_, state, err := p.shake(anagrafe, addr, own, cfg)
		if err != nil || state.PeerCertificates[0].VerifyHostname(own) != nil {
			t.Errorf("without a name: %v", err)
		}
	}
	if _, _, err := p.shake(anagrafe, addr, own, &tls.Config{ServerName: own, RootCAs: roots, Time: p.clock, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	for n := range c.names {
		if strings.HasPrefix(n, "zone") || strings.HasPrefix(n, "closed") || n == "intranet" {
			t.Errorf("a certificate for %s was made", n)
		}
	}
}

// counting makes no certificates, but counts how often it is asked to.
type counting struct{ made int }

func (c *counting) Issue(_ string, now time.Time) (*tls.Certificate, error) {
	c.made++
	return &tls.Certificate{Leaf: &x509.Certificate{NotBefore: now.Add(-time.Hour), NotAfter: now.Add(7 * 24 * time.Hour)}}, nil
}

func TestCertificatesAreKeptAndBounded(t *testing.T) {
	p := open(t)
	issuer := &counting{}
	c := NewCertificates(p.portal, issuer)
	client := netip.MustParseAddr(anagrafe)
	ask := func(text string) error {
		_, err := c.get(client, name(t, text))
		return err
	}
	for range 5 {
		if err := ask("www.inps.it"); err != nil {
			t.Fatal(err)
		}
	}
	if issuer.made != 1 {
		t.Errorf("made %d times", issuer.made)
	}
	p.advance(6*24*time.Hour + time.Minute)
	if err := ask("www.inps.it"); err != nil || issuer.made != 2 {
		t.Errorf("shortly before its end: made %d times, %v", issuer.made, err)
	}
	refused := 0
	for i := range 200 {
		if ask(fmt.Sprintf("www.a%d.it", i)) != nil {
			refused++
		}
	}
	if made := issuer.made; refused == 0 || made > clientBurst+2 {
		t.Errorf("one client had %d made at once, %d refused", made, refused)
	}
	for i := range 3 * maxCertificates {
		p.advance(time.Second)
		if err := ask(fmt.Sprintf("www.b%d.it", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.names) > maxCertificates || c.used.Len() != len(c.names) {
		t.Errorf("%d are kept, %d in order", len(c.names), c.used.Len())
	}
}
