//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// laptop is a workstation that is not in the site, with what it may show.
type laptop struct {
	t             *testing.T
	folder        string // of what it trusts
	dot, doh, doq netip.AddrPort
}

const (
	atHome     = "127.99.0.1"
	serverName = "dns.comune.test"
)

// kdig asks with kdig, and returns the status and the first answer; prefix stands before the server's name.
func (l *laptop) kdig(at netip.AddrPort, prefix, name string, options ...string) string {
	l.t.Helper()
	args := []string{"+retry=0", "+timeout=5", "+edns", "-b", atHome, "@127.0.0.1", "-p", portOf(at), "+tls-ca=" + filepath.Join(l.folder, "ca.pem"),
		"+tls-hostname=" + serverName, "+tls-sni=" + prefix + serverName}
	r := run(l.t, exec.Command(tool(l.t, "kdig"), append(append(args, options...), name)...))
	got := parseReply(l.t, r.out)
	return strings.TrimSpace(got.status + " " + got.first())
}

// http3 asks over HTTP/3, below a path.
func (l *laptop) http3(path, name string) string {
	l.t.Helper()
	trust := x509.NewCertPool()
	text, err := os.ReadFile(filepath.Join(l.folder, "ca.pem"))
	if err != nil {
		l.t.Fatal(err)
	}
	trust.AppendCertsFromPEM(text)
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(atHome)})
	if err != nil {
		l.t.Fatal(err)
	}
	over := &quic.Transport{Conn: socket}
	web := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: trust, ServerName: serverName},
		Dial: func(ctx context.Context, _ string, config *tls.Config, limits *quic.Config) (*quic.Conn, error) {
			return over.Dial(ctx, net.UDPAddrFromAddrPort(l.doh), config, limits)
		},
	}
	defer func() { web.Close(); over.Close(); socket.Close() }()
	query, err := question(name, dns.TypeA).Pack()
	if err != nil {
		l.t.Fatal(err)
	}
	res, err := (&http.Client{Transport: web, Timeout: patience}).Post("https://"+l.doh.String()+"/dns-query"+path, "application/dns-message", bytes.NewReader(query))
	if err != nil {
		l.t.Fatal(err)
	}
	defer res.Body.Close()
	reply, err := io.ReadAll(res.Body)
	var m dns.Msg
	if err != nil || res.ProtoMajor != 3 || res.StatusCode != 200 || m.Unpack(reply) != nil {
		l.t.Fatalf("%s, %v: %x", res.Status, err, reply)
	}
	out := dns.RcodeToString[m.Rcode]
	for _, rr := range m.Answer {
		if a, ok := rr.(*dns.A); ok {
			return out + " " + a.A.String()
		}
	}
	return out
}

// everyWay asks with a secret in every way there is, and says what came when it was the same, else all of it.
func (l *laptop) everyWay(secret, name string) string {
	l.t.Helper()
	got := map[string]string{
		"DoT":    l.kdig(l.dot, secret+".", name, "+tls"),
		"DoQ":    l.kdig(l.doq, secret+".", name, "+quic"),
		"HTTP/2": l.kdig(l.doh, "", name, "+https="+serverName+"/dns-query/"+secret),
		"HTTP/3": l.http3("/"+secret, name),
	}
	for _, is := range got {
		if is != got["DoT"] {
			text, _ := json.Marshal(got)
			return string(text)
		}
	}
	return got["DoT"]
}

// secretOf is the secret that a command shows.
func secretOf(t *testing.T, said string) string {
	t.Helper()
	_, rest, _ := strings.Cut(said, "secret ")
	fields := strings.Fields(rest)
	if len(fields) == 0 || len(fields[0]) != 32 {
		t.Fatalf("no secret in:\n%s", said)
	}
	return fields[0]
}

func TestALaptopAtHomeKeepsItsOfficesRules(t *testing.T) {
	folder := t.TempDir()
	d, dot, doh, doq := encrypted(t, folder, serverName, "*."+serverName)
	l := &laptop{t, folder, dot, doh, doq}
	granted, blocked := "www.inps.it", "www.example.com"
	inOffice := "NOERROR " + d.dig("127.10.1.5", granted).first()
	manager := d.dig("127.10.2.9", blocked)
	without := manager.status + " " + manager.first()

	nobody := strings.Repeat("a", 32)
	if got := l.everyWay(nobody, granted); got != "REFUSED" {
		t.Errorf("with a secret of nobody: %s", got)
	}
	d.must("host", "add", "127.10.1.77", "--name", "portatile")
	said := d.must("token", "add", "portatile", "--host", "127.10.1.77")
	says(t, said, "added portatile host 127.10.1.77", "https https://"+serverName+":"+portOf(doh)+"/dns-query/", "."+serverName)
	first := secretOf(t, said)
	seat := secretOf(t, d.must("token", "add", "casa", "--seat", "dirigente-tributi"))
	if got := l.everyWay(first, granted); got != inOffice {
		t.Errorf("the office's laptop: %s, not %s", got, inOffice)
	}
	if got := l.everyWay(first, blocked); got != "NOERROR" { // without the page, which it does not reach
		t.Errorf("the office's laptop for a name that is not granted: %s", got)
	}
	if got := l.everyWay(seat, blocked); got != strings.TrimSpace(without) {
		t.Errorf("the manager's: %s, not %s", got, without)
	}
	if got := l.kdig(dot, "", granted, "+tls"); got != "REFUSED" {
		t.Errorf("with nothing to show: %s", got)
	}
	says(t, d.must("explain", "--token", "casa", blocked), "allow "+blocked+" A for whoever shows the token casa")
	if r := d.usciere("explain", "--token", "portatile", blocked); r.code != 3 {
		t.Errorf("explain: %s", r)
	}

	own, ownKey := certificate(t, &x509.Certificate{SerialNumber: big.NewInt(7)}, nil, nil)
	der, err := x509.MarshalECPrivateKey(ownKey)
	if err != nil {
		t.Fatal(err)
	}
	shown := write(t, filepath.Join(folder, "laptop.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Raw})))
	private := write(t, filepath.Join(folder, "laptop.key"), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
	withCertificate := func() string {
		return l.kdig(dot, "", granted, "+tls", "+tls-certfile="+shown, "+tls-keyfile="+private)
	}
	if got := withCertificate(); got != "REFUSED" {
		t.Errorf("with a certificate of nobody: %s", got)
	}
	d.must("token", "add", "chiave", "--host", "127.10.1.77", "--certificate", shown)
	if got := withCertificate(); got != inOffice {
		t.Errorf("with its certificate: %s", got)
	}

	second := secretOf(t, d.must("token", "rotate", "portatile"))
	if got := l.everyWay(first, granted); got != "REFUSED" {
		t.Errorf("the old secret: %s", got)
	}
	if got := l.everyWay(second, granted); got != inOffice {
		t.Errorf("the new secret: %s", got)
	}

	// A second resolver with the same town.yaml knows the same laptops.
	document := d.must("export")
	other := t.TempDir()
	twin, dot2, doh2, doq2 := encrypted(t, other, serverName, "*."+serverName)
	twin.must("apply", "-f", write(t, filepath.Join(other, "town.yaml"), document))
	l2 := &laptop{t, other, dot2, doh2, doq2}
	if got := l2.everyWay(second, granted); got != inOffice {
		t.Errorf("at the second resolver: %s", got)
	}

	d.must("token", "revoke", "portatile")
	d.must("token", "revoke", "chiave")
	if got := l.everyWay(second, granted); got != "REFUSED" {
		t.Errorf("a secret that was revoked: %s", got)
	}
	if got := withCertificate(); got != "REFUSED" {
		t.Errorf("a certificate that was revoked: %s", got)
	}
	if got := l2.everyWay(second, granted); got != inOffice {
		t.Errorf("at the second resolver, where it was not: %s", got)
	}

	// What was shown once is kept nowhere.
	kept := d.must("export") + d.must("journal", "export") + d.log.String()
	err = filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		kept += string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{first, second, seat} {
		if strings.Contains(kept, secret) {
			t.Errorf("the secret %s is kept", secret)
		}
	}
}
