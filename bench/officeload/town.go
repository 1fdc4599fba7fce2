// Package officeload is the day of a town hall as its resolver sees it: a model, made of a seed, of who asks what, when, and what must
// come back. It is the same for the same seed, whatever is measured with it.
//
// # The town
//
// 2,000 workstations in 60 offices, each with an address of its own in 127.20.0.0/16, so that one Linux machine plays all of them.
// Everyone was granted 200 domains and the built-in services of Windows and of certificates; each office five domains of its own and
// five that it shares with another: 500 in all, twelve hosts each. The names are invented, under top-level domains that a browser would
// open. The town answers for its Active Directory domain and the reverse zone of the LAN itself.
//
// # The day
//
// A workstation logs on once, between 7:45 and 8:15, loads 45 pages while its user is there, and chatters every five minutes, day and
// night. A page asks 10 to 40 names, each for A, AAAA and HTTPS together, in three waves within a second. Three in ten of the names are
// not granted; which ones follows Zipf's law, for both. One in fifty has never been asked before.
//
// Each of these is a session: it has a time in the day, and its questions follow at offsets. Played faster than life, the sessions move
// together, while within a session the offsets stay as they are: a browser does not hurry because the benchmark does.
//
// # What is known of each question
//
// A question carries its verdict, and so what the reply must be: upstream is expected to answer as Upstream says.
package officeload

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"
)

// The town. An average provider of the public administration serves more, an average comune (43 workstations) less: this is a large
// city's hall.
const (
	offices      = 60
	workstations = 2000

	everyoneDomains = 200 // granted to everyone
	ownDomains      = 5   // granted to one office first
	sharedDomains   = 5   // of another office's, granted to this one too
	domainCount     = everyoneDomains + offices*ownDomains
	blockedNames    = 20_000 // of the rest of the Internet; assumed
)

// hostLabels are the hosts of a granted domain; "" is the domain itself.
var hostLabels = [...]string{"www", "", "api", "static", "img", "login", "cdn", "assets", "fonts", "media", "servizi", "s3"}

// zipf is the exponent of the popularity of names. That it is heavy-tailed, near Zipf's law, is what the traces of J. Jung et al. show
// ("DNS Performance and the Effectiveness of Caching", IEEE/ACM Transactions on Networking 10(5), 2002); its value, a little below 1, is
// assumed.
const zipf = 0.91

// Site is the network that all workstations are in; Page is the address that blocked names lead to.
var (
	Site = netip.MustParsePrefix("127.20.0.0/16")
	Page = netip.MustParseAddr("192.0.2.80") // RFC 5737: for documentation
)

// Directory is the town's Active Directory domain, Reverse the reverse zone of its LAN.
const (
	Directory = "ad.comune.example.it"
	Reverse   = "20.127.in-addr.arpa"
)

// Station is a workstation.
type Station struct {
	Addr   netip.Addr
	Name   string // its host name, one label
	Office *Office
	EDNS   bool // its questions have an OPT record
	number int
}

// ednsEvery is how many workstations there are to one that speaks EDNS: the DNS client of Windows does not by itself, the resolvers of
// Linux do. The share is assumed.
const ednsEvery = 5

// Office is an office with its network and what it was granted beside what everyone was.
type Office struct {
	ID       string
	Name     string
	Network  netip.Prefix
	Stations []*Station
	Domains  []string
	reach    []*host // what it may ask, the most popular first
	closed   []*host // granted to other offices only
}

// Town is the whole model.
type Town struct {
	Offices  []*Office
	Stations []*Station
	Everyone []string // domains granted to everyone

	seed     uint64
	domains  []string
	blocked  []*host
	reachLaw *law
	blockLaw *law
	chatter  chatter
}

// host is a name of the Web with its questions, as one that may be asked and as one that may not.
type host struct {
	domain  int // its place in domains; -1: of none that was granted
	granted [len(webTypes)]*Question
	blocked [len(webTypes)]*Question
}

// New makes the town of a seed.
func New(seed uint64) *Town {
	t := &Town{seed: seed}
	r := rand.New(rand.NewPCG(seed, 0))
	names := newNames(r)
	for range domainCount {
		t.domains = append(t.domains, names.domain())
	}
	t.Everyone = t.domains[:everyoneDomains]
	var hosts []*host
	for i, domain := range t.domains {
		for _, label := range hostLabels {
			hosts = append(hosts, newHost(i, join(label, domain)))
		}
	}
	r.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] }) // popular or not has nothing to do with whose
	for range blockedNames {
		t.blocked = append(t.blocked, newHost(-1, join(hostLabels[r.IntN(len(hostLabels))], names.domain())))
	}
	t.open(hosts)
	t.settle(r)
	t.reachLaw = newLaw(len(t.Offices[0].reach))
	t.blockLaw = newLaw(len(t.blocked))
	t.chatter = newChatter()
	return t
}

// open makes the offices and gives each its domains, and the hosts that follow from them.
func (t *Town) open(hosts []*host) {
	for i := range offices {
		o := &Office{
			ID:      fmt.Sprintf("ufficio-%02d", i+1),
			Name:    fmt.Sprintf("Ufficio %d", i+1),
			Network: netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 20, byte(i + 1), 0}), 24),
		}
		mine := map[int]bool{}
		for d := range ownDomains + sharedDomains {
			own := everyoneDomains + i*ownDomains + d // those beyond its own are the next office's
			if own >= domainCount {
				own -= offices * ownDomains
			}
			mine[own] = true
			o.Domains = append(o.Domains, t.domains[own])
		}
		for _, h := range hosts {
			if h.domain < everyoneDomains || mine[h.domain] {
				o.reach = append(o.reach, h)
			} else {
				o.closed = append(o.closed, h)
			}
		}
		t.Offices = append(t.Offices, o)
	}
}

// firstHost is the last octet of an office's first workstation: those before it are routers, printers and the manager's.
const firstHost = 20

// settle puts the workstations into the offices: a few large ones, many small ones, none without.
func (t *Town) settle(r *rand.Rand) {
	const least, most = 8, 200
	for _, o := range t.Offices {
		for range least {
			t.seat(o)
		}
	}
	// An office draws the more people the more it has, as towns do.
	for len(t.Stations) < workstations {
		if o := t.Stations[r.IntN(len(t.Stations))].Office; len(o.Stations) < most {
			t.seat(o)
		}
	}
}

func (t *Town) seat(o *Office) {
	a := o.Network.Addr().As4()
	a[3] = byte(firstHost + len(o.Stations))
	s := &Station{
		Addr: netip.AddrFrom4(a), Name: fmt.Sprintf("pc-%02d-%03d", a[2], a[3]), Office: o,
		number: len(t.Stations), EDNS: len(t.Stations)%ednsEvery == 0,
	}
	o.Stations = append(o.Stations, s)
	t.Stations = append(t.Stations, s)
}

// Clock is a time of day.
func Clock(hour, minute int) time.Duration {
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
}
