package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// RequestID numbers requests from 1; written r-12. It is not the protocol number, which is the town's.
type RequestID uint32

func (id RequestID) String() string { return "r-" + strconv.FormatUint(uint64(id), 10) }

// ParseRequestID reads "r-12" or "12".
func ParseRequestID(text string) (RequestID, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "r-"), 10, 32)
	if err != nil || n == 0 {
		return 0, invalid("requests are written r-12; see `usciere request list`", "%q is no request", shorten(text))
	}
	return RequestID(n), nil
}

// MarshalText writes r-12.
func (id RequestID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads r-12.
func (id *RequestID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseRequestID(string(text))
	return err
}

// RequestState is where a request stands.
type RequestState string

// The states of a request, in the order of its way. Submitted and Endorsed are open: they wait for somebody.
const (
	Submitted RequestState = "submitted" // asked for; the office's seat has not signed it
	Endorsed  RequestState = "endorsed"  // signed
	Approved  RequestState = "approved"  // its grants are in force, or to come
	Denied    RequestState = "denied"
	Expired   RequestState = "expired"   // all its grants are past their end
	Renewed   RequestState = "renewed"   // another request took its place
	Withdrawn RequestState = "withdrawn" // by the office that made it
)

// RequestStates are all states, in order.
var RequestStates = []RequestState{Submitted, Endorsed, Approved, Denied, Expired, Renewed, Withdrawn}

// Open says whether the request waits for a signature or a decision.
func (s RequestState) Open() bool { return s == Submitted || s == Endorsed }

// UnmarshalText reads a state; the empty text is none.
func (s *RequestState) UnmarshalText(text []byte) error {
	if state := RequestState(text); state == "" || slices.Contains(RequestStates, state) {
		*s = state
		return nil
	}
	return invalid("the states are submitted, endorsed, approved, denied, expired, renewed and withdrawn", "%q is no state of a request", shorten(string(text)))
}

// Ground is why an office may write certified mail (PEC), which is otherwise not for it (R10, R11).
type Ground string

// The grounds, by point of the directive on certified mail of 19/05/2016.
const (
	OutsideBodies   Ground = "outside-bodies"         // a: towards bodies outside the town
	CourtActs       Ground = "court-acts"             // b.1: acts of courts, to the legal office
	ActsOfOutsiders Ground = "acts-of-outside-bodies" // b.2: acts that outside bodies sent, to the competent offices
)

// Grounds are all grounds.
var Grounds = []Ground{OutsideBodies, CourtActs, ActsOfOutsiders}

// UnmarshalText reads a ground; the empty text is none.
func (g *Ground) UnmarshalText(text []byte) error {
	if ground := Ground(text); ground == "" || slices.Contains(Grounds, ground) {
		*g = ground
		return nil
	}
	return invalid("the grounds are outside-bodies, court-acts and acts-of-outside-bodies", "%q is no ground for certified mail", shorten(string(text)))
}

// Request is the written request that grants rest on (R5).
type Request struct {
	ID        RequestID    `json:"id"`
	Protocol  string       `json:"protocol,omitempty"` // incoming number of the protocol register, N/YYYY (R6); empty for what the installation itself grants, and until the letter is registered
	Date      Moment       `json:"date"`               // of the letter; until it is signed, the day it was written
	Office    string       `json:"office,omitempty"`   // empty: an act of the IT office for a role or for everyone
	Seat      string       `json:"seat,omitempty"`     // that signed
	Holder    string       `json:"holder,omitempty"`   // who held the seat on that date
	Reason    string       `json:"reason"`
	Channel   Channel      `json:"channel,omitempty"`   // of the addresses; web if empty
	Addresses []string     `json:"addresses,omitempty"` // as asked for
	Services  []string     `json:"services,omitempty"`
	Ground    Ground       `json:"ground,omitempty"` // of certified mail
	From      Moment       `json:"from,omitempty"`   // asked for, as Until
	Until     Moment       `json:"until,omitempty"`
	Renews    RequestID    `json:"renews,omitempty"` // whose place it takes when it is approved
	State     RequestState `json:"state"`
	Steps     []Step       `json:"steps,omitempty"` // its way to this state; none for what was approved as it was entered
	Link      *Link        `json:"link,omitempty"`  // by which it can be signed, while it is submitted
	Left      []Left       `json:"left,omitempty"`  // what was asked for and not granted
	Wider     []string     `json:"wider,omitempty"` // what was granted and goes beyond what was asked for
	Decided   time.Time    `json:"decided,omitzero"`
	DecidedBy string       `json:"decided_by,omitempty"`
	Decision  string       `json:"decision,omitempty"` // the reasons, where it was denied
	Version   uint64       `json:"version"`
}

// Label is how a person calls the request: its protocol number and date.
func (r *Request) Label() string {
	switch {
	case r.Protocol != "":
		return r.Protocol + " of " + string(r.Date)
	case r.State.Open() || r.State == Withdrawn:
		return r.ID.String() + " of " + string(r.Date)
	}
	return "of the installation, " + string(r.Date)
}

// Asker is whose request it is, for people.
func (r *Request) Asker() string {
	if r.Office == "" {
		return "the IT office"
	}
	return r.Office
}

// Step is one step of a request's way: who brought it to a state, and when.
type Step struct {
	State  RequestState `json:"state"`
	At     time.Time    `json:"at"`
	By     string       `json:"by"`               // the user on the socket; "portal" for the page
	Seat   string       `json:"seat,omitempty"`   // for which it was done, as Holder
	Holder string       `json:"holder,omitempty"` // who held the seat that day
	Note   string       `json:"note,omitempty"`
}

// MoveTo brings the request to a state, and notes the step, which is returned.
func (r *Request) MoveTo(e *Edit, state RequestState, note string) *Step {
	r.State = state
	r.Steps = append(slices.Clone(r.Steps), Step{State: state, At: e.now.Truncate(time.Second), By: e.who.Name, Note: note})
	return &r.Steps[len(r.Steps)-1]
}

// Link is a one-time link by which the holder of a seat signs a request at a workstation of the seat.
type Link struct {
	Digest string    `json:"digest"` // SHA-256 of its token, hexadecimal: the token itself is only in the letter
	Until  time.Time `json:"until"`
}

// Left is an address or a service that was asked for and not granted, and why.
type Left struct {
	What string `json:"what"`
	Why  string `json:"why"`
}
