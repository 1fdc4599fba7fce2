// Package town is the whole policy as one document, town.yaml: taken from the rules in force, and compared with them. It
// knows neither files nor sockets.
package town

import (
	"net/netip"

	"usciere/policy"
)

// Document is the whole policy: what stands in it is in force, what does not is not. Built-in services are no part of it.
//
// The tags of its types are read by whoever reads, writes or describes a file: json names a key, doc says what it is, def
// what it is when it is left out, required that it cannot be, and short marks the key whose value alone may stand for the
// whole mapping.
type Document struct {
	Town     string              `json:"town,omitempty" doc:"The town's name. A setting of the daemon (town.name), only compared with it."`
	Timezone string              `json:"timezone,omitempty" doc:"The time zone of all days and hours. A setting of the daemon (town.timezone), only compared with it."`
	Site     []netip.Prefix      `json:"site,omitempty" doc:"The town's own networks. A setting of the daemon (town.site), only compared with it."`
	Offices  map[ID]Office       `json:"offices,omitempty" doc:"The offices, by id."`
	Seats    map[ID]Seat         `json:"seats,omitempty" doc:"The seats: positions held by one person for a time, by id."`
	Hosts    map[netip.Addr]Host `json:"hosts,omitempty" doc:"Machines that are entered by themselves, by address. The workstations of a seat stand there."`
	Tokens   map[ID]Token        `json:"tokens,omitempty" doc:"What machines are known by wherever they ask from, such as laptops at home, by id."`
	Services map[ID]Service      `json:"services,omitempty" doc:"The town's own services, by id; the built-in ones are always there."`
	Grants   []Grant             `json:"grants,omitempty" doc:"What is opened to whom, on which request (Art. 5 and 7)."`
}

// ID is the id of an office, seat, token or service.
type ID string

// UnmarshalText reads an id.
func (id *ID) UnmarshalText(text []byte) error {
	*id = ID(text)
	return policy.CheckID("an office, a seat, a token or a service", string(text))
}

// Office is an office.
type Office struct {
	Name     string          `json:"name" required:"true" doc:"The name that people know it by."`
	Mailbox  string          `json:"mailbox,omitempty" doc:"The office's own mailbox, never a person's (R12)."`
	IPA      string          `json:"ipa,omitempty" doc:"Its code in the national index (indicepa.gov.it)."`
	Networks []netip.Prefix  `json:"networks,omitempty" doc:"The networks of its workstations; the longest prefix wins."`
	Sinkhole policy.Mode     `json:"sinkhole,omitempty" doc:"How its sinkholed names are answered." def:"as in the settings"`
	PEC      []policy.Ground `json:"pec,omitempty" doc:"The grounds on which it may ask for certified mail (R11); court-acts is the legal office's alone." def:"none"`
}

// Seat is a seat with all who held, hold and will hold it.
type Seat struct {
	Office  string        `json:"office" required:"true" doc:"Id of the office it belongs to."`
	Name    string        `json:"name,omitempty" doc:"The name of the position."`
	Role    policy.Role   `json:"role,omitempty" doc:"The role of its workstations; not server." def:"manager"`
	Mailbox string        `json:"mailbox,omitempty" doc:"The seat's own mailbox."`
	Hosts   []Workstation `json:"hosts,omitempty" doc:"Its workstations."`
	Devices []Device      `json:"devices,omitempty" doc:"Its workstations that are known by their DHCP leases, wherever they are."`
	Holders []Holder      `json:"holders,omitempty" doc:"Who holds it when, in order of time."`
}

// Device is a workstation of a seat, known by itself.
type Device struct {
	ID   policy.DeviceID `json:"id" required:"true" short:"true" doc:"Its hardware address, or the host name in its lease."`
	Name string          `json:"name,omitempty" doc:"A name for people."`
}

// Workstation is a workstation of a seat, for a time.
type Workstation struct {
	Addr  netip.Addr    `json:"addr" required:"true" short:"true" doc:"Its address."`
	From  policy.Moment `json:"from,omitempty" day:"true" doc:"First day." def:"since it was bound; if it was not, the first holder's first day, or today"`
	Until policy.Moment `json:"until,omitempty" day:"true" doc:"Last day." def:"none"`
}

// Holder is who holds a seat for a time.
type Holder struct {
	Name  string        `json:"name" required:"true" doc:"The person's name."`
	From  policy.Moment `json:"from" required:"true" day:"true" doc:"First day."`
	Until policy.Moment `json:"until,omitempty" day:"true" doc:"Last day." def:"none"`
}

// Host is a machine that is entered by itself.
type Host struct {
	Name   string      `json:"name,omitempty" doc:"A name for it."`
	Office string      `json:"office,omitempty" doc:"Id of its office." def:"what its network says"`
	Role   policy.Role `json:"role,omitempty" doc:"employee or server; the other roles belong to seats." def:"employee"`
}

// Token is what a machine is known by wherever it asks from: exactly one of Seat and Host is set. It tells nobody the secret.
type Token struct {
	Seat  string           `json:"seat,omitempty" doc:"Id of the seat it is taken for."`
	Host  netip.Addr       `json:"host,omitzero" doc:"Address of the machine it is taken for, which stands below hosts or at a seat."`
	Kind  policy.TokenKind `json:"kind,omitempty" doc:"What is shown: secret or certificate." def:"secret"`
	Hash  policy.Hash      `json:"hash" required:"true" doc:"SHA-256 of the secret, or of the certificate's public key (SPKI), in hexadecimal."`
	Until policy.Moment    `json:"until,omitempty" day:"true" doc:"Last day." def:"none"`
}

// Service is a service of the town's own.
type Service struct {
	Title   string         `json:"title,omitempty" doc:"The title that people know it by." def:"its id"`
	Channel policy.Channel `json:"channel,omitempty" doc:"What a grant of it opens." def:"web"`
	Rules   []ServiceRule  `json:"rules" required:"true" doc:"Its domain rules."`
	Source  string         `json:"source,omitempty" doc:"Where the rules come from: the supplier's letter, a page."`
	Date    string         `json:"date,omitempty" doc:"Day or month of the source."`
	PEC     bool           `json:"pec,omitempty" doc:"It is certified mail: a request for it names its ground (R11). Channel mail only."`
	OnlyFor []string       `json:"only_for,omitempty" doc:"Ids of the offices that may be granted it." def:"any"`
}

// ServiceRule is a domain rule of a service.
type ServiceRule struct {
	Rule   string `json:"rule" required:"true" short:"true" doc:"www.inps.it, *.inps.it (every name below) or .inps.it (both)."`
	Source string `json:"source,omitempty" doc:"Where it comes from." def:"the service's"`
	Date   string `json:"date,omitempty" doc:"Day or month of the source." def:"the service's"`
}

// Grant is one grant: exactly one of Office, Role and Everyone is set, and exactly one of Rule and Service.
type Grant struct {
	Office   string          `json:"office,omitempty" doc:"Id of the office it is for."`
	Role     policy.Role     `json:"role,omitempty" doc:"The role it is for: employee or server."`
	Everyone bool            `json:"everyone,omitempty" doc:"It is for everyone in the site."`
	Rule     string          `json:"rule,omitempty" doc:"What it opens: www.inps.it, *.inps.it (every name below), .inps.it (both), or the address of a page, whose host counts."`
	Service  string          `json:"service,omitempty" doc:"What it opens: the id of a service."`
	Channel  policy.Channel  `json:"channel,omitempty" doc:"web or mail." def:"web, or the service's"`
	Types    []policy.Type   `json:"types,omitempty" doc:"The record types it opens." def:"all of the channel"`
	From     policy.Moment   `json:"from,omitempty" doc:"First day or minute." def:"at once"`
	Until    policy.Moment   `json:"until,omitempty" doc:"Last day, or the minute it ends." def:"none"`
	Schedule policy.Schedule `json:"schedule,omitempty" doc:"Weekly timetable, such as mon-fri 08:00-14:00; tue,thu 14:30-17:30."`
	Request  *Request        `json:"request" required:"true" doc:"The written request it rests on (Art. 5). Its number alone is enough where another grant, or the rules in force, have the rest."`
}

// Request is the written request that a grant rests on.
type Request struct {
	Protocol string        `json:"protocol,omitempty" short:"true" pattern:"^[0-9]{1,10}/(19|20)[0-9]{2}$" doc:"Incoming number of the protocol register, NUMBER/YEAR (R6). Only what the installation itself granted has none."`
	Date     policy.Moment `json:"date,omitempty" day:"true" doc:"Day of the letter." def:"today"`
	Seat     string        `json:"seat,omitempty" doc:"Id of the seat that signed." def:"the office's only manager's"`
	Holder   string        `json:"holder,omitempty" doc:"Who held the seat and signed; the seat is then taken as it is written." def:"who held it on that day"`
	Reason   string        `json:"reason,omitempty" doc:"The reasons of the letter, in full."`
	Ground   policy.Ground `json:"ground,omitempty" doc:"Of certified mail: one of the office's grounds (R11)." def:"the office's only one"`
	Asked    []string      `json:"asked,omitempty" doc:"The addresses as the letter has them, where they are not just the rules granted."`
}
