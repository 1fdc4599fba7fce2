package upstream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/resolver/listen"
)

// authority makes certificates of its own.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func (a *authority) issue(t *testing.T, name string, until time.Time) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// secureServer answers over all encrypted secureTransports, and notes what it was asked.
type secureServer struct {
	*listen.Server
	mu    sync.Mutex
	asked []int // lengths
	from  map[netip.AddrPort]bool
	mute  bool
}

func (s *secureServer) Serve(r *listen.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, len(r.Packet))
	s.from[r.Client] = true
	q := new(dns.Msg)
	if s.mute || q.Unpack(r.Packet) != nil || strings.HasPrefix(q.Question[0].Name, "silent.") {
		return
	}
	m := new(dns.Msg).SetReply(q)
	rr, _ := dns.NewRR(q.Question[0].Name + " 300 IN A 192.0.2.10")
	m.Answer = []dns.RR{rr}
	m.SetEdns0(1232, false)
	msg, _ := m.Pack()
	r.Reply(msg)
}

func (s *secureServer) silence(mute bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = mute
}

func serveSecurely(t *testing.T, cert *tls.Certificate, at ...string) *secureServer {
	t.Helper()
	addr := append(at, "127.0.0.1:0")[0]
	cfg := listen.Config{Addrs: []string{"127.0.0.1:0"}, TLS: []string{addr}, QUIC: []string{addr}, Log: slog.New(slog.DiscardHandler),
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert, nil }}
	cfg.HTTPS = []string{"127.0.0.1:0"}
	server, err := listen.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &secureServer{Server: server, from: map[netip.AddrPort]bool{}}
	served := make(chan error, 1)
	go func() { served <- server.Serve(s) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
		<-served
	})
	return s
}

func (s *secureServer) at(over Over) netip.AddrPort {
	switch over {
	case TLS:
		return s.TLSAddrs()[0]
	case HTTPS:
		return s.HTTPSAddrs()[0]
	default:
		return s.QUICAddrs()[0]
	}
}

var secureTransports = []Over{TLS, HTTPS, QUIC}

func secureGroup(t *testing.T, addr netip.AddrPort, how Secure) *Group {
	t.Helper()
	g := New(Config{Name: "secure", Servers: []netip.AddrPort{addr}, Secure: map[netip.AddrPort]Secure{addr: how}, TryTimeout: time.Second, Timeout: 2 * time.Second})
	t.Cleanup(g.Close)
	return g
}

func askSecure(t *testing.T, g *Group, name string) (Answer, error) {
	t.Helper()
	b := make([]byte, 256)
	n, err := dns.PackDomainName(name, b, 0, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		a   Answer
		err error
	}
	done := make(chan outcome, 1)
	if err := g.Start(Question{Name: string(b[:n]), Type: dns.TypeA, Class: dns.ClassINET}, Keeper{}, func(a Answer, err error) { done <- outcome{a, err} }); err != nil {
		t.Fatal(err)
	}
	o := <-done
	return o.a, o.err
}

func TestAServerIsAskedOverAnEncryptedTransport(t *testing.T) {
	ca := newAuthority(t)
	s := serveSecurely(t, ca.issue(t, "dns.example", time.Now().Add(time.Hour)))
	for _, over := range secureTransports {
		t.Run(string(over), func(t *testing.T) {
			s.mu.Lock()
			s.asked = nil
			s.mu.Unlock()
			key := sha256.Sum256(ca.cert.RawSubjectPublicKeyInfo)
			g := secureGroup(t, s.at(over), Secure{Over: over, Name: "dns.example", Roots: ca.pool(), Pins: [][]byte{key[:]}})
			var all sync.WaitGroup
			for i := range 40 {
				all.Go(func() {
					a, err := askSecure(t, g, strings.Repeat("x", i+1)+".example.com.")
					if err != nil || len(a.Msg) == 0 {
						t.Error(err)
					}
				})
			}
			all.Wait()
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.asked) != 40 {
				t.Errorf("%d questions came", len(s.asked))
			}
			for _, n := range s.asked {
				if n%128 != 0 {
					t.Errorf("a query of %d octets is not padded", n)
				}
			}
			if conns := s.Stats().TCPConns; conns > 6 {
				t.Errorf("%d connections are open after all", conns)
			}
			if st := g.Servers()[0]; st.State != OK || st.Over != over || st.Name != "dns.example" || st.Queries != 40 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestAServerThatDoesNotProveItselfIsNotAsked(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	for _, tc := range []struct {
		about string
		cert  *tls.Certificate
		how   Secure
		says  string
	}{
		{"another name", ca.issue(t, "dns.other", time.Now().Add(time.Hour)), Secure{Name: "dns.example", Roots: ca.pool()}, "valid for dns.other, not dns.example"},
		{"another authority", other.issue(t, "dns.example", time.Now().Add(time.Hour)), Secure{Name: "dns.example", Roots: ca.pool()}, "unknown authority"},
		{"over", ca.issue(t, "dns.example", time.Now().Add(-time.Hour)), Secure{Name: "dns.example", Roots: ca.pool()}, "expired"},
		{"another key", ca.issue(t, "dns.example", time.Now().Add(time.Hour)), Secure{Name: "dns.example", Roots: ca.pool(), Pins: [][]byte{make([]byte, 32)}}, "none of its keys"},
	} {
		s := serveSecurely(t, tc.cert)
		for _, over := range secureTransports {
			t.Run(tc.about+" over "+string(over), func(t *testing.T) {
				tc.how.Over = over
				g := secureGroup(t, s.at(over), tc.how)
				_, err := askSecure(t, g, "www.example.com.")
				if !errors.Is(err, errInsecure) || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("the question comes to %v; want %q", err, tc.says)
				}
				if st := g.Servers()[0]; !strings.Contains(st.LastError, tc.says) || st.State == OK {
					t.Errorf("the listing says %s, %q", st.State, st.LastError)
				}
			})
		}
		if n := len(s.asked); n != 0 {
			t.Errorf("%s: %d questions came all the same", tc.about, n)
		}
	}
}

func TestASecureServerThatWasRestartedIsAskedAnew(t *testing.T) {
	ca := newAuthority(t)
	for _, over := range []Over{TLS, QUIC} {
		t.Run(string(over), func(t *testing.T) {
			cert := ca.issue(t, "dns.example", time.Now().Add(time.Hour))
			s := serveSecurely(t, cert)
			addr := s.at(over)
			g := secureGroup(t, addr, Secure{Over: over, Name: "dns.example", Roots: ca.pool()})
			if _, err := askSecure(t, g, "a.example.com."); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_ = s.Shutdown(ctx)
			cancel()
			serveSecurely(t, cert, addr.String())
			if _, err := askSecure(t, g, "b.example.com."); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestASecureConnectionOutlivesASilentName(t *testing.T) {
	ca := newAuthority(t)
	s := serveSecurely(t, ca.issue(t, "dns.example", time.Now().Add(time.Hour)))
	for _, over := range secureTransports {
		t.Run(string(over), func(t *testing.T) {
			s.mu.Lock()
			s.asked = nil
			clear(s.from)
			s.mu.Unlock()
			g := secureGroup(t, s.at(over), Secure{Over: over, Name: "dns.example", Roots: ca.pool()})
			ask := func(name string) {
				if _, err := askSecure(t, g, name); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			ask("a.example.com.")
			silent := make(chan error, 1)
			go func() {
				_, err := askSecure(t, g, "silent.example.com.")
				silent <- err
			}()
			for asked := 1; asked < 2; time.Sleep(time.Millisecond) {
				s.mu.Lock()
				asked = len(s.asked)
				s.mu.Unlock()
			}
			for over := false; !over; time.Sleep(10 * time.Millisecond) {
				ask("b.example.com.")
				select {
				case err := <-silent:
					if over = true; err == nil {
						t.Error("an answer came to the silent name")
					}
				default:
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.from) != 1 {
				t.Errorf("%d connections: %v", len(s.from), s.from)
			}
		})
	}
}

func TestASecureServerThatKeepsSilentHoldsNobodyUp(t *testing.T) {
	ca := newAuthority(t)
	s := serveSecurely(t, ca.issue(t, "dns.example", time.Now().Add(time.Hour)))
	s.silence(true)
	for _, over := range secureTransports {
		t.Run(string(over), func(t *testing.T) {
			g := secureGroup(t, s.at(over), Secure{Over: over, Name: "dns.example", Roots: ca.pool()})
			if _, err := askSecure(t, g, "www.example.com."); err == nil {
				t.Error("an answer came")
			}
			if st := g.Servers()[0]; st.Failures == 0 {
				t.Errorf("%+v", st)
			}
		})
	}
	// One that accepts connections and says nothing.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, over := range []Over{TLS, HTTPS} {
		addr := l.Addr().(*net.TCPAddr).AddrPort()
		g := secureGroup(t, addr, Secure{Over: over, Name: "dns.example", Roots: ca.pool()})
		if _, err := askSecure(t, g, "www.example.com."); err == nil {
			t.Error("an answer came")
		} else if failed := new(FailedError); !errors.As(err, &failed) {
			t.Errorf("%s: %v", over, err)
		}
	}
}
