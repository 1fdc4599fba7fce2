//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// unboundOverTLS is an unbound that answers plainly at one address and over TLS at another.
func unboundOverTLS(t *testing.T, folder string, plain, secure netip.AddrPort) {
	t.Helper()
	config := write(t, filepath.Join(folder, "unbound.conf"), fmt.Sprintf(`
server:
  interface: %s@%d
  interface: %s@%d
  tls-port: %d
  tls-service-key: "%[6]s/key.pem"
  tls-service-pem: "%[6]s/cert.pem"
  num-threads: 1
  username: ""
  chroot: ""
  directory: "%[6]s"
  pidfile: "%[6]s/unbound.pid"
  use-syslog: no
  logfile: ""
  do-daemonize: no
  access-control: 127.0.0.0/8 allow
  local-zone: "comune-prova.it." static
  local-data: 'www.comune-prova.it. 300 IN A 192.0.2.10'
  local-data: 'second.comune-prova.it. 300 IN A 192.0.2.11'
remote-control:
  control-enable: no
`, plain.Addr(), plain.Port(), secure.Addr(), secure.Port(), secure.Port(), folder))
	server{start(t, exec.Command(tool(t, "unbound"), "-d", "-c", config)), plain}.awaitDNS("www.comune-prova.it")
}

// The upstream is asked over TLS, HTTPS and QUIC, of real servers: unbound, dnsdist, and over QUIC, which neither of Debian's has and
// Debian's knot only with XDP, another usciere. A certificate for another name is refused, and nothing is asked plainly instead.
func TestUpstreamsAreAskedEncrypted(t *testing.T) {
	folder := t.TempDir()
	certificates(t, folder)
	plain, dot, doh, dotToo := freePort(t), freePort(t), freePort(t), freePort(t)
	unboundOverTLS(t, folder, plain, dot)
	start(t, exec.Command(tool(t, "dnsdist"), "--supervised", "--disable-syslog", "-C", write(t, filepath.Join(folder, "dnsdist.conf"), fmt.Sprintf(
		"setLocal('%[5]s')\nsetSecurityPollSuffix('')\nsetACL('127.0.0.0/8')\nnewServer{address='%[1]s', checkName='www.comune-prova.it.'}\naddDOHLocal('%[2]s', '%[3]s/cert.pem', '%[3]s/key.pem', '/dns-query')\naddTLSLocal('%[4]s', '%[3]s/cert.pem', '%[3]s/key.pem')\n",
		plain, doh, folder, dotToo, freePort(t)))))
	other := manager(t, "--listen", "127.0.0.1:0", "--upstream", plain.String(), "--config", write(t, filepath.Join(folder, "other.yaml"), fmt.Sprintf(
		"portal: {enabled: false}\ntls: {certificate: cert.pem, key: key.pem, quic: [\"127.0.0.1:0\"]}\ntown: {site: [127.0.0.0/8]}\n")))
	other.must("host", "add", "127.0.0.1", "--seat", "dirigente")
	doq := netip.MustParseAddrPort(strings.TrimPrefix(other.status().Daemon.Encrypted[0], "doq "))

	for _, tc := range []struct {
		about, over string
		server      netip.AddrPort
	}{{"unbound", "tls", dot}, {"dnsdist", "tls", dotToo}, {"dnsdist", "https", doh}, {"usciere", "quic", doq}} {
		t.Run(tc.about+" over "+tc.over, func(t *testing.T) {
			settings := func(name string) string {
				return write(t, filepath.Join(t.TempDir(), "usciere.yaml"), fmt.Sprintf(
					"portal: {enabled: false}\nlisten: [\"127.0.0.1:0\"]\nupstream: {servers: [\"%s\"], secure: [{servers: [\"%[1]s\"], over: %s, name: %s, ca: %s}]}\n",
					tc.server, tc.over, name, filepath.Join(folder, "ca.pem")))
			}
			d := manager(t, "--config", settings("localhost"))
			eventually(t, "the server answers", func() bool {
				r := d.ask("127.20.0.1", "www.comune-prova.it", dns.TypeA)
				return len(r.Answer) == 1 && strings.HasSuffix(r.Answer[0].String(), "192.0.2.10")
			})
			if r := d.ask("127.20.0.1", "second.comune-prova.it", dns.TypeA); len(r.Answer) != 1 {
				t.Errorf("%v", r)
			}
			if r := d.ask("127.20.0.1", "nessuno.comune-prova.it", dns.TypeA); r.Rcode != dns.RcodeNameError {
				t.Errorf("%v", r)
			}
			says(t, d.must("upstream", "list"), tc.server.String()+" "+tc.over+" localhost", "ok")

			wrong := manager(t, "--config", settings("dns.comune-prova.it"))
			if r := wrong.ask("127.20.0.1", "www.comune-prova.it", dns.TypeA); r.Rcode != dns.RcodeServerFailure {
				t.Errorf("with a wrong name on the certificate, %v", r)
			}
			says(t, wrong.must("upstream", "list"), "not asked, since it did not prove who it is", "localhost, not dns.comune-prova.it")
		})
	}
}
