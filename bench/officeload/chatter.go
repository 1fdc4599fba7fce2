package officeload

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"
)

// controllers are the domain controllers, servers the machines that are looked for in the LAN.
var (
	controllers = []string{"dc1", "dc2"}
	servers     = []string{"file1", "file2", "stampa", "protocollo", "wsus", "intranet"}
)

// lanAddr is the address of the i-th machine of the LAN that is no workstation.
func lanAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, 20, 0, byte(10 + i)}) }

// firstSite is the name that Active Directory gives the first site of a forest.
const firstSite = "Default-First-Site-Name"

// locators are the SRV names by which a workstation finds a domain controller, those of its site first (MS-ADTS §6.3.6.1).
var locators = []string{
	"_ldap._tcp." + firstSite + "._sites.dc._msdcs", "_kerberos._tcp." + firstSite + "._sites.dc._msdcs",
	"_ldap._tcp.dc._msdcs", "_kerberos._tcp.dc._msdcs", "_ldap._tcp." + firstSite + "._sites", "_ldap._tcp", "_kerberos._tcp",
	"_gc._tcp." + firstSite + "._sites", "_ldap._tcp.pdc._msdcs",
}

// singleLabels are names without a dot, to which Windows appends the suffix of the domain; none of these exists there. Proxy and tunnel
// discovery ask the first two all day.
var singleLabels = []string{"wpad", "isatap", "intranet2", "stampante", "localnet", "scanner", "server", "nas"}

// background are the granted names that the systems ask by themselves, of the services granted to everyone (Microsoft, "Manage connection
// endpoints for Windows 11"; hosts of revocation lists).
var background = []string{
	"ctldl.windowsupdate.com", "fe3cr.delivery.mp.microsoft.com", "slscr.update.microsoft.com", "login.live.com",
	"definitionupdates.microsoft.com", "settings-win.data.microsoft.com", "licensing.mp.microsoft.com", "wdcp.microsoft.com",
	"client.wns.windows.com", "nav-edge.smartscreen.microsoft.com", "msedge.api.cdp.microsoft.com", "ocsp.digicert.com",
	"crl3.digicert.com", "ocsp.sectigo.com", "ocsp.pki.goog", "ocsp05.actalis.it", "time.windows.com", "ntp1.inrim.it",
	"www.msftconnecttest.com",
}

// Services are the built-in services that everyone is granted.
var Services = []string{"connectivity", "windows-update", "windows-base", "certificate-revocation", "ntp"}

// telemetry are the names that Windows and browsers ask all day and nobody granted (the same page of Microsoft's; Chrome's and Edge's
// update and start pages).
var telemetry = []string{
	"v10.events.data.microsoft.com", "self.events.data.microsoft.com", "watson.telemetry.microsoft.com", "www.bing.com",
	"api.msn.com", "assets.msn.com", "update.googleapis.com", "clients2.google.com", "edge.microsoft.com", "arc.msn.com",
}

// probes are answered by the resolver itself (dns.msftncsi.com: the two addresses that Windows expects; the canary: does not exist).
var probes = []*Question{
	local("dns.msftncsi.com", A, Answer{Records: true, Addr: netip.MustParseAddr("131.107.255.255")}),
	local("dns.msftncsi.com", AAAA, Answer{Records: true, Addr: netip.MustParseAddr("fd3e:4f5a:5b81::1")}),
	local("use-application-dns.net", A, Answer{Rcode: NXDomain}),
}

// chatter are the questions of machines rather than people.
type chatter struct {
	granted, blocked [][2]*Question // A and AAAA
	locate           []*Question
	find             [][2]*Question // servers of the LAN
	suffixed         []*Question
}

func newChatter() (c chatter) {
	pair := func(f func(Type) *Question) [2]*Question { return [2]*Question{f(A), f(AAAA)} }
	for _, name := range background {
		c.granted = append(c.granted, pair(func(t Type) *Question { return granted(name, t, Cached) }))
	}
	for _, name := range telemetry {
		c.blocked = append(c.blocked, pair(func(t Type) *Question { return blocked(name, t) }))
	}
	for _, name := range locators {
		c.locate = append(c.locate, local(join(name, Directory), SRV, Answer{Records: true}))
	}
	for i, name := range append(controllers, servers...) {
		c.find = append(c.find, [2]*Question{
			local(join(name, Directory), A, Answer{Records: true, Addr: lanAddr(i)}), local(join(name, Directory), AAAA, Answer{}),
		})
	}
	for _, name := range singleLabels {
		c.suffixed = append(c.suffixed, local(join(name, Directory), A, Answer{Rcode: NXDomain}))
	}
	return c
}

// logon finds the domain, registers the workstation, looks whether there is an Internet, and lets everything that starts with the system
// ask for its updates.
func (a *asker) logon() {
	c := &a.town.chatter
	a.controllers(0)
	own := join(a.station.Name, Directory)
	a.emit(a.millis(100, 300), local(own, SOA, Answer{})) // whom to send the update to (RFC 2136 §4.3)
	a.emit(a.millis(100, 400), a.reverse(a.station))
	for _, q := range probes {
		a.emit(a.millis(200, 800), q)
	}
	for _, q := range c.suffixed[:2] {
		a.emit(a.millis(200, 1500), q)
	}
	for _, pairs := range [][][2]*Question{c.find, c.granted, c.blocked[:4]} {
		for _, p := range pairs {
			a.pair(a.millis(300, 2900), p)
		}
	}
}

// controllers looks for a domain controller, in the site and then anywhere, and for its address.
func (a *asker) controllers(after time.Duration) {
	c := &a.town.chatter
	for i, q := range c.locate {
		a.emit(after+time.Duration(i)*5*time.Millisecond, q)
	}
	a.pair(after+60*time.Millisecond, c.find[a.r.IntN(len(controllers))])
}

// chat is what a workstation asks by itself now and then: a few names of updates, certificates and the time, telemetry that is refused,
// a server or a printer, a name without a dot, who is behind an address.
func (a *asker) chat() {
	c := &a.town.chatter
	a.pair(0, c.granted[a.r.IntN(len(c.granted))])
	if a.r.IntN(2) == 0 {
		a.pair(a.millis(5, 500), c.blocked[a.r.IntN(len(c.blocked))])
	}
	switch a.r.IntN(4) {
	case 0:
		a.pair(a.millis(5, 500), c.find[a.r.IntN(len(c.find))])
	case 1:
		a.emit(a.millis(5, 500), c.suffixed[a.r.IntN(len(c.suffixed))])
	case 2:
		a.emit(a.millis(5, 500), a.reverse(a.town.Stations[a.r.IntN(len(a.town.Stations))]))
	case 3:
		a.emit(a.millis(5, 500), probes[a.r.IntN(len(probes))])
	}
}

func (a *asker) pair(at time.Duration, p [2]*Question) {
	a.emit(at, p[0])
	a.emit(at+between, p[1])
}

// reverse asks for the name of a workstation.
func (a *asker) reverse(s *Station) *Question {
	b := s.Addr.As4()
	return local(fmt.Sprintf("%d.%d.%s", b[3], b[2], Reverse), PTR, Answer{Records: true})
}

// cold is a name that nobody has asked before, below a domain of the station's office.
func (t *Town) cold(s *Station, r *rand.Rand, fresh uint64, k Kind) (q [len(webTypes)]*Question) {
	h := s.Office.reach[t.reachLaw.draw(r)]
	name := fmt.Sprintf("n%x-%x.%s", fresh, r.Uint64(), t.domains[h.domain])
	for i, typ := range webTypes {
		q[i] = granted(name, typ, k)
	}
	return q
}
