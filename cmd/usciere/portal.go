package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"usciere/cmd/usciere/settings"
	"usciere/policy"
	"usciere/policy/letter"
	"usciere/policy/portal"
	"usciere/policy/portal/authority"
)

// portalPages is the web server of the pages: its sockets, and what went wrong with those that nobody named. It is nil where
// the pages are not served.
type portalPages struct {
	plain, secure []net.Listener
	unbound       []string // why a default address is not served

	portal *portal.Portal
	server *portal.Server
	served sync.WaitGroup
}

// bindPages opens the sockets of the pages. An address of the settings that cannot be had is an error; one that is only the
// default is a problem of the status.
func bindPages(s *settings.Settings, demo bool, dns []netip.AddrPort) (_ *portalPages, err error) {
	if !s.Portal.Enabled {
		return nil, nil
	}
	p := &portalPages{}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	for i, text := range s.Portal.Listen {
		if err := p.bind(&p.plain, text); err != nil {
			return nil, fmt.Errorf("portal.listen[%d]: %w", i, err)
		}
	}
	for i, text := range s.Portal.HTTPS {
		if err := p.bind(&p.secure, text); err != nil {
			return nil, fmt.Errorf("portal.https[%d]: %w", i, err)
		}
	}
	if len(s.Portal.Listen) > 0 {
		return p, nil
	}
	for _, addr := range pageAddresses(*s, dns) {
		err := p.bind(&p.plain, net.JoinHostPort(addr.String(), "80"))
		if err != nil && demo {
			instead := net.JoinHostPort(addr.String(), strconv.Itoa(demoPagePort))
			if err = p.bind(&p.plain, instead); err == nil {
				s.Portal.Listen = []string{instead} // letters name the port
			}
		}
		if err != nil {
			p.unbound = append(p.unbound, fmt.Sprintf("the page that blocked names lead to is not served: %s", err))
		}
	}
	return p, nil
}

// demoPagePort stands in for port 80 in a demo that may not have it.
const demoPagePort = 8080

// pageAddresses are those that lead to the page unless the settings say otherwise.
func pageAddresses(s settings.Settings, dns []netip.AddrPort) []netip.Addr {
	if len(s.Sinkhole.Addresses) > 0 {
		return s.Sinkhole.Addresses
	}
	var out []netip.Addr
	seen := map[netip.Addr]bool{}
	for _, a := range dns {
		if !seen[a.Addr()] {
			seen[a.Addr()] = true
			out = append(out, a.Addr())
		}
	}
	return out
}

// bind opens a socket; of all addresses of the machine, one for each family that it has.
func (p *portalPages) bind(to *[]net.Listener, text string) error {
	at, err := settings.ParseListen(text)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return err
	}
	if host != "" {
		return p.listen(to, host, port)
	}
	if err := p.listen(to, "0.0.0.0", port); err != nil {
		return err
	}
	if err := p.listen(to, "::", port); err != nil && !errors.Is(err, syscall.EAFNOSUPPORT) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
		return err
	}
	return nil
}

func (p *portalPages) listen(to *[]net.Listener, host, port string) error {
	network := "tcp6"
	if a, err := netip.ParseAddr(host); err == nil && a.Is4() {
		network = "tcp4"
	}
	lc := net.ListenConfig{KeepAlive: -1} // a connection ends before a probe would be due
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), network, net.JoinHostPort(host, port))
	if err != nil {
		return explainBind(net.JoinHostPort(host, port), err)
	}
	*to = append(*to, l)
	return nil
}

// explainBind says why a socket cannot be had, and what to do about it.
func explainBind(at string, err error) error {
	var bare *os.SyscallError
	if errors.As(err, &bare) {
		err = bare.Err
	}
	advice := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = ": stop the web server that has it, or serve the page elsewhere with portal.listen and sinkhole.addresses; portal.enabled: false leaves it to that server"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		advice = ": a port below 1024 needs root or the capability CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = ": the address is not on this machine; portal.enabled: false leaves the page to the web server there"
	}
	return fmt.Errorf("listen on tcp %s: %w%s", at, err, advice)
}

// portalName is the portal's own name; empty where the daemon serves no pages.
func (d *daemon) portalName(s settings.Portal) (policy.Name, error) {
	if d.pages == nil {
		return "", nil
	}
	name, err := policy.ParseName(s.Name)
	if err != nil || name == policy.Root {
		return "", fmt.Errorf("portal.name: %q is no name of the portal: %w", s.Name, err)
	}
	return name, nil
}

// openPages makes the pages of the rules, ready to be served on their sockets.
func (d *daemon) openPages(s settings.Settings, own policy.Name) error {
	p := d.pages
	if p == nil {
		return nil
	}
	p.portal = portal.New(portal.Config{
		Rules: d.rules, Explain: shown{d}.Explain, Now: time.Now, Log: d.log,
		WriteForm: func(e *policy.Edit, q *policy.Request, token string) (*policy.Letter, error) {
			return letter.WriteForm(e, q, token, styleOf(d.inForce.Load().settings))
		},
		PrintForm: func(l *policy.Letter) (policy.Paper, error) { return letter.Render(l, "") },
	})
	p.use(s, own)
	var certificates func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	if len(p.secure) > 0 {
		root, err := pageRoot(d.folder)
		if err != nil {
			return err
		}
		certificates = portal.NewCertificates(p.portal, root).Get
	}
	p.server = portal.NewServer(p.portal, certificates, portal.Limits{})
	return nil
}

// pageRoot reads what the page's certificates are made with.
func pageRoot(folder string) (*authority.Authority, error) {
	root, err := authority.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("portal.https needs a root to make certificates with: make one with `usciere ca init`, and roll it out to the workstations")
	} else if err != nil {
		return nil, fmt.Errorf("portal.https: %w", err)
	}
	return root, nil
}

// portalURL is where offices ask, for letters: the portal's own name, with the port of the first address that it is served on;
// empty: on paper alone.
func portalURL(s settings.Settings) string {
	if !s.Portal.Enabled || !s.Portal.Requests {
		return ""
	}
	host := s.Portal.Name
	if len(s.Portal.Listen) > 0 {
		if _, port, err := net.SplitHostPort(s.Portal.Listen[0]); err == nil && port != "80" {
			host = net.JoinHostPort(host, port)
		}
	}
	return "http://" + host
}

// use puts settings in force.
func (p *portalPages) use(s settings.Settings, own policy.Name) {
	if p != nil {
		p.portal.Use(portal.Settings{
			Name: own, Town: s.Town.Name, Contact: s.Sinkhole.Contact, Addresses: s.Sinkhole.Addresses, Forms: s.Portal.Requests,
		})
	}
}

// serve serves the pages until shutdown.
func (p *portalPages) serve(log *slog.Logger) {
	if p == nil {
		return
	}
	serve := func(l net.Listener, by func(net.Listener) error) {
		p.served.Go(func() {
			if err := by(l); err != nil {
				log.Error("the page is not served any more", "address", l.Addr(), "error", err)
			}
		})
	}
	for _, l := range p.plain {
		serve(l, p.server.Serve)
	}
	for _, l := range p.secure {
		serve(l, p.server.ServeTLS)
	}
}

// shutdown lets the pages under way be sent, and ends.
func (p *portalPages) shutdown(ctx context.Context) error {
	if p == nil {
		return nil
	}
	err := p.server.Shutdown(ctx)
	p.served.Wait()
	return err
}

// shownOut is how many connections were closed for want of room.
func (p *portalPages) shownOut() uint64 {
	if p == nil || p.server == nil {
		return 0
	}
	return p.server.ShownOut()
}

// close ends what was opened, served or not.
func (p *portalPages) close() {
	if p == nil {
		return
	}
	if p.server != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = p.server.Shutdown(ctx) // drained before, or never served
	}
	for _, l := range append(p.plain, p.secure...) {
		_ = l.Close() // closed already if it was served
	}
	p.served.Wait()
}

// problems are the default addresses on which the page is not served.
func (p *portalPages) problems() []string {
	if p == nil {
		return nil
	}
	return p.unbound
}

// addresses are where the pages are served, as URLs.
func (p *portalPages) addresses() (out []string) {
	if p == nil {
		return nil
	}
	for _, l := range p.plain {
		out = append(out, "http://"+strings.TrimSuffix(l.Addr().String(), ":80")+"/")
	}
	for _, l := range p.secure {
		out = append(out, "https://"+strings.TrimSuffix(l.Addr().String(), ":443")+"/")
	}
	return out
}
