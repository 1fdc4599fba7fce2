package admin

import (
	"net/netip"
	"time"

	"usciere/policy"
	"usciere/policy/journal"
)

// Status is how the daemon is.
type Status struct {
	Version  string        `json:"version"` // of the program
	Started  time.Time     `json:"started"`
	Uptime   int64         `json:"uptime_s"`
	Daemon   Daemon        `json:"daemon"`
	Rules    policy.Counts `json:"rules"`
	Journal  journal.Head  `json:"journal"` // its newest entry; the sequence number is the version of the rules
	Counters Counters      `json:"counters"`
	Waits    Waits         `json:"waits"`
	Letters  LetterCounts  `json:"letters"`
	You      You           `json:"you"`
}

// You is whom the daemon takes the peer for.
type You struct {
	Name   string `json:"name"`
	UID    uint32 `json:"uid"`
	Permit string `json:"permit"` // read, change or decide
}

// Daemon is what a daemon says of itself.
type Daemon struct {
	Town      string   `json:"town,omitempty"`
	Listen    []string `json:"listen,omitempty"`
	Encrypted []string `json:"encrypted,omitempty"` // where DNS is served over TLS, HTTPS and QUIC, for people
	// HTTPS is the address of DNS over HTTPS, and ServerName what the server name of TLS and QUIC ends in when a token begins it; empty:
	// it is not served under a name.
	HTTPS      string `json:"https,omitempty"`
	ServerName string `json:"server_name,omitempty"`

	Page     []string `json:"page,omitempty"`    // where the page is served: URLs, by address
	Metrics  []string `json:"metrics,omitempty"` // where figures are shown: URLs, by address
	Socket   string   `json:"socket,omitempty"`
	State    string   `json:"state,omitempty"`    // folder
	Config   string   `json:"config,omitempty"`   // settings file
	Problems []string `json:"problems,omitempty"` // what an administrator should look at

	Trace *policy.Tracing `json:"trace,omitempty"` // under way
}

// Counters are what became of the questions since start; each is counted once.
type Counters struct {
	Dropped   uint64 `json:"dropped"`   // left without a reply
	Malformed uint64 `json:"malformed"` // answered with an error
	Refused   uint64 `json:"refused"`   // from outside the site, or without recursion desired
	Local     uint64 `json:"local"`     // from a local zone or a special name
	Sinkholed uint64 `json:"sinkholed"`
	Allowed   uint64 `json:"allowed"` // from the cache or upstream

	Replies  uint64 `json:"replies"`
	Failures uint64 `json:"failures"`  // no upstream server answered, now or a short while ago
	Shed     uint64 `json:"shed"`      // too much was under way
	GivenUp  uint64 `json:"given_up"`  // of these, having waited for upstream servers longest of all
	HeldBack uint64 `json:"held_back"` // too many to a network outside the site: left without a reply
}

// Waits are how many clients waited how long for an answer from upstream since start; what the cache answers is not among them.
type Waits struct {
	Bounds []float64 `json:"bounds"` // seconds, ascending
	Counts []uint64  `json:"counts"` // of those who waited no longer than each bound, but longer than the one before; and then of the rest
	Sum    float64   `json:"sum"`    // seconds that all waited together
}

// OfficeCounts are the questions of each office's clients since start, by office; the empty id is of clients in none.
type OfficeCounts struct {
	Offices map[string]OfficeCount `json:"offices"`
}

// OfficeCount is what became of an office's questions.
type OfficeCount struct {
	Local     uint64 `json:"local"` // from a local zone or a special name
	Sinkholed uint64 `json:"sinkholed"`
	Allowed   uint64 `json:"allowed"`
}

// OfficeList are all offices, by id.
type OfficeList struct {
	Offices []*policy.Office `json:"offices"`
}

// OfficeDetails are an office and what belongs to it.
type OfficeDetails struct {
	Office *policy.Office `json:"office"`
	Grants int            `json:"grants"` // not revoked
	Seats  []*policy.Seat `json:"seats"`
	Hosts  []*policy.Host `json:"hosts"`
}

// NetworkList are the networks of all offices, by address.
type NetworkList struct {
	Networks []Network `json:"networks"`
}

// Network is a prefix and whose it is.
type Network struct {
	Network netip.Prefix `json:"network"`
	Office  string       `json:"office"`
	Outside bool         `json:"outside_site,omitempty"` // nobody in it is answered
}

// HostList are all hosts, by address.
type HostList struct {
	Hosts []*policy.Host `json:"hosts"`
}

// SeatList are all seats, by id.
type SeatList struct {
	Seats []SeatToday `json:"seats"`
}

// SeatToday is a seat, who holds it today, and its workstations of today.
type SeatToday struct {
	*policy.Seat
	Holder string       `json:"holder,omitempty"`
	Hosts  []netip.Addr `json:"hosts,omitempty"`
}

// SeatHistory is who held a seat when, and on which workstations.
type SeatHistory struct {
	Seat  *policy.Seat   `json:"seat"`
	Hosts []*policy.Host `json:"hosts"` // that are, were or will be bound to it
}

// ServiceList are all services, by id.
type ServiceList struct {
	Services []ServiceBrief `json:"services"`
}

// ServiceBrief is a service without its rules.
type ServiceBrief struct {
	ID       string         `json:"id"`
	Title    string         `json:"title"`
	Channel  policy.Channel `json:"channel"`
	Rules    int            `json:"rules"`
	Eligible []string       `json:"eligible,omitempty"`
	PEC      bool           `json:"pec,omitempty"`
	Builtin  bool           `json:"builtin,omitempty"`
	Version  uint64         `json:"version"`
}

// GrantState is whether a grant opens anything on a day.
type GrantState string

// The states of a grant.
const (
	InForce GrantState = "in force"
	ToCome  GrantState = "to come"
	Expired GrantState = "expired"
	Revoked GrantState = "revoked"
)

// GrantFilter chooses grants; the empty one takes all that are in force or to come.
type GrantFilter struct {
	policy.Subject
	Name  string         // a service, or a name that the grants cover
	All   bool           // expired and revoked ones too
	After policy.GrantID // those with a higher number
	Limit int            // 1 to MaxGrants; 0: DefaultGrants
}

// How many grants a page has.
const (
	DefaultGrants = 100
	MaxGrants     = 1000
)

// GrantList is one page of grants, by number.
type GrantList struct {
	Grants []GrantBrief   `json:"grants"`
	Next   policy.GrantID `json:"next,omitempty"` // give it as after to see the next page
}

// GrantBrief is a grant, its state, and how its request is called.
type GrantBrief struct {
	Grant  *policy.Grant `json:"grant"`
	State  GrantState    `json:"state"`
	Letter string        `json:"letter"`
}

// GrantDetails are a grant, its state and the request it rests on.
type GrantDetails struct {
	Grant   *policy.Grant   `json:"grant"`
	State   GrantState      `json:"state"`
	Request *policy.Request `json:"request"`
}

// JournalPage are some entries of the journal, oldest first.
type JournalPage struct {
	Entries []journal.Entry `json:"entries"`
	Next    uint64          `json:"next,omitempty"` // give it as from to see the next page
}

// How many entries of the journal a page has.
const (
	DefaultEntries = 20
	MaxEntries     = 1000
)

// VerifyRequest asks for a check of the journal. With a head noted before, a cut or rewritten history is seen too.
type VerifyRequest struct {
	Head string `json:"head,omitempty"` // as journal.Head.String writes it
}

// Verification is what a check of the journal found.
type Verification struct {
	Sound   bool         `json:"sound"`
	Entries int          `json:"entries"` // that are sound
	Head    journal.Head `json:"head"`    // of these
	Problem string       `json:"problem,omitempty"`
}

// CacheStats are the figures of the answer cache.
type CacheStats struct {
	Entries   int    `json:"entries"`
	Bytes     int64  `json:"bytes"` // about
	Hits      uint64 `json:"hits"`
	Misses    uint64 `json:"misses"`
	Puts      uint64 `json:"puts"`
	Evictions uint64 `json:"evictions"`

	HitRatio   float64 `json:"hit_ratio"`  // 0 to 1
	Stale      uint64  `json:"stale"`      // misses that got a stale answer
	Failed     uint64  `json:"failed"`     // misses that got a failure known already
	Failing    int     `json:"failing"`    // questions whose last failure is remembered
	Prefetches uint64  `json:"prefetches"` // popular answers refreshed before their end
}

// CachePage are the answers that the cache has to questions for a name.
type CachePage struct {
	Name    policy.Name  `json:"name"`
	Entries []CacheEntry `json:"entries"`
}

// CacheEntry is one answer of the cache.
type CacheEntry struct {
	Type      policy.Type `json:"type"`
	DO        bool        `json:"do,omitempty"` // asked with DNSSEC records
	CD        bool        `json:"cd,omitempty"` // asked without validation
	AD        bool        `json:"ad,omitempty"` // validated by a trusted upstream
	From      string      `json:"from"`         // "upstream", or the forward
	Rcode     string      `json:"rcode"`
	Stale     bool        `json:"stale,omitempty"` // past its life, and given when no better answer can be had
	Remaining uint32      `json:"remaining_s"`     // for which it is fresh, or may still be given
	Records   []string    `json:"records"`         // of the answer section, in presentation form
}

// FlushRequest says what the cache is to forget: exactly one of the two.
type FlushRequest struct {
	Name string `json:"name,omitempty"`
	All  bool   `json:"all,omitempty"`
}

// Flushed is how many answers the cache forgot.
type Flushed struct {
	Answers int `json:"answers"`
}

// SecurityLists are the security lists, in the order in which they decide.
type SecurityLists struct {
	Lists []SecurityList `json:"lists"`
}

// SecurityList is how one security list is doing.
type SecurityList struct {
	File       string    `json:"file"`
	Format     string    `json:"format"`
	Names      int       `json:"names"`
	Exceptions int       `json:"exceptions"`
	Skipped    int       `json:"skipped"`  // lines or records without effect
	Hits       uint64    `json:"hits"`     // questions answered with its refusal since start
	Modified   time.Time `json:"modified"` // of the file as it was read; zero: it never could be
	Problem    string    `json:"problem,omitempty"`
}

// UpstreamList are the servers that are asked.
type UpstreamList struct {
	Upstreams []Upstream `json:"upstreams"`
}

// Upstream is how one server is doing.
type Upstream struct {
	Group     string         `json:"group"` // "upstream", or the forward
	Addr      netip.AddrPort `json:"addr"`
	Queries   uint64         `json:"queries"`
	Failures  uint64         `json:"failures"`
	Dropped   uint64         `json:"dropped"` // messages that were not what was asked for
	LastError string         `json:"last_error,omitempty"`
	RTT       time.Duration  `json:"rtt_ns"`          // of the last answer; 0: none
	Smoothed  time.Duration  `json:"smoothed_rtt_ns"` // over the last answers; 0: none
	Silent    bool           `json:"silent"`          // not ok: asked after the others
	State     string         `json:"state"`           // "ok", "silent" (no reply comes), "failing" (what others answer), "trying" (whether that is over)
	Since     time.Time      `json:"since,omitzero"`  // when it left "ok", or came back; absent: never
	SameCase  bool           `json:"same_case"`       // asked without 0x20
	NoEDNS    bool           `json:"no_edns"`         // asked without EDNS
	Over      string         `json:"over,omitempty"`  // the encrypted transport it is asked over
	Name      string         `json:"name,omitempty"`  // that it proves to have then
}
