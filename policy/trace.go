package policy

import (
	"net/netip"
	"strings"
	"time"
)

// MaxTrace is how long a trace can last.
const MaxTrace = 24 * time.Hour

// maxPurpose is in octets.
const maxPurpose = 500

// Tracing is who traces whom, for what and until when. What is traced is in no store: only that it is, in the journal.
type Tracing struct {
	Office  string     `json:"office,omitempty"`
	Client  netip.Addr `json:"client,omitzero"` // only what comes from there
	Purpose string     `json:"purpose"`
	Begun   time.Time  `json:"begun"`
	Until   time.Time  `json:"until"` // when all of it is deleted
	By      string     `json:"by"`
}

// StartTrace begins to keep what an office's clients, or those at one address, ask and are told. It changes no rule.
type StartTrace struct {
	Office  string     `json:"office,omitempty"` // exactly one of Office and Client
	Client  netip.Addr `json:"client,omitzero"`
	Minutes int        `json:"minutes"`
	Purpose string     `json:"purpose"`
}

// Kind names the change in the journal.
func (StartTrace) Kind() string { return "trace.start" }

// Apply checks who is to be traced and for what; its body is a *Tracing.
func (c StartTrace) Apply(e *Edit) (Made, error) {
	purpose := strings.TrimSpace(c.Purpose)
	lasts := time.Duration(c.Minutes) * time.Minute
	switch {
	case (c.Office == "") == !c.Client.IsValid():
		return Made{}, invalid("give one of --office and --client", "whose questions are to be traced?")
	case purpose == "":
		return Made{}, invalid("say with --purpose what it is to find out: it stands in the journal", "what is the trace for?")
	case c.Minutes < 1 || c.Minutes > int(MaxTrace/time.Minute):
		return Made{}, invalid("give --minutes from 1, as few as will do", "a trace cannot last %d minutes", c.Minutes)
	}
	if err := CheckText("the purpose", purpose, maxPurpose); err != nil {
		return Made{}, err
	}
	t := &Tracing{Office: c.Office, Purpose: purpose, Begun: e.now, Until: e.now.Add(lasts), By: e.who.Name}
	if c.Office != "" {
		_, err := e.officeOf(c.Office)
		return Made{Office: t.Office, Body: t}, err
	}
	t.Client = c.Client.Unmap().WithZone("")
	who := e.Who(t.Client, e.now)
	if !who.Inside {
		return Made{}, invalid("give the address of one of the town's machines", "%s lies outside the site: it is not answered", t.Client)
	}
	if who.Office != nil {
		t.Office = who.Office.ID
	}
	return Made{Office: t.Office, Body: t}, nil
}

// LookAtTrace says that somebody looked at what a trace keeps.
type LookAtTrace struct{ Tracing }

// Kind names the change in the journal.
func (LookAtTrace) Kind() string { return "trace.look" }

// Apply makes the change; its body is a *Tracing.
func (c LookAtTrace) Apply(*Edit) (Made, error) { return Made{Office: c.Office, Body: &c.Tracing}, nil }

// EndTrace says that a trace is over, and deleted.
type EndTrace struct {
	Tracing
	Questions uint64   `json:"questions"`         // that were kept, if only for a while
	ReadBy    []string `json:"read_by,omitempty"` // who looked at them
}

// Kind names the change in the journal.
func (EndTrace) Kind() string { return "trace.end" }

// Apply makes the change; its body is an *EndTrace.
func (c EndTrace) Apply(*Edit) (Made, error) { return Made{Office: c.Office, Body: &c}, nil }
