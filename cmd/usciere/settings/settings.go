// Package settings is the YAML settings file of the daemon: its keys, their
// defaults, their checks and their reference.
//
// What is fixed while the daemon runs or belongs to the machine (listeners,
// upstreams, zones, folders) is here; the rules of the offices are not, they
// live in the store and change through the admin socket.
//
// A key is one struct field: its tags name it (yaml), say what it is (doc),
// bound it (min, max, oneof, required) and say whether a running daemon can
// take a change of it (reload:"restart" = it cannot). The decoder, the checks,
// [Reference], [Example] and [Changed] all read those tags, so that adding a
// key means adding a field here and its value to [Default].
package settings

import (
	"fmt"
	"net/netip"
	"time"
	_ "time/tzdata" // town.timezone must load on a machine without a zoneinfo folder
)

// Settings is the whole file. The zero value is not usable: start from [Default].
type Settings struct {
	Town     Town      `yaml:"town" doc:"The town this resolver serves."`
	Listen   []string  `yaml:"listen" doc:"Where to answer, over UDP and TCP: address:port, or :port for all addresses of the machine, in quotes." required:"true" reload:"restart"`
	State    string    `yaml:"state" doc:"Folder of rules, requests and journal." def:"$STATE_DIRECTORY, else $XDG_STATE_HOME/usciere, else ~/.local/state/usciere" reload:"restart"`
	Admin    Admin     `yaml:"admin" doc:"The admin socket and who may use it." reload:"restart"`
	Upstream Upstream  `yaml:"upstream" doc:"The servers that are asked for granted names."`
	Forwards []Forward `yaml:"forwards" doc:"Domains asked of servers of their own, for every office, before policy: Active Directory, the LAN's reverse zones."`
	Zones    []Zone    `yaml:"zones" doc:"Local zones, answered with authority, from records written here or from a master file."`
	Sinkhole Sinkhole  `yaml:"sinkhole" doc:"What a name that is not granted gets."`
	Portal   Portal    `yaml:"portal" doc:"The page that a name that is not granted leads to, and where offices ask."`
	Security Security  `yaml:"security" doc:"Lists of names that roles without limits do not reach either; off without files."`
	Letters  Letters   `yaml:"letters" doc:"How letters to the offices look, and when they are reminded."`
	Mail     Mail      `yaml:"mail" doc:"The mail server by which letters go to the offices' mailboxes; without one they are printed."`
	Identity Identity  `yaml:"identity" doc:"What the resolver tells of itself to clients inside the site."`
	Cache    Cache     `yaml:"cache" doc:"The answer cache, shared by all offices. Times are whole seconds." reload:"restart"`
	TCP      TCP       `yaml:"tcp" doc:"Limits of DNS over TCP, and over TLS, HTTPS and QUIC: they count together." reload:"restart"`
	Limits   Limits    `yaml:"limits" doc:"Limits that hold for all transports together."`
	TLS      TLS       `yaml:"tls" doc:"DNS over TLS, HTTPS and QUIC, beside that of listen, within the limits of tcp; off without addresses."`
	Front    Front     `yaml:"front" doc:"Load balancers in front, such as dnsdist, that say who asks. Nobody else is believed, and without saying so they speak for nobody."`
	DHCP     DHCP      `yaml:"dhcp" doc:"Where the leases of the town's DHCP servers are, by which the devices of seats are known wherever they are." reload:"restart"`
	Asked    Asked     `yaml:"asked" doc:"Counts of the names that offices ask for, without clients, as usciere asked shows them."`
	Trace    Trace     `yaml:"trace" doc:"Traces of what an office's clients, or one machine, ask and are told, for a stated purpose and a while; see usciere trace."`
	Metrics  Metrics   `yaml:"metrics" doc:"Figures for Prometheus, at /metrics, and whether the daemon lives and answers, at /healthz and /readyz; off without addresses. Whoever reaches them may read them." reload:"restart"`
	Log      Log       `yaml:"log" doc:"The daemon's own log, on standard error."`
}

// Asked is about the counts of what offices ask for.
type Asked struct {
	Days int `yaml:"days" doc:"How many days they are kept, and at most 200 names of an office and day; 0: nothing is counted." min:"0" max:"400"`
}

// Trace is about looking on.
type Trace struct {
	Longest time.Duration `yaml:"longest" doc:"How long a trace lasts at most, until all of it is deleted, also of the one under way; 0s: there are none." min:"0s" max:"24h"`
	Memory  Size          `yaml:"memory" doc:"Memory of what is kept of one, about; beyond it, the oldest is forgotten." min:"64KiB" max:"1GiB"`
}

// Metrics is where figures are shown.
type Metrics struct {
	Listen []string `yaml:"listen" doc:"address:port, in quotes; an address of this machine alone, or one that only the monitoring reaches." example:"[\"127.0.0.1:9153\"]"`
}

// Town names the town and its networks.
type Town struct {
	Name     string         `yaml:"name" doc:"Its name, as notices and pages show it." required:"true"`
	Timezone string         `yaml:"timezone" doc:"IANA name of the time zone of dates and schedules." required:"true"`
	Site     []netip.Prefix `yaml:"site" doc:"The town's own networks; a source outside them is refused." required:"true"`
}

// Location is the time zone of the town. It is never nil: a name that does not
// load, which Parse has already refused, counts as UTC.
func (t Town) Location() *time.Location {
	if loc, err := time.LoadLocation(t.Timezone); err == nil {
		return loc
	}
	return time.UTC
}

// Admin is the admin socket: root and the members of Group may change, the
// members of Viewers may read.
type Admin struct {
	Socket  string `yaml:"socket" doc:"Path of the Unix socket, at most 107 octets." def:"admin.sock in the state folder"`
	Group   string `yaml:"group" doc:"Group whose members may change rules, beside root; empty: root only."`
	Viewers string `yaml:"viewers" doc:"Group whose members may only read; empty: nobody."`
	Head    string `yaml:"head" doc:"Who holds the IT head's seat, and alone may approve or deny requests and allow names: a user, or @ and a group; empty: whoever may change rules." example:"\"@it-head\""`
}

// Upstream is the group of servers behind the cache.
type Upstream struct {
	Servers    []netip.AddrPort `yaml:"servers" doc:"address or address:port, in order of preference." def:"the name servers of /etc/resolv.conf" example:"[10.0.0.53, \"10.0.0.54:5353\", \"[2001:db8::53]:53\"]"`
	Strategy   string           `yaml:"strategy" doc:"strict asks in the order given, fastest the one that answers soonest, parallel the two fastest at once. Silent and failing servers come last." oneof:"strict fastest parallel"`
	Trusted    bool             `yaml:"trusted" doc:"The servers validate DNSSEC and the path to them is safe: their AD flag is passed on."`
	TryTimeout time.Duration    `yaml:"try_timeout" doc:"How long one server is waited for." min:"50ms" max:"10s"`
	Timeout    time.Duration    `yaml:"timeout" doc:"How long a question may take in all; a workstation gives up after about 5s." min:"100ms" max:"30s"`
	InFlight   int              `yaml:"in_flight" doc:"Questions on their way at once; when there are more, the oldest gets SERVFAIL." min:"1" max:"50000"`
	RandomCase bool             `yaml:"random_case" doc:"Mix the case of names asked (0x20), against forged replies; a server that cannot keep it is asked without for a day."`
	Private    []string         `yaml:"private" doc:"Domains, and all below, that may have private addresses in answers of these servers; of other names such addresses are dropped (DNS rebinding)." example:"[vpn.comune.example.it]"`
	ECH        bool             `yaml:"ech" doc:"Pass on the keys for Encrypted Client Hello, by which browsers hide from the network which site they ask for; false takes them out, for a firewall that looks at names."`
	Secure     []Secure         `yaml:"secure" doc:"Servers, here or of forwards, that are asked over TLS, HTTPS or QUIC."`
	SameCase   []netip.AddrPort `yaml:"same_case" doc:"Servers, here or of forwards, that random_case leaves out." example:"[10.0.0.54]"`
}

// Forward is a set of domains with servers of their own.
type Forward struct {
	Zones   []string         `yaml:"zones" doc:"The domains; each stands for itself and all below. A network, as 10.20.0.0/16, stands for its reverse zones." required:"true" example:"[ad.comune.example.it, _msdcs.comune.example.it, 10.20.0.0/16]"`
	Servers []netip.AddrPort `yaml:"servers" doc:"address or address:port, in order of preference." required:"true" example:"[10.20.0.10, 10.20.0.11]"`

	Strategy string `yaml:"strategy" doc:"As upstream.strategy." def:"strict" oneof:"strict fastest parallel" example:"fastest"`
}

// Zone is one local zone: exactly one of File and Records is set.
type Zone struct {
	Name    string       `yaml:"name" doc:"Origin of the zone." required:"true" example:"intranet.comune.example.it"`
	File    string       `yaml:"file" doc:"Master file (RFC 1035 §5); a relative path starts at the settings file's folder. Either this or records."`
	Records []string     `yaml:"records" doc:"Records in presentation format, relative to the origin. Either this or file." example:"[\"www A 10.20.0.80\", \"posta A 10.20.0.25\"]"`
	Offices []Visibility `yaml:"offices" doc:"Offices that see the zone, as ids or as {office: id, from: date}; left out: every office. To the others it does not exist." example:"[anagrafe, {office: tributi, from: 2026-03-01}]"`
}

// Visibility opens a zone to one office, from a date on (R2).
type Visibility struct {
	Office string `yaml:"office" doc:"Id of the office." required:"true"`
	From   Date   `yaml:"from" doc:"First day, YYYY-MM-DD, in the town's time zone." def:"at once"`
}

// Sinkhole is the answer to a name that is not granted.
type Sinkhole struct {
	Mode      string       `yaml:"mode" doc:"page leads to the block page; zero gives 0.0.0.0 and ::, which reach localhost on Linux." oneof:"page nxdomain nodata zero refused"`
	Addresses []netip.Addr `yaml:"addresses" doc:"Addresses of the block page, at most 8." def:"the address the client asked" example:"[10.20.0.53]"`
	Contact   string       `yaml:"contact" doc:"How to ask for a name, shown in the reply's EDE text (RFC 8914); at most 120 octets."`
}

// Portal is the web pages of the office staff.
type Portal struct {
	Enabled  bool     `yaml:"enabled" doc:"Serve the page; false where a web server of yours does." reload:"restart"`
	Name     string   `yaml:"name" doc:"Its own name: for every workstation it leads to the page, before zones, forwards and rules." required:"true"`
	Listen   []string `yaml:"listen" doc:"Where to serve it over HTTP: address:port, in quotes." def:"port 80 of sinkhole.addresses, else of the addresses of listen" example:"[\"10.20.0.53:80\"]" reload:"restart"`
	HTTPS    []string `yaml:"https" doc:"Where to serve it over HTTPS too, with certificates of the root that usciere ca init made and IT rolled out; empty: the port refuses at once, and browsers fail fast." example:"[\"10.20.0.53:443\"]" reload:"restart"`
	Requests bool     `yaml:"requests" doc:"Offices prepare their requests on it; false: on paper alone."`
}

// Security is the security lists.
type Security struct {
	Files     []string `yaml:"files" doc:"The lists, at most 32; the first that knows a name decides. A relative path starts at the settings file's folder. A file that changes is read again." example:"[/var/lib/usciere/malware.txt]"`
	Format    string   `yaml:"format" doc:"How they are written; auto looks at each file." oneof:"auto hosts domains rpz"`
	Mode      string   `yaml:"mode" doc:"What a listed name gets, as with sinkhole.mode." oneof:"page nxdomain nodata zero refused"`
	Roles     []string `yaml:"roles" doc:"The roles that are held to them: manager, secretary-general, council-president, elected-official." def:"every role without limits" example:"[elected-official]"`
	PublicDNS bool     `yaml:"public_dns" doc:"One more list, built in: the names under which public services offer DNS over HTTPS or TLS, which would lead around the others."`
}

// Identity is what the resolver tells of itself.
type Identity struct {
	NSID    string `yaml:"nsid" doc:"Name of this server, told to who asks for it (RFC 5001) and as id.server of class CHAOS; at most 128 octets; empty: none."`
	Version bool   `yaml:"version" doc:"Tell the version, as version.server of class CHAOS."`
	Secret  string `yaml:"cookie_secret_file" doc:"File with the secret of DNS cookies (RFC 9018), 32 hexadecimal digits; several resolvers behind one address have it in common." def:"a new one at each start"`
}

// Limits are what no transport has by itself.
type Limits struct {
	Pending   int `yaml:"pending" doc:"Questions that wait for upstream servers at once; beyond it they get SERVFAIL." min:"10" max:"1000000" reload:"restart"`
	PerClient int `yaml:"pending_per_client" doc:"The same of one address." min:"1" max:"1000000" reload:"restart"`
	Strangers int `yaml:"strangers" doc:"Replies in a second over UDP to a network outside the site (IPv4 /24, IPv6 /56), where sources may be forged; the rest is left unanswered, but to those that show a DNS cookie. 0: no limit." min:"0" max:"1000000"`
}

// Cache bounds the answer cache and the TTLs it gives.
type Cache struct {
	Entries     int           `yaml:"entries" doc:"Answers kept." min:"100" max:"10000000"`
	Memory      Size          `yaml:"memory" doc:"Memory of the answers kept, about." min:"1MiB" max:"64GiB"`
	MinTTL      time.Duration `yaml:"min_ttl" doc:"Answers are kept at least this long." min:"0s" max:"1h"`
	MaxTTL      time.Duration `yaml:"max_ttl" doc:"Answers are kept at most this long." min:"1s" max:"168h"`
	NegativeTTL time.Duration `yaml:"negative_ttl" doc:"NXDOMAIN and NODATA are kept at most this long (RFC 2308 §5)." min:"1s" max:"3h"`
	ClientTTL   time.Duration `yaml:"client_ttl" doc:"Workstations are told at most this: how long they may keep an answer after a change." min:"1s" max:"24h"`
	StaleMax    time.Duration `yaml:"stale_max" doc:"How long after its life an answer may stand in when no upstream gives another (RFC 8767); 0s: never." min:"0s" max:"168h"`
	FailureMin  time.Duration `yaml:"failure_min" doc:"A question that failed is not asked again for this long (RFC 9520), and twice as long each time it fails again," min:"1s" max:"5m"`
	FailureMax  time.Duration `yaml:"failure_max" doc:"up to this." min:"1s" max:"5m"`
	Prefetch    bool          `yaml:"prefetch" doc:"Answers that are asked for again and again are refreshed shortly before their end."`
	Persist     bool          `yaml:"persist" doc:"Answers outlive a restart, in cache.snapshot in the state folder."`
}

// TCP bounds the TCP listeners.
type TCP struct {
	Connections int           `yaml:"connections" doc:"Connections at once. When all places are taken, who comes gets that of an idle connection of the client that has the most." min:"1" max:"1000000"`
	PerClient   int           `yaml:"per_client" doc:"Connections at once from one address." min:"1" max:"1000000"`
	Idle        time.Duration `yaml:"idle" doc:"A connection that is silent this long is closed." min:"1s" max:"2m"`
}

// Log is the daemon's log.
type Log struct {
	Level  string `yaml:"level" doc:"Least level written." oneof:"debug info warn error"`
	Format string `yaml:"format" doc:"Form of a line." oneof:"text json" reload:"restart"`
}

// Default is what an empty file means. State, Admin.Socket, Upstream.Servers
// and Sinkhole.Addresses are empty in it: StateFolder, SocketPath,
// MachineUpstreams and the address asked stand for them.
func Default() Settings {
	return Settings{
		Town: Town{
			Name:     "Comune",
			Timezone: "Europe/Rome",
			Site: []netip.Prefix{
				netip.MustParsePrefix("127.0.0.0/8"),    // RFC 1122 §3.2.1.3
				netip.MustParsePrefix("::1/128"),        // RFC 4291 §2.5.3
				netip.MustParsePrefix("10.0.0.0/8"),     // RFC 1918 §3
				netip.MustParsePrefix("172.16.0.0/12"),  // RFC 1918 §3
				netip.MustParsePrefix("192.168.0.0/16"), // RFC 1918 §3
				netip.MustParsePrefix("fc00::/7"),       // RFC 4193 §3.1
			},
		},
		Listen: []string{":53"},
		Admin:  Admin{Group: "usciere-admin", Viewers: "usciere-viewer"},
		Upstream: Upstream{
			Strategy:   "strict",
			TryTimeout: 1200 * time.Millisecond,
			Timeout:    5 * time.Second,
			InFlight:   2000,
			RandomCase: true,
			ECH:        true,
		},
		Asked:    Asked{Days: 92},
		Trace:    Trace{Longest: time.Hour, Memory: 8 * MiB},
		Limits:   Limits{Pending: 10_000, PerClient: 200, Strangers: 20},
		TLS:      TLS{HTTP3: true},
		Sinkhole: Sinkhole{Mode: "page"},
		Portal:   Portal{Enabled: true, Name: "usciere.internal", Requests: true},
		Security: Security{Format: "auto", Mode: "nxdomain"},
		Letters:  Letters{Language: "it", Reminders: []int{30, 7}},
		Mail:     Mail{TLS: "starttls", Timeout: time.Minute},
		Cache: Cache{
			Entries:     100_000,
			Memory:      64 * MiB,
			MaxTTL:      24 * time.Hour,
			NegativeTTL: time.Hour,
			ClientTTL:   5 * time.Minute,
			StaleMax:    24 * time.Hour,
			FailureMin:  5 * time.Second,
			FailureMax:  5 * time.Minute,
			Prefetch:    true,
			Persist:     true,
		},
		TCP: TCP{Connections: 2000, PerClient: 50, Idle: 10 * time.Second},
		Log: Log{Level: "info", Format: "text"},
	}
}

// Date is a day of the calendar, without a time zone. The zero Date is no date.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// parseDate reads YYYY-MM-DD.
func parseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() == 0 {
		return Date{}, fmt.Errorf("%q is not a date: write YYYY-MM-DD", text)
	}
	return Date{t.Year(), t.Month(), t.Day()}, nil
}

// IsZero reports whether d is no date.
func (d Date) IsZero() bool { return d == Date{} }

// Start is the first instant of the day in loc; the zero time for no date.
func (d Date) Start(loc *time.Location) time.Time {
	if d.IsZero() {
		return time.Time{}
	}
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, loc)
}

// String is YYYY-MM-DD; empty for no date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}
