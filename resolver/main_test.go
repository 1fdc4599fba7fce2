package resolver

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"usciere/policy"
	"usciere/resolver/answercache"
	"usciere/resolver/dnstest"
	"usciere/resolver/listen"
	"usciere/resolver/upstream"
	"usciere/resolver/zone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The clients of the tests. Every office has a network of its own, and a sinkhole mode.
const (
	anagrafe   = "127.10.1.5" // page, with grants of the web
	relay      = "127.10.1.25"
	tributi    = "127.10.2.5" // page, with no grant
	manager    = "127.10.2.9" // the seat of its manager
	protocollo = "127.10.3.5" // nxdomain, with a grant of mail
	avvocatura = "127.10.4.5" // nodata, with a grant of the same mail
	cultura    = "127.10.5.5" // zero
	economato  = "127.10.6.5" // refused
	noOffice   = "127.10.99.5"
	outside    = "127.99.0.1"
)

// contact is how to ask for a name, as the tests' settings have it.
const contact = "tel. 100"

// house is a whole resolver on real sockets, with the town's rules and an upstream.
type house struct {
	testing.TB
	clock       *clock
	live        *policy.Live
	cache       *answercache.Cache
	cacheConfig answercache.Config
	over        <-chan struct{} // ends the time that clients with a stale answer wait; nil: the clock does
	resolver    *Resolver
	dns         *listen.Server
	addr        string
	upstream    *dnstest.Server // of all names
	ad          *dnstest.Server // of the forward ad.comune.test
	branch      *dnstest.Server // of the forward sede.ad.comune.test, below it
	setup       Setup
	letters     int // protocol numbers given
}

// records is what the Internet of the tests has.
var records = []string{
	"inps.it. 900 IN SOA ns.inps.it. host.inps.it. 1 7200 900 1209600 600",
	"inps.it. 3600 IN A 192.0.2.3",
	"www.inps.it. 3600 IN A 192.0.2.1",
	"www.inps.it. 3600 IN AAAA 2001:db8::1",
	"servizi.inps.it. 100 IN A 192.0.2.2",
	"alias.inps.it. 60 IN CNAME cdn.example.net.",
	"cdn.example.net. 60 IN A 192.0.2.4",
	"autodiscover.inps.it. 60 IN A 192.0.2.5",
	"inps.it. 60 IN MX 10 mx1.provider.net.",
	"www.agenziaentrate.gov.it. 60 IN A 192.0.2.6",
	"telematici.agenziaentrate.gov.it. 60 IN A 192.0.2.7",
	"posta.example.it. 120 IN MX 10 mx1.provider.net.",
	"pec.example.it. 20 IN MX 10 mx1.provider.net.",
	"null.example.it. 120 IN MX 0 .",
	"_imaps._tcp.posta.example.it. 120 IN SRV 0 1 993 imap.provider.net.",
	"autodiscover.posta.example.it. 120 IN A 192.0.2.8",
	"mx1.provider.net. 3600 IN A 192.0.2.10",
	"mx1.provider.net. 3600 IN AAAA 2001:db8::10",
	"imap.provider.net. 3600 IN A 192.0.2.11",
	"web.provider.net. 3600 IN A 192.0.2.12",
	"www.example.com. 60 IN A 192.0.2.13",
}

var quiet = slog.New(slog.DiscardHandler)

// open starts a house; change may alter its setup first.
func open(t testing.TB, change ...func(*Setup)) *house {
	t.Helper()
	return openWith(t, answercache.Config{}, nil, change...)
}

// openWith is open with a cache of its own kind; over, when not nil, ends the time that clients with a stale answer wait.
func openWith(t testing.TB, cache answercache.Config, over <-chan struct{}, change ...func(*Setup)) *house {
	t.Helper()
	h := &house{TB: t, cacheConfig: cache, over: over, clock: &clock{now: time.Date(2026, 11, 16, 10, 0, 0, 0, time.UTC)}}
	h.upstream = dnstest.Start(t, dnstest.Records(records...))
	h.ad = dnstest.Start(t, dnstest.Records("dc.ad.comune.test. 60 IN A 127.10.0.1", "dc.sede.ad.comune.test. 60 IN A 127.10.0.2"))
	h.branch = dnstest.Start(t, dnstest.Records("dc.sede.ad.comune.test. 60 IN A 127.10.0.3"))
	h.setup = Setup{
		Upstream: h.group(h.upstream), Sinkhole: Sinkhole{Contact: contact}, ClientTTL: 300,
		Forwards: []Forward{
			{Zones: []policy.Name{name(t, "ad.comune.test"), name(t, "1.10.127.in-addr.arpa")}, Group: h.group(h.ad)},
			{Zones: []policy.Name{name(t, "sede.ad.comune.test")}, Group: h.group(h.branch)},
		},
	}
	for _, c := range change {
		c(&h.setup)
	}
	h.rules()
	h.serve()
	return h
}

// serve opens the house's doors, with the rules and the setup that it has.
func (h *house) serve() {
	h.Helper()
	t := h.TB
	var err error
	h.dns, err = listen.Open(listen.Config{Addrs: []string{"127.0.0.1:0"}, Readers: 2, Now: h.clock.Now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	h.addr = h.dns.Addrs()[0].String()
	h.cache = answercache.New(h.cacheConfig)
	h.resolver = New(h.live, h.cache, h.clock.Now)
	if h.over != nil {
		h.resolver.after = until(h.over)
	}
	h.resolver.Use(h.setup)
	served := make(chan error, 1)
	go func() { served <- h.dns.Serve(h.resolver) }()
	t.Cleanup(func() {
		for _, f := range h.setup.Forwards {
			f.Group.Close()
		}
		h.setup.Upstream.Close()
		if err := h.dns.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-served
		if n := h.dns.Stats().Panics; n != 0 {
			t.Errorf("%d questions made the resolver panic", n)
		}
	})
}

// until ends the wait for a better answer than a stale one by a channel instead of the clock.
func until(over <-chan struct{}) func(time.Duration, func()) func() bool {
	return func(_ time.Duration, do func()) func() bool {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			select {
			case <-over:
				do()
			case <-ctx.Done():
			}
		}()
		return func() bool { cancel(); return true }
	}
}

// group is one server as a group, closed with the test.
func (h *house) group(s *dnstest.Server) *upstream.Group {
	g := upstream.New(upstream.Config{Name: "test", Servers: []netip.AddrPort{s.Addr}, Trusted: true, RandomCase: true, Now: h.clock.Now})
	h.Cleanup(g.Close)
	return g
}

// plainGroup is the upstream as a group that keeps the letter case, for scripts that compare names.
func (h *house) plainGroup() *upstream.Group {
	g := upstream.New(upstream.Config{Name: "plain", Servers: []netip.AddrPort{h.upstream.Addr}, Now: h.clock.Now})
	h.Cleanup(g.Close)
	return g
}

// rules makes the town: its offices, their seats, and the grants that most tests need.
func (h *house) rules() {
	h.Helper()
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		h.Fatal(err)
	}
	town := policy.Town{Site: []netip.Prefix{netip.MustParsePrefix("127.10.0.0/16")}, Zone: rome}
	if h.live, err = policy.Open(newMemory(), town, h.clock.Now); err != nil {
		h.Fatal(err)
	}
	modes := []policy.Mode{"", "", policy.NXDomain, policy.NoData, policy.Zero, policy.Refused}
	for i, id := range []string{"anagrafe", "tributi", "protocollo", "avvocatura", "cultura", "economato"} {
		network := netip.MustParsePrefix(fmt.Sprintf("127.10.%d.0/24", i+1))
		seat := policy.AddSeat{ID: "dirigente-" + id, Office: id, Holder: "M. Rossi", From: "2025-01-01"}
		if id == "tributi" {
			seat.Hosts = []netip.Addr{netip.MustParseAddr(manager)}
		}
		h.apply(policy.AddOffice{ID: id, Name: "Ufficio " + id, Networks: []netip.Prefix{network}, Sinkhole: modes[i]}, seat)
	}
	h.apply(policy.AddHost{Addr: netip.MustParseAddr(relay), Role: policy.Server})
	h.grant("anagrafe", policy.Web, ".inps.it", "www.agenziaentrate.gov.it")
	h.grant("protocollo", policy.Mail, "posta.example.it")
	h.grant("avvocatura", policy.Mail, "posta.example.it")
}

func (h *house) apply(changes ...policy.Change) []any {
	h.Helper()
	out, err := h.live.Apply(policy.Actor{Name: "test"}, changes...)
	if err != nil {
		h.Fatal(err)
	}
	return out
}

// grant opens names to an office and returns the grants.
func (h *house) grant(office string, channel policy.Channel, names ...string) []policy.GrantID {
	h.Helper()
	h.letters++
	return h.allow(policy.AddGrants{Subject: policy.Subject{Office: office}, Names: names, Channel: channel})
}

func (h *house) allow(c policy.AddGrants) (ids []policy.GrantID) {
	h.Helper()
	h.letters++
	c.Protocol, c.Reason = fmt.Sprintf("%d/2026", h.letters), "per l'ufficio"
	for _, g := range h.apply(c)[0].(policy.GrantsAdded).Grants {
		ids = append(ids, g.ID)
	}
	return ids
}

func (h *house) revoke(ids []policy.GrantID) {
	h.Helper()
	h.apply(policy.RevokeGrants{Grants: ids})
}

// exchange sends a query from a client's address and returns the reply.
func (h *house) exchange(network, from string, m *dns.Msg) *dns.Msg {
	h.Helper()
	return dnstest.Exchange(h, network, h.addr, from, m)
}

// ask asks "name TYPE" over UDP, without EDNS unless an option adds it, and returns the reply in short.
func (h *house) ask(from, text string, options ...option) string {
	h.Helper()
	return short(h.exchange("udp", from, question(h, text, options...)))
}

// clock is a time that only moves when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func name(t testing.TB, text string) policy.Name {
	t.Helper()
	n, err := policy.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// localZone is a zone of inline records; offices are from which day they see it, none: everybody.
func localZone(t testing.TB, origin string, offices map[string]policy.Moment, lines ...string) LocalZone {
	t.Helper()
	z, err := zone.FromRecords(origin, lines)
	if err != nil {
		t.Fatal(err)
	}
	return LocalZone{Zone: z, Offices: offices}
}
