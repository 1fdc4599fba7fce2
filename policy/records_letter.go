package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// LetterID numbers letters from 1; written l-7. It is not the outgoing protocol number, which is the town's.
type LetterID uint32

func (id LetterID) String() string { return "l-" + strconv.FormatUint(uint64(id), 10) }

// ParseLetterID reads "l-7" or "7".
func ParseLetterID(text string) (LetterID, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "l-"), 10, 32)
	if err != nil || n == 0 {
		return 0, invalid("letters are written l-7; see `usciere letter list`", "%q is no letter", shorten(text))
	}
	return LetterID(n), nil
}

// MarshalText writes l-7.
func (id LetterID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads l-7.
func (id *LetterID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseLetterID(string(text))
	return err
}

// LetterKind is what a letter is about.
type LetterKind string

// The kinds of letters. Notices go through the protocol register (R6); reminders and forms do not.
const (
	DecisionNotice   LetterKind = "decision"   // a request was approved, in whole or in part
	DenialNotice     LetterKind = "denial"     // a request was denied (R8)
	RevocationNotice LetterKind = "revocation" // grants were ended
	Reminder         LetterKind = "reminder"   // grants will end; with the form to renew them
	RequestForm      LetterKind = "form"       // a request written on the page, for the manager to sign
)

// Registered says whether letters of the kind carry an outgoing protocol number.
func (k LetterKind) Registered() bool { return k != Reminder && k != RequestForm }

// LetterState is where a letter stands.
type LetterState string

// The states of a letter.
const (
	AwaitingProtocol LetterState = "awaiting-protocol" // it has no outgoing number yet (R6)
	Issued           LetterState = "issued"            // final; to be sent, or printed where no mail can be sent
	Sent             LetterState = "sent"              // the mail server took it
)

// LetterStates are all states, in order.
var LetterStates = []LetterState{AwaitingProtocol, Issued, Sent}

// UnmarshalText reads a state; the empty text is none.
func (s *LetterState) UnmarshalText(text []byte) error {
	if state := LetterState(text); state == "" || slices.Contains(LetterStates, state) {
		*s = state
		return nil
	}
	return invalid("the states are awaiting-protocol, issued and sent", "%q is no state of a letter", shorten(string(text)))
}

// Letter is a notice or form for an office. What it says is frozen when it is written; how it looks, when it is issued.
type Letter struct {
	ID      LetterID      `json:"id"`
	Kind    LetterKind    `json:"kind"`
	Office  string        `json:"office"`
	Request RequestID     `json:"request,omitempty"` // that it is about
	Grants  []GrantID     `json:"grants,omitempty"`
	Content LetterContent `json:"content"`
	Urgent  bool          `json:"urgent,omitempty"` // a copy goes to the seat's own mailbox (R13)
	State   LetterState   `json:"state"`
	Written time.Time     `json:"written"`
	Issue   *Issue        `json:"issue,omitempty"`
	Sent    time.Time     `json:"sent,omitzero"`
	Version uint64        `json:"version"`
}

// LetterContent is what a letter says, whatever the language.
type LetterContent struct {
	OfficeName string    `json:"office_name"`
	Seat       string    `json:"seat,omitempty"`      // that signed the request
	SeatName   string    `json:"seat_name,omitempty"` // as Holder, on the date of the request
	Holder     string    `json:"holder,omitempty"`
	Protocol   string    `json:"protocol,omitempty"` // of the request, as Date
	Date       Moment    `json:"date,omitempty"`
	Reason     string    `json:"reason,omitempty"` // that the office gave
	Channel    Channel   `json:"channel,omitempty"`
	Asked      []string  `json:"asked,omitempty"`
	Ground     Ground    `json:"ground,omitempty"`
	Opened     []Opening `json:"opened,omitempty"` // what is granted, or ends
	Left       []Left    `json:"left,omitempty"`
	Decision   string    `json:"decision,omitempty"` // the reasons of a denial or a revocation
	Token      string    `json:"-"`                  // of the one-time link of a form; it is only in the letter as issued
	Renews     string    `json:"renews,omitempty"`   // label of the request that this one took the place of
	Ends       Moment    `json:"ends,omitempty"`     // of a reminder: when the grants end; of a revocation: when they ended
	Days       int       `json:"days,omitempty"`     // of a reminder: how many days before the end it was due
	From       Moment    `json:"from,omitempty"`     // of a form: asked for, as Until
	Until      Moment    `json:"until,omitempty"`
	LinkEnds   Moment    `json:"link_ends,omitempty"` // of a form: until when its link can be used
}

// Opening is what one grant opens, and for how long.
type Opening struct {
	Grant   GrantID `json:"grant"`
	What    string  `json:"what"`            // the domain rule, or "service NAME"
	Title   string  `json:"title,omitempty"` // of the service
	Channel Channel `json:"channel"`
	From    Moment  `json:"from,omitempty"`
	Until   Moment  `json:"until,omitempty"`
	Terms   string  `json:"terms,omitempty"` // record types and timetable, as far as it has any
}

// Issue is what made a letter final: with it and the content, the letter can be written again octet by octet.
type Issue struct {
	At        time.Time `json:"at"`
	Protocol  string    `json:"protocol,omitempty"` // outgoing number (R6), as Date
	Date      Moment    `json:"date"`
	Language  string    `json:"language"`
	Town      string    `json:"town"`
	Heading   []string  `json:"heading,omitempty"`   // below the town's name
	Signature string    `json:"signature,omitempty"` // who signs
	Portal    string    `json:"portal,omitempty"`    // URL of the page where offices ask
	Head      string    `json:"head"`                // of the journal before this letter, SEQ:HASH
	Digest    string    `json:"digest"`              // SHA-256 of the text and the page, hexadecimal
	To        []string  `json:"to,omitempty"`        // the mailboxes; none: it is printed
	MessageID string    `json:"message_id,omitempty"`
}

// Paper is a letter as it was issued.
type Paper struct {
	Text string `json:"text"` // plain
	Page string `json:"page"` // HTML, for print on A4
}

// Mailing is a letter that waits to be sent.
type Mailing struct {
	Letter   LetterID  `json:"letter"`
	Queued   time.Time `json:"queued"`
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next"`              // not before
	Error    string    `json:"error,omitempty"`   // of the last attempt
	Refused  bool      `json:"refused,omitempty"` // for good: nobody tries again before it is resent by hand
}
