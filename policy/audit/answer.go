package audit

import (
	"net/netip"
	"time"

	"usciere/policy"
	"usciere/policy/journal"
)

// Question is what is asked: could the office's employees reach a name on a day.
type Question struct {
	Office string
	Name   policy.Name
	Type   policy.Type
	Day    policy.Moment
	Zone   *time.Location // the town's clock
	Now    time.Time
}

// Reach is how much of a day a name could be reached.
type Reach string

// The answers.
const (
	AllDay    Reach = "yes"
	PartOfDay Reach = "part"
	Never     Reach = "no"
)

// Answer is what the journal says.
type Answer struct {
	Office   string        `json:"office"`
	Called   string        `json:"office_name,omitempty"`
	Name     policy.Name   `json:"name"`
	Type     policy.Type   `json:"type"`
	Day      policy.Moment `json:"day"`
	Timezone string        `json:"timezone"`

	Reached   Reach      `json:"reached"`
	Stretches []Stretch  `json:"stretches"` // of the day, without gaps
	Grants    []Basis    `json:"grants"`    // that opened the name in one of them
	Others    []Other    `json:"others,omitempty"`
	Refused   []Refusal  `json:"refused,omitempty"` // requests for the name that were denied, in whole or for it
	Seats     []SeatThen `json:"seats"`             // of the office

	Complete bool         `json:"complete"` // nothing in the journal was left out of account
	Future   bool         `json:"future,omitempty"`
	Notes    []string     `json:"notes,omitempty"`
	Puzzles  []Puzzle     `json:"puzzles,omitempty"` // why it is not complete
	Entries  int          `json:"entries"`           // of the journal, all verified
	Head     journal.Head `json:"head"`
	Last     time.Time    `json:"last,omitzero"` // when its last entry was made
}

// Stretch is a part of the day in which one thing decided.
type Stretch struct {
	From    time.Time      `json:"from"`
	Until   time.Time      `json:"until"` // the first instant after it
	Reached bool           `json:"reached"`
	Why     string         `json:"why,omitempty"` // not
	Rule    string         `json:"rule,omitempty"`
	Service string         `json:"service,omitempty"` // whose rule it is
	Grant   policy.GrantID `json:"grant,omitempty"`
}

// Basis is a grant, as the latest entry has it, and the paper behind it.
type Basis struct {
	Grant   *policy.Grant `json:"grant"`
	Request *Paper        `json:"request,omitempty"`
	Notices []Notice      `json:"notices,omitempty"` // about the grant
}

// Paper is a request.
type Paper struct {
	ID        policy.RequestID    `json:"id"`
	Protocol  string              `json:"protocol,omitempty"` // in, as Date
	Date      policy.Moment       `json:"date"`
	Label     string              `json:"label"`
	Seat      string              `json:"seat,omitempty"` // that signed
	SeatName  string              `json:"seat_name,omitempty"`
	Holder    string              `json:"holder,omitempty"` // who held it then
	Reason    string              `json:"reason"`
	State     policy.RequestState `json:"state"`
	Decided   time.Time           `json:"decided,omitzero"`
	DecidedBy string              `json:"decided_by,omitempty"`
}

// Notice is a letter to the office.
type Notice struct {
	Letter   policy.LetterID    `json:"letter"`
	Kind     policy.LetterKind  `json:"kind"`
	State    policy.LetterState `json:"state"`
	Protocol string             `json:"protocol,omitempty"` // out, as Date
	Date     policy.Moment      `json:"date,omitempty"`
}

// Other is a grant that covers the name and decided at no time of the day, and why not.
type Other struct {
	Basis
	Why string `json:"why"`
}

// Refusal is a request for the name that was denied, or granted without it.
type Refusal struct {
	Paper   *Paper   `json:"request"`
	What    string   `json:"what"` // was asked for
	Why     string   `json:"why"`
	Notices []Notice `json:"notices,omitempty"`
}

// SeatThen is a seat of the office and who held it that day, by the latest knowledge of the journal.
type SeatThen struct {
	ID     string         `json:"id"`
	Name   string         `json:"name,omitempty"`
	Role   policy.Role    `json:"role"`
	Holder *policy.Holder `json:"holder,omitempty"` // nil: nobody
	Later  *Later         `json:"later,omitempty"`  // the holder was entered after the day
	Free   bool           `json:"unrestricted,omitempty"`
	Hosts  []HostThen     `json:"workstations,omitempty"` // that had no limits by it
}

// Later tells of knowledge that the journal has only since a time after the day.
type Later struct {
	Entry  uint64    `json:"entry"`
	At     time.Time `json:"at"`
	Before string    `json:"before,omitempty"` // whom the journal named at the end of the day
}

// HostThen is a workstation of a seat for a part of the day.
type HostThen struct {
	Addr  netip.Addr `json:"addr"`
	From  time.Time  `json:"from"`
	Until time.Time  `json:"until"`
}
