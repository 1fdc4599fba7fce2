package policy

import (
	"slices"
	"strings"
	"time"
)

// AddGrants writes an approved request and the grants that come of it (R5): names or services, to one subject, on paperwork.
type AddGrants struct {
	Subject
	Names    []string `json:"names"` // domain rules, addresses of pages, or ids of services, as the letter has them
	Channel  Channel  `json:"channel,omitempty"`
	Types    []Type   `json:"types,omitempty"`
	From     Moment   `json:"from,omitempty"`
	Until    Moment   `json:"until,omitempty"`
	Schedule Schedule `json:"schedule,omitempty"`

	Protocol string `json:"protocol"`
	Date     Moment `json:"date,omitempty"` // of the letter; today if empty
	Seat     string `json:"seat,omitempty"` // that signed; the office's only manager's seat if empty
	Holder   string `json:"-"`              // of Seat, which is then not looked at, as a document has it; who held the seat on the date if empty
	Reason   string `json:"reason"`
	Ground   Ground `json:"ground,omitempty"` // of certified mail; the office's only one if empty
	Notice   bool   `json:"notice,omitempty"` // write the office a decision notice
}

// Kind names the change in the journal.
func (AddGrants) Kind() string { return "grant.add" }

// GrantsAdded is what AddGrants made. Notes tell the person what was understood.
type GrantsAdded struct {
	Request *Request `json:"request"`
	Grants  []*Grant `json:"grants"`
	Letter  *Letter  `json:"letter,omitempty"`
	Notes   []string `json:"notes,omitempty"`
}

const maxNames = 10_000 // of one change

// Apply makes the change; its body is a GrantsAdded.
func (c AddGrants) Apply(e *Edit) (Made, error) {
	wanted, notes, err := e.Wanted(&c)
	if err != nil {
		return Made{}, err
	}
	q, err := e.paperwork(c, wanted)
	if err != nil {
		return Made{}, err
	}
	out := GrantsAdded{Request: q, Notes: notes}
	if out.Grants, err = e.Open(wanted, q); err != nil {
		return Made{}, err
	}
	if c.Notice {
		if out.Letter, err = e.WriteLetter(Letter{Kind: DecisionNotice, Office: c.Office, Content: e.ContentOf(q, out.Grants)}, q); err != nil {
			return Made{}, err
		}
	}
	return Made{Office: c.Office, Request: q.Label(), Body: out}, nil
}

// Wanted reads what c asks for into grants without paperwork, and says in notes what was understood. It fills in the date
// of the letter; the rest of c's paperwork is not looked at.
func (e *Edit) Wanted(c *AddGrants) (wanted []Grant, notes []string, err error) {
	if err := e.checkAllow(c); err != nil {
		return nil, nil, err
	}
	return e.understand(*c)
}

// Open makes grants of what is wanted, on a request that is there. Certified mail rests on the request's ground, which it
// fills in where it is the office's only one.
func (e *Edit) Open(wanted []Grant, q *Request) (grants []*Grant, err error) {
	if services := servicesOf(wanted); e.certified(services) {
		if q.Ground, err = e.CheckGround(q.Office, services, q.Ground); err != nil {
			return nil, err
		}
	}
	for _, g := range wanted {
		g.Request = q.ID
		if twin, ok := e.Twin(&g); ok {
			return nil, conflict("see `usciere grant show "+twin.String()+"`", "%s already has %s: %s", g.Subject, g.Opens(), twin)
		}
		kept, err := e.putGrant(g)
		if err != nil {
			return nil, err
		}
		grants = append(grants, kept)
	}
	return grants, nil
}

// checkAllow checks whom and when; it fills in the date of the letter.
func (e *Edit) checkAllow(c *AddGrants) error {
	given := 0
	for _, is := range []bool{c.Office != "", c.Role != "", c.Everyone} {
		if is {
			given++
		}
	}
	if given != 1 {
		return invalid("give exactly one of --office, --role and --everyone", "whom is it for?")
	}
	if c.Office != "" {
		if _, err := e.officeOf(c.Office); err != nil {
			return err
		}
	}
	if c.Role != "" && !c.Role.Restricted() {
		return invalid("there is nothing to grant", "the role %s has no limits (R9)", c.Role)
	}
	if c.Notice && c.Office == "" {
		return invalid("leave the notice out", "a notice goes to an office, and this is for %s", c.Subject)
	}
	if err := c.checkTerms(); err != nil {
		return err
	}
	if len(c.Names) == 0 || len(c.Names) > maxNames {
		return invalid("give 1 to 10000 of them", "%d addresses are asked for", len(c.Names))
	}
	if end := c.Until.End(e.town.Zone); c.Until != "" && !end.After(e.now) {
		return invalid("give a day to come", "until %s is in the past", c.Until)
	}
	if c.From != "" && c.Until != "" && !c.From.Start(e.town.Zone).Before(c.Until.End(e.town.Zone)) {
		return invalid("turn them round", "it would end (%s) before it begins (%s)", c.Until, c.From)
	}
	c.Types = sortTypes(slices.Clone(c.Types))
	return e.CheckLetterDay(&c.Date)
}

// checkTerms checks what compiling a condition relies on: a change may be made without JSON, which would have checked it.
func (c *AddGrants) checkTerms() error {
	for _, m := range []Moment{c.From, c.Until} {
		if err := new(Moment).UnmarshalText([]byte(m)); err != nil {
			return err
		}
	}
	if slices.Contains(c.Types, 0) {
		return invalid("leave --types out to open them all", "0 is no record type")
	}
	if _, err := ParseSchedule(string(c.Schedule)); err != nil {
		return err
	}
	return new(Channel).UnmarshalText([]byte(c.Channel))
}

// understand reads the names into grants without paperwork.
func (e *Edit) understand(c AddGrants) (wanted []Grant, notes []string, err error) {
	seen, certified := map[string]bool{}, e.certifiedRules("")
	for _, text := range c.Names {
		g := Grant{Subject: c.Subject, Channel: c.Channel, Types: c.Types, From: c.From, Until: c.Until, Schedule: c.Schedule}
		if sv, ok := e.Service(strings.TrimSpace(text)); ok {
			if err := checkServiceGrant(sv, c.Subject, c.Channel); err != nil {
				return nil, nil, err
			}
			if sv.PEC && c.Office == "" {
				_, err := e.CheckGround("", []string{sv.ID}, c.Ground)
				return nil, nil, err
			}
			g.Service, g.Channel = sv.ID, sv.Channel
		} else {
			rule, note, err := ParseRule(text)
			if err != nil {
				if idPattern.MatchString(text) {
					return nil, nil, notFound("see `usciere service list`; a site is named in full, such as www.inps.it; a text of several words needs quotes", "there is no service %q, and a name has a dot", shorten(text))
				}
				return nil, nil, err
			}
			if note != "" {
				notes = append(notes, note)
			}
			if g.Channel == "" {
				g.Channel = Web
			}
			if mail, _, base := mailBase([]byte(rule.Name), TypeA); mail {
				domain := rule.Name[base:]
				return nil, nil, invalid("`usciere allow "+domain.String()+" --channel mail` opens it", "%s belongs to the mail of %s: only a mail grant of that domain opens it (R3)", rule, domain)
			}
			if err := checkUncertified(rule, certified); err != nil {
				return nil, nil, err
			}
			g.Rule = &rule
		}
		if g.Channel == Mail && (c.Everyone || c.Role == Employee) {
			return nil, nil, invalid("give --office, or --role server for the mail relay", "mail is granted office by office, to those that asked for it (R3)")
		}
		if g.Channel == Web && slices.Equal(g.Types, []Type{TypeMX}) {
			return nil, nil, invalid("give --channel mail", "a web grant of MX alone opens nothing: MX belongs to mail (R3)")
		}
		if seen[g.Opens()] {
			continue // named twice in the letter
		}
		seen[g.Opens()] = true
		wanted = append(wanted, g)
	}
	return wanted, notes, nil
}

func checkServiceGrant(sv *Service, to Subject, channel Channel) error {
	if channel != "" && channel != sv.Channel {
		return invalid("leave --channel out", "service %s is of the channel %s", sv.ID, sv.Channel)
	}
	if len(sv.Eligible) > 0 && !slices.Contains(sv.Eligible, to.Office) {
		return invalid("see `usciere service show "+sv.ID+"`", "service %s is only for %s", sv.ID, strings.Join(sv.Eligible, ", "))
	}
	return nil
}

func (e *Edit) putGrant(g Grant) (*Grant, error) {
	n, err := e.tx.Next(TableGrants)
	if err != nil {
		return nil, err
	}
	g.ID, g.Created, g.Version = GrantID(n), e.now.Truncate(time.Second), e.version
	e.addGrant(&g)
	if err := e.tx.Put(TableHoldings, subjectPrefix(g.Subject)+numberKey(n), nil); err != nil {
		return nil, err
	}
	return &g, e.tx.Put(TableGrants, numberKey(n), &g)
}
