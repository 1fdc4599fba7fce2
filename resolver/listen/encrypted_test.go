package listen

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"testing"
	"time"
)

// issue makes a certificate for names and for 127.0.0.1, and its key, as PEM.
func issue(t testing.TB, until time.Time, names ...string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"},
		NotBefore: until.Add(-365 * 24 * time.Hour), NotAfter: until,
		DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// startEncrypted is start with all encrypted transports, and what a client trusts.
func startEncrypted(t testing.TB, cfg Config, h Handler) (*Server, *tls.Config) {
	t.Helper()
	certificate, key := issue(t, time.Now().Add(90*24*time.Hour), "dns.test", "*.dns.test")
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Certificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }
	cfg.HTTP3 = true
	cfg.TLS, cfg.HTTPS, cfg.QUIC = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	return start(t, cfg, h), &tls.Config{RootCAs: roots, ServerName: "dns.test", ClientSessionCache: tls.NewLRUClientSessionCache(4)}
}

// dialTLS connects from a source address ("" for any) with a handshake.
func dialTLS(t testing.TB, from string, to netip.AddrPort, client *tls.Config, protocols ...string) (*tls.Conn, error) {
	t.Helper()
	client = client.Clone()
	client.NextProtos = protocols
	c := tls.Client(dial(t, "tcp", from, to), client)
	return c, c.Handshake()
}

// queryWith is a question for the root with an OPT record of these options.
func queryWith(id byte, options string) []byte {
	q := []byte{0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, byte(len(options))}
	return append(q, options...)
}

// respond answers a question made by queryWith with itself, QR set and without options, now or, with later, from elsewhere.
func respond(later bool) Handler {
	return handlerFunc(func(r *Request) {
		reply := append([]byte(nil), r.Packet...)
		if len(reply) >= 28 {
			reply = reply[:28]
			reply[2], reply[27] = reply[2]|0x80, 0
		}
		if !later {
			r.Reply(append(r.Scratch(), reply...))
			return
		}
		if d, ok := r.Detach(); ok {
			go d.Reply(append(d.Scratch(), reply...))
		}
	})
}

const (
	padding   = "\x00\x0c\x00\x00"
	keepalive = "\x00\x0b\x00\x00"
)

func TestTLSHasTheMannersOfTCP(t *testing.T) {
	for _, later := range []bool{false, true} {
		s, trust := startEncrypted(t, Config{}, respond(later))
		for range 2 { // the second time with the ticket of the first
			c, err := dialTLS(t, "127.0.0.9", s.TLSAddrs()[0], trust, "dot")
			if err != nil {
				t.Fatal(err)
			}
			var batch []byte
			for id := range byte(5) {
				batch = append(batch, framed(queryWith(id, padding+keepalive))...)
			}
			if _, err := c.Write(batch); err != nil {
				t.Fatal(err)
			}
			seen := map[byte]bool{}
			for range 5 {
				reply := receive(t, c)
				seen[reply[1]] = true
				if len(reply) != 468 || string(reply[28:34]) != "\x00\x0b\x00\x02\x00\x64" {
					t.Fatalf("%d octets: %x", len(reply), reply[:40])
				}
			}
			if len(seen) != 5 || c.ConnectionState().NegotiatedProtocol != "dot" {
				t.Errorf("replies %v, ALPN %q", seen, c.ConnectionState().NegotiatedProtocol)
			}
			c.CloseWrite()
			if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("after the end: %d octets, %v", n, err)
			}
			c.Close()
		}
		again, err := dialTLS(t, "", s.TLSAddrs()[0], trust)
		if err != nil || !again.ConnectionState().DidResume {
			t.Errorf("not resumed by ticket, without ALPN: %v", err)
		}
		eventually(t, "all is counted", func() bool { st := s.Stats(); return st.TLSQueries == 10 && st.TLSReplies == 10 && st.TCPQueries == 0 })
	}
}

func TestPlainTCPTellsOfIdleTimeButDoesNotPad(t *testing.T) {
	s := start(t, Config{Idle: 3 * time.Second}, respond(false))
	c := dial(t, "tcp", "", s.Addrs()[0])
	send(t, c, queryWith(1, padding+keepalive))
	if reply := receive(t, c); string(reply[26:]) != "\x00\x06\x00\x0b\x00\x02\x00\x1e" {
		t.Errorf("got %x", reply[26:])
	}
}

func TestOldTLSAndOtherProtocolsAreRefused(t *testing.T) {
	s, trust := startEncrypted(t, Config{}, echo)
	old := trust.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if _, err := dialTLS(t, "", s.TLSAddrs()[0], old); err == nil {
		t.Error("TLS 1.1 was taken")
	}
	if _, err := dialTLS(t, "", s.TLSAddrs()[0], trust, "h2"); err == nil {
		t.Error("h2 was taken for DNS over TLS")
	}
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if _, err := dialTLS(t, "", s.TLSAddrs()[0], old, "dot"); err != nil {
		t.Errorf("TLS 1.2: %v", err)
	}
}

func TestConnectionsOfAllTransportsCountTogether(t *testing.T) {
	s, trust := startEncrypted(t, Config{MaxTCPPerClient: 3}, echo)
	if _, err := dialTLS(t, "127.0.0.8", s.TLSAddrs()[0], trust); err != nil {
		t.Fatal(err)
	}
	if _, err := dialTLS(t, "127.0.0.8", s.HTTPSAddrs()[0], trust, "h2"); err != nil {
		t.Fatal(err)
	}
	dial(t, "tcp", "127.0.0.8", s.Addrs()[0])
	eventually(t, "three are open", func() bool { return s.Stats().TCPConns == 3 })
	for _, at := range []netip.AddrPort{s.TLSAddrs()[0], s.HTTPSAddrs()[0]} {
		if _, err := dialTLS(t, "127.0.0.8", at, trust); err == nil {
			t.Errorf("a fourth connection, to %s", at)
		}
	}
	if _, err := dialTLS(t, "127.0.0.7", s.TLSAddrs()[0], trust); err != nil {
		t.Errorf("another client: %v", err)
	}
}

func TestClientsThatSayNothingOrGarbageAreCut(t *testing.T) {
	for name, bytes := range map[string]string{
		"nothing": "", "HTTP without TLS": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "a plain query": string(framed(message("x"))),
		"half a handshake": "\x16\x03\x01\x02\x00\x01\x00", "a record that is too long": "\x16\x03\x01\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			stranger := func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.66") } // guestTime is shorter than patience
			s, _ := startEncrypted(t, Config{Guest: stranger}, echo)
			for _, at := range []netip.AddrPort{s.TLSAddrs()[0], s.HTTPSAddrs()[0]} {
				c := dial(t, "tcp", "127.0.0.66", at)
				io.WriteString(c, bytes)
				io.Copy(io.Discard, c) // until the server ends it
			}
			eventually(t, "the places are free", func() bool { return s.Stats().TCPConns == 0 })
			if st := s.Stats(); st.TLSQueries+st.HTTPSQueries != 0 || st.Panics != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestAClientThatGoesBeforeItsReplyHarmsNobody(t *testing.T) {
	pending := make(chan *Request, 100)
	s, trust := startEncrypted(t, Config{}, handlerFunc(func(r *Request) {
		if d, ok := r.Detach(); ok {
			pending <- d
		}
	}))
	for i := range 20 {
		c, err := dialTLS(t, "", s.TLSAddrs()[0], trust)
		if err != nil {
			t.Fatal(err)
		}
		send(t, c, message("x"))
		d := <-pending
		if i%2 == 0 {
			c.NetConn().(*net.TCPConn).SetLinger(0)
			c.NetConn().Close() // without farewell
		} else {
			c.Close()
		}
		d.Reply(d.Packet)
	}
	eventually(t, "nothing is left", func() bool { st := s.Stats(); return st.TCPConns == 0 && st.Pending == 0 })
}

func TestAShutdownLetsEncryptedRepliesOut(t *testing.T) {
	pending := make(chan *Request, 3)
	s, trust := startEncrypted(t, Config{}, handlerFunc(func(r *Request) {
		d, _ := r.Detach()
		pending <- d
	}))
	replies := make(chan []byte, 3)
	go func() { replies <- overTLS(t, s, trust, queryWith(0, "")) }()
	go func() { replies <- overHTTPS(t, s, trust, queryWith(0, "")) }()
	go func() { replies <- overQUIC(t, s, trust, queryWith(0, "")) }()
	held := []*Request{<-pending, <-pending, <-pending}
	down := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		down <- s.Shutdown(ctx)
	}()
	eventually(t, "it is stopping", s.stopping)
	for _, d := range held {
		d.Reply(d.Packet)
	}
	for range 3 {
		if reply := <-replies; string(reply) != string(queryWith(0, "")) {
			t.Errorf("got %x", reply)
		}
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}

// overTLS asks one question on a connection of its own.
func overTLS(t *testing.T, s *Server, trust *tls.Config, query []byte) []byte {
	c, err := dialTLS(t, "", s.TLSAddrs()[0], trust)
	if err != nil {
		t.Error(err)
		return nil
	}
	c.Write(framed(query))
	length := make([]byte, 2)
	io.ReadFull(c, length)
	reply := make([]byte, int(length[0])<<8|int(length[1]))
	io.ReadFull(c, reply)
	return reply
}

func TestEncryptedTransportsNeedACertificateAndFreePorts(t *testing.T) {
	if _, err := Open(Config{Addrs: []string{"127.0.0.1:0"}, TLS: []string{"127.0.0.1:0"}}); err == nil {
		t.Error("opened without a certificate")
	}
	none := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") }
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	at := taken.Addr().String()
	_, err = Open(Config{Addrs: []string{"127.0.0.1:0"}, QUIC: []string{"127.0.0.1:0"}, HTTPS: []string{at}, Certificate: none})
	var inUse *InUseError
	if !errors.As(err, &inUse) || inUse.Addr != at {
		t.Errorf("got %v", err)
	}
	s, err := Open(Config{Addrs: []string{"127.0.0.1:0"}, TLS: []string{"127.0.0.1:0"}, QUIC: []string{"127.0.0.1:0"}, Certificate: none})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(context.Background()); err != nil { // never served
		t.Error(err)
	}
}

func TestATakenPortNamesItsSetting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for setting, config := range map[string]Config{"tls.listen": {TLS: []string{l.Addr().String()}}, "tls.https": {HTTPS: []string{l.Addr().String()}}} {
		config.Addrs = []string{"127.0.0.1:0"}
		config.Certificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
		if taken := new(InUseError); !errors.As(mustFail(Open(config)), &taken) || taken.Setting != setting {
			t.Errorf("%s: %+v", setting, taken)
		}
	}
}

func mustFail(_ *Server, err error) error { return err }
