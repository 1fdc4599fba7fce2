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

// CheckLetterDay checks the date of a letter that came in, and fills in today.
func (e *Edit) CheckLetterDay(day *Moment) error {
	if err := e.checkDay(day); err != nil {
		return err
	}
	if *day > e.Today() {
		return invalid("give the date of the letter with --date", "the letter's date %s is in the future", *day)
	}
	return nil
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
	seen := map[string]bool{}
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

// paperwork finds or writes the request the grants rest on; what is missing is refused, naming the article (R5, R6).
func (e *Edit) paperwork(c AddGrants, wanted []Grant) (*Request, error) {
	protocol, err := ParseProtocol(c.Protocol)
	if err != nil {
		return nil, err
	}
	c.Protocol = protocol
	reason := strings.TrimSpace(c.Reason)
	if err := CheckText("the reason", reason, 4000); err != nil {
		return nil, err
	}
	q, found, err := e.Records().RequestOf(c.Protocol)
	if err != nil {
		return nil, err
	}
	services := servicesOf(wanted)
	if found && c.Ground == "" && e.certified(services) {
		c.Ground = q.Ground
	}
	if c.Ground, err = e.CheckGround(c.Office, services, c.Ground); err != nil {
		return nil, err
	}
	if found {
		if q.Office != c.Office {
			return nil, conflict("check the number", "protocol %s is already the request of %s (%s)", c.Protocol, orIT(q.Office), q.Date)
		}
		if o, ok := e.Office(c.Office); ok && !o.Owns(q) {
			return nil, conflict("check the number", "protocol %s is already a request of the office that was %s before (%s)", c.Protocol, c.Office, q.Date)
		}
		if reason != "" && reason != q.Reason {
			return nil, conflict("leave --reason out to add to it, or check the number", "protocol %s is already a request with other reasons: %q", c.Protocol, shorten(q.Reason))
		}
		if c.Ground != "" && q.Ground != "" && c.Ground != q.Ground {
			return nil, conflict("leave --ground out, or check the number", "protocol %s is already a request on another ground: %s", c.Protocol, q.Ground)
		}
		if q.State != Approved {
			return nil, conflict("see `usciere request show "+q.ID.String()+"`", "protocol %s is the request %s, which is %s", c.Protocol, q.ID, q.State)
		}
	} else {
		if reason == "" {
			return nil, invalid("give --reason with the reasons of the letter, in full (Art. 5 and 7)", "a request without reasons cannot be granted")
		}
		q = &Request{Protocol: c.Protocol, Date: c.Date, Office: c.Office, Reason: reason}
		if c.Office != "" || c.Seat != "" {
			if q.Seat, q.Holder, err = e.Signer(c.Office, c.Seat, c.Date); err != nil {
				return nil, err
			}
		}
	}
	if c.Ground != "" {
		q.Ground = c.Ground
	}
	q.Services = append(slices.Clone(q.Services), services...)
	for _, text := range c.Names {
		if _, isService := e.Service(strings.TrimSpace(text)); !isService {
			q.Addresses = append(q.Addresses, strings.TrimSpace(text))
		}
	}
	if q.State == "" {
		q.State, q.Decided, q.DecidedBy = Approved, e.now.Truncate(time.Second), e.who.Name
	}
	return e.PutRequest(*q)
}

func orIT(office string) string {
	if office == "" {
		return "the IT office"
	}
	return office
}

// Signer is the seat of an office whose holder signed a letter on a day (R5), and that holder: the seat given, or the
// office's only manager's.
func (e *Edit) Signer(office, seat string, day Moment) (id, holder string, err error) {
	if id = seat; id == "" {
		if id, err = e.managersSeat(office); err != nil {
			return "", "", err
		}
	}
	s, err := e.seatOf(id)
	if err != nil {
		return "", "", err
	}
	if s.Role.Restricted() {
		return "", "", invalid("name the responsible manager's seat with --seat", "the seat %s is no manager's: it cannot sign a request (Art. 5)", id)
	}
	h, ok := s.HolderOn(day)
	if !ok {
		return "", "", invalid("enter who held it with `usciere seat assign "+id+" --holder \"NAME\" --from DAY`, or give the letter's date with --date",
			"nobody held the seat %s on %s to sign the letter", id, day)
	}
	return id, h.Name, nil
}

func (e *Edit) managersSeat(office string) (string, error) {
	var managers []string
	for _, s := range e.Seats() {
		if s.Office == office && !s.Role.Restricted() {
			managers = append(managers, s.ID)
		}
	}
	switch len(managers) {
	case 0:
		return "", invalid("enter it: `usciere seat add ID --office "+office+" --role manager --holder \"NAME\"`; or name another with --seat",
			"%s has no seat of a responsible manager, who must sign its requests (Art. 5)", office)
	case 1:
		return managers[0], nil
	default:
		return "", invalid("name it with --seat: "+strings.Join(managers, ", "), "%s has several seats: which one signed?", office)
	}
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

// RevokeGrants ends grants at once.
type RevokeGrants struct {
	Based
	Grants []GrantID `json:"grants"`
	Reason string    `json:"reason,omitempty"`
	Notice bool      `json:"notice,omitempty"` // write the offices whose grants end a notice, which needs the reasons; of other grants there is none
	Urgent bool      `json:"urgent,omitempty"` // a copy of it to the seat's own mailbox (R13)
}

// Kind names the change in the journal.
func (RevokeGrants) Kind() string { return "grant.revoke" }

// GrantsRevoked is what RevokeGrants ended.
type GrantsRevoked struct {
	Grants  []*Grant  `json:"grants"`
	Letters []*Letter `json:"letters,omitempty"`
}

// Apply makes the change; its body is a GrantsRevoked.
func (c RevokeGrants) Apply(e *Edit) (Made, error) {
	if len(c.Grants) == 0 || len(c.Grants) > maxNames {
		return Made{}, invalid("name 1 to 10000 of them: g-17", "%d grants are to be revoked", len(c.Grants))
	}
	reason := strings.TrimSpace(c.Reason)
	if err := CheckText("the reason", reason, 4000); err != nil {
		return Made{}, err
	}
	var out GrantsRevoked
	for _, id := range c.Grants {
		g, err := e.Records().Grant(id)
		if err != nil {
			return Made{}, err
		}
		if err := c.check("grant "+id.String(), g.Version); err != nil {
			return Made{}, err
		}
		if g.Revoked != nil {
			return Made{}, conflict("", "grant %s was revoked on %s", id, DayOf(g.Revoked.At, e.town.Zone))
		}
		if c.Notice && reason == "" && g.Office != "" {
			return Made{}, invalid("give --reason; or --no-notice, to correct what was entered wrong", "a notice of revocation gives the office its reasons (Art. 7)")
		}
		ended, err := e.Revoke(g, reason)
		if err != nil {
			return Made{}, err
		}
		out.Grants = append(out.Grants, ended)
	}
	if c.Notice {
		var err error
		if out.Letters, err = e.revocationNotices(out.Grants, reason, c.Urgent); err != nil {
			return Made{}, err
		}
	}
	return e.madeOf(out)
}

// madeOf names the office and the request of grants that ended, where they have one in common.
func (e *Edit) madeOf(out GrantsRevoked) (Made, error) {
	m, first := Made{Body: out}, out.Grants[0]
	if !slices.ContainsFunc(out.Grants, func(g *Grant) bool { return g.Office != first.Office }) {
		m.Office = first.Office
	}
	if slices.ContainsFunc(out.Grants, func(g *Grant) bool { return g.Request != first.Request }) {
		return m, nil
	}
	q, err := e.Records().Request(first.Request)
	if err == nil {
		m.Request = q.Label()
	}
	return m, err
}

// Revoke ends a grant at once.
func (e *Edit) Revoke(g *Grant, reason string) (*Grant, error) {
	e.dropGrant(g)
	ended := *g
	ended.Revoked = &Revocation{At: e.now.Truncate(time.Second), By: e.who.Name, Reason: reason}
	ended.Version = e.version
	n := uint64(g.ID)
	if err := e.tx.Delete(TableHoldings, subjectPrefix(g.Subject)+numberKey(n)); err != nil {
		return nil, err
	}
	return &ended, e.tx.Put(TableGrants, numberKey(n), &ended)
}
