package listen

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var token = strings.Repeat("abcdefg2", 4)

// pairOf is a client certificate, and the hash it is known by.
func pairOf(t *testing.T, until time.Time) (pair tls.Certificate, key [sha256.Size]byte) {
	t.Helper()
	certificate, private := issue(t, until)
	pair, err := tls.X509KeyPair(certificate, private)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(certificate)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return pair, sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
}

// howAsked are ways to ask with something to show.
var howAsked = []struct {
	name      string
	showsPath bool // else the label before the server's name, or a certificate
	ask       func(t *testing.T, s *Server, client *tls.Config, path string) []byte
}{
	{"TLS", false, func(t *testing.T, s *Server, client *tls.Config, _ string) []byte {
		c, err := dialTLS(t, "", s.TLSAddrs()[0], client, "dot")
		if err != nil {
			t.Fatal(err)
		}
		send(t, c, message("x"))
		return receive(t, c)
	}},
	{"QUIC", false, func(t *testing.T, s *Server, client *tls.Config, _ string) []byte {
		return overQUIC(t, s, client, queryWith(0, ""))
	}},
	{"HTTP/1.1", true, overHTTP(1)}, {"HTTP/2", true, overHTTP(2)}, {"HTTP/3", true, overHTTP(3)},
}

func overHTTP(version int) func(t *testing.T, s *Server, client *tls.Config, path string) []byte {
	return func(t *testing.T, s *Server, client *tls.Config, path string) []byte {
		res, text := ask(t, browser(t, client, version, ""), "POST", "https://"+s.HTTPSAddrs()[0].String()+WebPath+path, messageType, message("x"))
		if res.StatusCode != 200 {
			t.Errorf("%s", res.Status)
		}
		return text
	}
}

func TestWhatAClientShowsComesWithItsQuestions(t *testing.T) {
	pair, key := pairOf(t, time.Now().Add(-time.Hour)) // its dates do not count
	hash := sha256.Sum256([]byte(token))
	for _, later := range []bool{false, true} {
		seen := make(chan *Claim, 1)
		s, trust := startEncrypted(t, Config{WantCertificate: func() bool { return true }}, handlerFunc(func(r *Request) {
			if !later {
				seen <- r.Claim
				r.Reply(r.Packet)
				return
			}
			d, _ := r.Detach()
			go func() { seen <- d.Claim; d.Reply(d.Packet) }()
		}))
		for _, how := range howAsked {
			for _, test := range []struct {
				name, server, path string
				certificate        bool
				want               *Claim
			}{
				{"nothing", "dns.test", "", false, nil},
				{"a label", token + ".dns.test", "", false, &Claim{Token: hash}},
				{"a label in capitals", strings.ToUpper(token) + ".dns.test", "", false, &Claim{Token: hash}},
				{"a label that is no token", "www.dns.test", "", false, nil},
				{"a label of other characters", strings.Repeat("abcdefg1", 4) + ".dns.test", "", false, nil},
				{"a certificate", "dns.test", "", true, &Claim{Certificate: key}},
				{"both", token + ".dns.test", "", true, &Claim{Token: hash, Certificate: key}},
				{"a path", "dns.test", "/" + token, false, &Claim{Token: hash}},
				{"a path before a label", strings.Repeat("z", TokenLength) + ".dns.test", "/" + token, true, &Claim{Token: hash, Certificate: key}},
			} {
				if test.path != "" && !how.showsPath {
					continue
				}
				client := trust.Clone()
				client.ServerName, client.ClientSessionCache = test.server, nil
				if test.certificate {
					client.Certificates = []tls.Certificate{pair}
				}
				how.ask(t, s, client, test.path)
				got := <-seen
				if (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
					t.Errorf("%s over %s, later %t: %x, not %x", test.name, how.name, later, got, test.want)
				}
			}
		}
	}
}

func TestNobodyIsAskedForACertificateThatIsNotWanted(t *testing.T) {
	pair, key := pairOf(t, time.Now().Add(time.Hour))
	var wanted atomic.Bool
	seen := make(chan *Claim, 1)
	s, trust := startEncrypted(t, Config{WantCertificate: wanted.Load}, handlerFunc(func(r *Request) {
		seen <- r.Claim
		r.Reply(r.Packet)
	}))
	trust.Certificates, trust.ClientSessionCache = []tls.Certificate{pair}, nil
	for _, asked := range []bool{false, true} {
		wanted.Store(asked)
		for _, how := range howAsked {
			how.ask(t, s, trust, "")
			if got := <-seen; asked != (got != nil && got.Certificate == key) {
				t.Errorf("over %s, wanted %t: %x", how.name, asked, got)
			}
		}
	}
}

// A ticket keeps the certificate that was shown with it.
func TestACertificateIsKnownAgainWithATicket(t *testing.T) {
	pair, key := pairOf(t, time.Now().Add(time.Hour))
	seen := make(chan *Claim, 1)
	s, trust := startEncrypted(t, Config{WantCertificate: func() bool { return true }}, handlerFunc(func(r *Request) {
		seen <- r.Claim
		r.Reply(r.Packet)
	}))
	trust.Certificates = []tls.Certificate{pair}
	for i := range 3 {
		c, err := dialTLS(t, "", s.TLSAddrs()[0], trust, "dot")
		if err != nil {
			t.Fatal(err)
		}
		send(t, c, message("x"))
		receive(t, c)
		if got := <-seen; got == nil || got.Certificate != key || c.ConnectionState().DidResume != (i > 0) {
			t.Errorf("%x, resumed %t", got, c.ConnectionState().DidResume)
		}
	}
}

func TestAStrangerThatShowsWhoseItIsIsNoneAnyMore(t *testing.T) {
	hash := sha256.Sum256([]byte(token))
	other := strings.Repeat("z", TokenLength)
	from := netip.MustParseAddr("127.0.0.1")
	known := func(c *Claim, client netip.Addr) bool { return c.Token == hash && client == from }
	strange := func(netip.Addr) bool { return true }
	t.Run("over TLS", func(t *testing.T) {
		t.Parallel()
		s, trust := startEncrypted(t, Config{Guest: strange, Known: known}, echo)
		for label, questions := range map[string]int{token: 20, other: 1} {
			client := trust.Clone()
			client.ServerName = label + ".dns.test"
			c, err := dialTLS(t, "127.0.0.1", s.TLSAddrs()[0], client, "dot")
			if err != nil {
				t.Fatal(err)
			}
			for range questions {
				send(t, c, message("x"))
				receive(t, c)
			}
			if label == token {
				time.Sleep(guestTime + 100*time.Millisecond)
				send(t, c, message("x"))
				receive(t, c)
			}
		}
	})
	t.Run("over QUIC", func(t *testing.T) {
		t.Parallel()
		s, trust := startEncrypted(t, Config{Guest: strange, Known: known}, echo)
		for label, more := range map[string]bool{token: true, other: false} {
			client := trust.Clone()
			client.ServerName = label + ".dns.test"
			conn, err := dialQUIC(t, "127.0.0.1", s.QUICAddrs()[0], client)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				reply, err := exchangeQUIC(conn, framed(queryWith(0, "")))
				if answered := err == nil && len(reply) > 2; answered != (i == 0 || more) {
					t.Fatalf("question %d, known %t: %x, %v", i, more, reply, err)
				}
			}
		}
	})
	for _, version := range versions {
		t.Run(fmt.Sprintf("over HTTP/%d", version), func(t *testing.T) {
			t.Parallel()
			s, trust := startEncrypted(t, Config{Guest: strange, Known: known}, echo)
			url := "https://" + s.HTTPSAddrs()[0].String() + WebPath
			c := browser(t, trust, version, "127.0.0.1")
			for i := range 20 {
				if res, text := ask(t, c, "POST", url+"/"+token, messageType, message("x")); res.StatusCode != 200 || !bytes.Equal(text, message("x")) {
					t.Fatalf("question %d over HTTP/%d: %s", i, version, res.Status)
				}
				if i == 10 {
					time.Sleep(guestTime + 100*time.Millisecond)
				}
			}
			if n := s.Stats().TCPConns; n != 1 {
				t.Errorf("%d connections over HTTP/%d", n, version)
			}
			c = browser(t, trust, version, "127.0.0.1")
			if res, _ := ask(t, c, "POST", url+"/"+other, messageType, message("x")); res.StatusCode != 200 {
				t.Errorf("a token that is none over HTTP/%d: %s", version, res.Status)
			}
			eventually(t, "only the one that is known stays", func() bool { return s.Stats().TCPConns <= 1 })
		})
	}
}

func TestATokenInAPathIsAllThatFollows(t *testing.T) {
	for path, want := range map[string]struct {
		token  string
		served bool
	}{
		WebPath: {"", true}, WebPath + "/" + token: {token, true},
		WebPath + "/": {}, WebPath + "/" + token + "/": {}, WebPath + "//" + token: {}, WebPath + token: {}, WebPath + "/x": {}, "/": {}, "": {}, "/x" + WebPath: {},
		WebPath + "/" + strings.ToUpper(token): {}, WebPath + "/" + token[1:]: {}, WebPath + "/../" + token[3:]: {},
	} {
		if token, served := webToken(path); token != want.token || served != want.served {
			t.Errorf("%q: %q, %t", path, token, served)
		}
	}
}
