//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net/mail"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mailServer is Exim (exim4-daemon-light) on loopback, which keeps all mail in one maildir, and lets in who does not log in,
// or does as "usciere" with "segreta". It refuses the mailbox "nessuno" for good, and everything for now while it is busy.
type mailServer struct {
	*process
	folder  string
	ca      string         // file of the certificate that its own comes from
	addr    netip.AddrPort // STARTTLS, unless it is plain
	tlsAddr netip.AddrPort // TLS from the start
}

const eximConfig = `
primary_hostname = posta.comune.example.it
spool_directory = FOLDER/spool
log_file_path = FOLDER/%slog
pid_file_path = FOLDER/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = PORT : TLSPORT
tls_on_connect_ports = TLSPORT
tls_advertise_hosts = ADVERTISE
tls_certificate = FOLDER/cert.pem
tls_privatekey = FOLDER/key.pem
acl_smtp_rcpt = rcpt
deliver_drop_privilege = true
never_users =
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
begin acl
rcpt:
  defer message = try again later
        condition = ${if exists{FOLDER/busy}}
  deny  message = no such mailbox
        local_parts = nessuno
  accept
begin routers
here:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = FOLDER/mail
  maildir_format
  envelope_to_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{usciere}}{eq{$auth3}{segreta}}}}
  server_set_id = $auth2
  server_advertise_condition = ${if def:tls_in_cipher}
`

// serveMail starts a mail server; one that is plain does not offer STARTTLS.
func serveMail(t testing.TB, plain bool) *mailServer {
	t.Helper()
	return serveMailBy(t, plain, func(args ...string) *exec.Cmd { return exec.Command(args[0], args[1:]...) })
}

// serveMailBy starts a mail server with a command that may be one on another machine.
func serveMailBy(t testing.TB, plain bool, command func(args ...string) *exec.Cmd) *mailServer {
	t.Helper()
	asRoot(t)                                        // who alone may start Exim; it becomes its own user
	folder, err := os.MkdirTemp("", "usciere-exim-") // not in a folder that only this user may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	m := &mailServer{folder: folder, addr: freePort(t), tlsAddr: freePort(t)}
	m.ca = filepath.Join(m.folder, "ca.pem")
	certificates(t, m.folder)
	advertise := "*"
	if plain {
		advertise = ""
	}
	config := write(t, filepath.Join(m.folder, "exim.conf"), strings.NewReplacer(
		"FOLDER", m.folder, "TLSPORT", portOf(m.tlsAddr), "PORT", portOf(m.addr), "ADVERTISE", advertise,
	).Replace(eximConfig))
	giveAway(t, m.folder, "Debian-exim")
	if err := os.Chown(config, 0, 0); err != nil {
		t.Fatal(err)
	}
	m.process = start(t, command(tool(t, "exim4"), "-C", config, "-bdf"))
	eventually(t, "the mail server listens", func() bool {
		if m.ended() {
			t.Fatalf("exim4 ended: %v\n%s\n%s", m.err, m.log.String(), m.mainLog())
		}
		_, err := os.Stat(filepath.Join(m.folder, "exim.pid")) // written when it listens
		return err == nil
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("exim4 logged:\n%s", m.mainLog())
		}
	})
	return m
}

func giveAway(t testing.TB, folder, name string) {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	}); err != nil {
		t.Fatal(err)
	}
}

func (m *mailServer) mainLog() string {
	text, _ := os.ReadFile(filepath.Join(m.folder, "mainlog"))
	return tail(string(text), 40)
}

// busy makes the server put off everything, or not.
func (m *mailServer) busy(is bool) {
	m.t.Helper()
	path := filepath.Join(m.folder, "busy")
	if is {
		write(m.t, path, "")
		return
	}
	if err := os.Remove(path); err != nil {
		m.t.Fatal(err)
	}
}

// received is a mail as it lies in the maildir.
type received struct {
	*mail.Message
	id   string // Message-ID
	to   string // of the envelope
	body string
}

// mails are all mails that arrived.
func (m *mailServer) mails() (out []received) {
	m.t.Helper()
	folder := filepath.Join(m.folder, "mail", "new")
	entries, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			m.t.Fatal(err)
		}
		header, body, _ := strings.Cut(string(text), "\n\n")
		msg, err := mail.ReadMessage(strings.NewReader(header + "\n\n" + body))
		if err != nil {
			m.t.Fatalf("%v in\n%s", err, text)
		}
		out = append(out, received{msg, msg.Header.Get("Message-Id"), msg.Header.Get("Envelope-To"), body})
	}
	return out
}

// certificates makes a root and a certificate of some names, or of localhost.
func certificates(t testing.TB, folder string, names ...string) {
	t.Helper()
	if len(names) == 0 {
		names = []string{"localhost"}
	}
	root, rootKey := certificate(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA of a test"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	leaf, key := certificate(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, root, rootKey)
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"ca.pem": {Type: "CERTIFICATE", Bytes: root.Raw}, "cert.pem": {Type: "CERTIFICATE", Bytes: leaf.Raw}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: der},
	} {
		write(t, filepath.Join(folder, name), string(pem.EncodeToMemory(block)))
	}
}

// certificate makes a certificate signed by another, or by itself.
func certificate(t testing.TB, template, by *x509.Certificate, byKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	if by == nil {
		by, byKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, &key.PublicKey, byKey)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

// mailing starts a demo town that sends its letters; mail is its settings of that name.
func mailing(t testing.TB, mail string) *daemon {
	t.Helper()
	folder := t.TempDir()
	config := filepath.Join(folder, "usciere.yaml")
	writeMailSettings(t, config, mail)
	return serve(t, setup{args: []string{"--demo", "--config", config}, state: filepath.Join(folder, "state")})
}

func writeMailSettings(t testing.TB, config, mail string) {
	t.Helper()
	write(t, config, fmt.Sprintf("town: {name: Comune di Esempio, site: [127.10.0.0/16]}\nlisten: [\"127.0.0.1:0\"]\nadmin: {group: \"\", viewers: \"\"}\nmail: {from: ced@comune.example.it, %s}\n", mail))
}

func (d *daemon) config() string { return filepath.Join(filepath.Dir(d.state), "usciere.yaml") }
