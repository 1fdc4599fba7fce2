package portal

import (
	"container/list"
	"crypto/tls"
	"errors"
	"net/netip"
	"sync"
	"time"

	"usciere/policy"
)

// Issuer makes a certificate for a name: authority.Authority is one.
type Issuer interface {
	Issue(name string, now time.Time) (*tls.Certificate, error)
}

// What is made and kept of certificates. Each costs some hundred microseconds and 2 kB.
const (
	maxCertificates = 1024
	renewBefore     = 24 * time.Hour // its end

	clientBurst = 60 // of one workstation, whose page has many names
	clientEvery = 250 * time.Millisecond
	allBurst    = 200
	allEvery    = 20 * time.Millisecond
)

// Certificates finds the certificate for a TLS handshake, and makes it if it must.
type Certificates struct {
	portal  *Portal
	issuer  Issuer
	clients *limiter
	all     *limiter

	mu    sync.Mutex
	names map[string]*list.Element
	used  list.List // of *kept, the one used last in front
}

type kept struct {
	name string
	cert *tls.Certificate
}

// NewCertificates makes certificates for a portal's pages.
func NewCertificates(p *Portal, issuer Issuer) *Certificates {
	return &Certificates{
		portal: p, issuer: issuer, names: map[string]*list.Element{},
		clients: newLimiter(clientBurst, clientEvery, p.cfg.Now), all: newLimiter(allBurst, allEvery, p.cfg.Now),
	}
}

var (
	errNotOurs  = errors.New("this name is not for the page to pass for")
	errTooFast  = errors.New("too many certificates are asked for at once")
	errNoClient = errors.New("not a client of the site")
)

// Get is the certificate for a handshake: for the name that is asked for, if it leads this very client to the page; for the
// portal's own name where none or an address is asked for. There is none for what the client may reach, nor for what is the
// town's own: nobody shall be able to pass for that.
func (c *Certificates) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	from, err := netip.ParseAddrPort(hello.Conn.RemoteAddr().String())
	if err != nil {
		return nil, errNoClient
	}
	own := c.portal.settings.Load().Name
	name, address, ok := readHost(hello.ServerName)
	if !ok || address.IsValid() {
		name = own
	}
	client, err := c.leadsHere(from.Addr(), name, name == own)
	if err != nil {
		return nil, err
	}
	return c.get(client, name)
}

// leadsHere says whether a client is led to the page when it asks for a name, and returns the client's address.
func (c *Certificates) leadsHere(from netip.Addr, name policy.Name, own bool) (netip.Addr, error) {
	p := c.portal
	rules, at := p.cfg.Rules.Snapshot(), p.cfg.Now()
	client := rules.Who(from, at)
	switch {
	case !client.Inside:
		return netip.Addr{}, errNoClient
	case own:
		return client.Addr, nil
	case !policy.Browsable([]byte(name)):
		return netip.Addr{}, errNotOurs
	}
	for _, t := range []policy.Type{policy.TypeA, policy.TypeAAAA} {
		j := p.cfg.Explain(rules, &client, name, t, at)
		if j.Local != "" || j.Closed != "" || j.Verdict.Action != policy.Sinkhole {
			return netip.Addr{}, errNotOurs
		}
	}
	return client.Addr, nil
}

// get is the certificate for a name, kept or new.
func (c *Certificates) get(client netip.Addr, name policy.Name) (*tls.Certificate, error) {
	text, now := name.String(), c.portal.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.names[text]; ok {
		if k, _ := e.Value.(*kept); now.Before(k.cert.Leaf.NotAfter.Add(-renewBefore)) && now.After(k.cert.Leaf.NotBefore) {
			c.used.MoveToFront(e)
			return k.cert, nil
		}
		c.used.Remove(e)
		delete(c.names, text)
	}
	if !c.clients.allow(client) || !c.all.allow(netip.Addr{}) {
		return nil, errTooFast
	}
	cert, err := c.issuer.Issue(text, now)
	if err != nil {
		return nil, err
	}
	if c.used.Len() >= maxCertificates {
		oldest := c.used.Back()
		if k, _ := oldest.Value.(*kept); k != nil {
			delete(c.names, k.name)
		}
		c.used.Remove(oldest)
	}
	c.names[text] = c.used.PushFront(&kept{text, cert})
	return cert, nil
}
