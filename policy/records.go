package policy

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Role is what a workstation may do by position.
type Role string

// The roles. The unrestricted ones (R9) belong to seats; Server is for machines such as the mail relay.
const (
	Employee         Role = "employee"
	Server           Role = "server"
	Manager          Role = "manager"
	SecretaryGeneral Role = "secretary-general"
	CouncilPresident Role = "council-president"
	ElectedOfficial  Role = "elected-official"
)

// Roles are all roles, restricted ones first.
var Roles = []Role{Employee, Server, Manager, SecretaryGeneral, CouncilPresident, ElectedOfficial}

// Restricted says whether the role lives by grants (R9 names those that do not).
func (r Role) Restricted() bool { return r == Employee || r == Server || r == "" }

// UnmarshalText reads a role; empty is allowed and means none is given.
func (r *Role) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*r = ""
		return nil
	}
	for _, known := range Roles {
		if string(text) == string(known) {
			*r = known
			return nil
		}
	}
	names := make([]string, len(Roles))
	for i, known := range Roles {
		names[i] = string(known)
	}
	return invalid("the roles are "+strings.Join(names, ", "), "%q is no role", shorten(string(text)))
}

// Mode is how a sinkholed name is answered.
type Mode string

// The sinkhole modes. How to add one: a constant here and in Modes, its reply in resolver/sinkhole.go.
const (
	Page     Mode = "page"     // the block page's address
	NXDomain Mode = "nxdomain" // no such name
	NoData   Mode = "nodata"   // the name exists, with nothing of that type
	Zero     Mode = "zero"     // 0.0.0.0 and ::
	Refused  Mode = "refused"  // REFUSED
)

// Modes are all sinkhole modes, the default first.
var Modes = []Mode{Page, NXDomain, NoData, Zero, Refused}

// UnmarshalText reads a mode; empty means the default of the settings.
func (m *Mode) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*m = ""
		return nil
	}
	for _, known := range Modes {
		if string(text) == string(known) {
			*m = known
			return nil
		}
	}
	return invalid(fmt.Sprintf("the modes are %v", Modes), "%q is no sinkhole mode", shorten(string(text)))
}

// Channel is what a grant is for: the web, or mail, which is a grant of its own (R3).
type Channel string

// The channels.
const (
	Web  Channel = "web"
	Mail Channel = "mail"
)

// UnmarshalText reads a channel; empty means the default.
func (c *Channel) UnmarshalText(text []byte) error {
	switch Channel(text) {
	case "", Web, Mail:
		*c = Channel(text)
		return nil
	}
	return invalid("the channels are web and mail", "%q is no channel", shorten(string(text)))
}

// Office is an office (ufficio) of the town. Version is the journal's sequence number of its last change, as in every
// record here.
type Office struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Mailbox  string         `json:"mailbox,omitempty"`
	IPA      string         `json:"ipa,omitempty"` // code of the office in the national index (indicepa.gov.it)
	Networks []netip.Prefix `json:"networks,omitempty"`
	Sinkhole Mode           `json:"sinkhole,omitempty"`
	PEC      []Ground       `json:"pec,omitempty"`    // the grounds on which it may ask for certified mail (R11); empty: none
	Former   RequestID      `json:"former,omitempty"` // up to this one, requests under the id are those of an office that had it before
	Version  uint64         `json:"version"`
}

// Owns says whether a request is the office's own: not another's, nor one of an office that had the id before.
func (o *Office) Owns(q *Request) bool { return q.Office == o.ID && q.ID > o.Former }

// Seat is a position (incarico) held by one person for a time (R12). It signs requests; a role without restrictions comes
// with it.
type Seat struct {
	ID      string   `json:"id"`
	Name    string   `json:"name,omitempty"`
	Office  string   `json:"office"`
	Role    Role     `json:"role"`
	Mailbox string   `json:"mailbox,omitempty"`
	Holders []Holder `json:"holders,omitempty"` // in order of time, without overlaps
	Devices []Device `json:"devices,omitempty"` // its workstations that have no address of their own
	Version uint64   `json:"version"`
}

// Holder is who holds a seat from a day until a day, both counted; no end means until further notice.
type Holder struct {
	Name  string `json:"name"`
	From  Moment `json:"from"`
	Until Moment `json:"until,omitempty"`
}

// HolderOn is who held the seat on a day.
func (s *Seat) HolderOn(day Moment) (Holder, bool) {
	for _, h := range s.Holders {
		if h.From <= day && (h.Until == "" || day <= h.Until) {
			return h, true
		}
	}
	return Holder{}, false
}

// Host is one workstation or machine by address: entered by itself in an office, bound to seats for a time, or both.
type Host struct {
	Addr    netip.Addr `json:"addr"`
	Name    string     `json:"name,omitempty"`
	Office  string     `json:"office,omitempty"` // empty: what the network says
	Role    Role       `json:"role,omitempty"`   // Employee or Server
	Seats   []Binding  `json:"seats,omitempty"`  // without overlaps
	Version uint64     `json:"version"`
}

// Binding ties a workstation to a seat from a day until a day, both counted.
type Binding struct {
	Seat  string `json:"seat"`
	From  Moment `json:"from,omitempty"`
	Until Moment `json:"until,omitempty"`
}

// Service is a named set of domain rules, each with its source. A service of the mail channel opens its hosts and the mail
// records of their names, to a mail grant only.
type Service struct {
	ID       string        `json:"id"`
	Title    string        `json:"title"`
	Channel  Channel       `json:"channel"`
	Rules    []ServiceRule `json:"rules"`
	Eligible []string      `json:"eligible,omitempty"` // offices that may be granted it; empty: any
	PEC      bool          `json:"pec,omitempty"`      // certified mail: a request for it names its ground (R11)
	Builtin  bool          `json:"builtin,omitempty"`
	Version  uint64        `json:"version"`
}

// ServiceRule is one entry of a service: where it was seen, and on which day or in which month.
type ServiceRule struct {
	Rule   Rule   `json:"rule"`
	Source string `json:"source"`
	Date   string `json:"date,omitempty"`
}

// Subject is whom a grant is for: exactly one of the three.
type Subject struct {
	Office   string `json:"office,omitempty"`
	Role     Role   `json:"role,omitempty"`
	Everyone bool   `json:"everyone,omitempty"`
}

func (s Subject) String() string {
	switch {
	case s.Everyone:
		return "everyone"
	case s.Role != "":
		return "role " + string(s.Role)
	default:
		return s.Office
	}
}

// key is the subject as a key of the store.
func (s Subject) key() string {
	switch {
	case s.Everyone:
		return "*"
	case s.Role != "":
		return "role:" + string(s.Role)
	default:
		return "office:" + s.Office
	}
}

// GrantID numbers grants from 1; written g-17.
type GrantID uint32

func (id GrantID) String() string { return "g-" + strconv.FormatUint(uint64(id), 10) }

// ParseGrantID reads "g-17" or "17".
func ParseGrantID(text string) (GrantID, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "g-"), 10, 32)
	if err != nil || n == 0 {
		return 0, invalid("grants are written g-17; see `usciere grant list`", "%q is no grant", shorten(text))
	}
	return GrantID(n), nil
}

// MarshalText writes g-17.
func (id GrantID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads g-17.
func (id *GrantID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseGrantID(string(text))
	return err
}

// Grant opens one domain rule or one service to a subject (R5, R7), resting on a request.
type Grant struct {
	ID GrantID `json:"id"`
	Subject
	Rule     *Rule       `json:"rule,omitempty"` // exactly one of Rule and Service
	Service  string      `json:"service,omitempty"`
	Channel  Channel     `json:"channel"`
	Types    []Type      `json:"types,omitempty"` // empty: all of the channel
	From     Moment      `json:"from,omitempty"`
	Until    Moment      `json:"until,omitempty"`
	Schedule Schedule    `json:"schedule,omitempty"`
	Request  RequestID   `json:"request"`
	Created  time.Time   `json:"created"`
	Revoked  *Revocation `json:"revoked,omitempty"`
	Version  uint64      `json:"version"`
}

// Opens is what the grant opens, as text: the rule or "service NAME".
func (g *Grant) Opens() string {
	if g.Rule != nil {
		return g.Rule.String()
	}
	return "service " + g.Service
}

// Revocation says when, by whom and why a grant was ended.
type Revocation struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}

var (
	idPattern       = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	protocolPattern = regexp.MustCompile(`^[0-9]{1,10}/(19|20)[0-9]{2}$`)
	mailboxPattern  = regexp.MustCompile(`^[^\s@<>"]{1,64}@[^\s@<>"]{1,190}$`)
)

// CheckID refuses what is no id of an office, seat or service; what says of which.
func CheckID(what, id string) error {
	if len(id) > 63 || !idPattern.MatchString(id) {
		return invalid("an id has lower-case letters, digits and single hyphens: anagrafe, polizia-locale", "%q is no id of %s", shorten(id), what)
	}
	return nil
}

// CheckText refuses free text that is too long or not printable, or that would turn the direction of what stands beside it;
// max is in octets.
func CheckText(what, text string, max int) error {
	if len(text) > max {
		return invalid("shorten it", "%s is %d octets long: %d are the most", what, len(text), max)
	}
	for _, c := range text {
		if unicode.IsControl(c) && c != '\n' && c != '\t' || c == '\ufffd' || turnsText(c) {
			return invalid("use plain text in UTF-8", "%s has a character that cannot be printed", what)
		}
	}
	return nil
}

// turnsText says whether a character embeds, overrides or isolates the direction of text (UAX #9 §2).
func turnsText(c rune) bool { return '\u202a' <= c && c <= '\u202e' || '\u2066' <= c && c <= '\u2069' }

// IsMailbox says whether the text is a mail address.
func IsMailbox(text string) bool { return mailboxPattern.MatchString(text) }

func checkMailbox(mailbox string) error {
	if mailbox != "" && !IsMailbox(mailbox) {
		return invalid("give the office's own mailbox, such as anagrafe@comune.example.it", "%q is no mail address", shorten(mailbox))
	}
	return nil
}

// ParseProtocol reads a number of the protocol register; leading zeros do not count.
func ParseProtocol(protocol string) (string, error) {
	if protocol == "" {
		return "", invalid("give the letter's number in the protocol register as NUMBER/YEAR, such as 88/2026", "the protocol number is missing: letters follow the rules of the protocol register (Art. 6)")
	}
	if !protocolPattern.MatchString(protocol) {
		return "", invalid("give the number of the protocol register as NUMBER/YEAR, such as 88/2026 (Art. 6)", "%q is no protocol number", shorten(protocol))
	}
	number := strings.TrimLeft(protocol, "0")
	if strings.HasPrefix(number, "/") {
		return "", invalid("check the number on the letter", "%q is no protocol number: it counts from 1", protocol)
	}
	return number, nil
}
