package policy

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// The functions of this file see to the letter that a grant rests on: its number, date, reasons, and who signed it (R5, R6).

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
	if err == nil && !found {
		err = e.Records().NumberTaken(c.Protocol, 0)
	}
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
			return nil, conflict("check the number", "protocol %s is already the request of %s (%s)", c.Protocol, q.Asker(), q.Date)
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
		switch q.State {
		case Approved:
		case Expired:
			q.MoveTo(e, Approved, "a grant was added")
		default:
			hint := "see `usciere request show " + q.ID.String() + "`"
			if q.State.Open() {
				hint += ", and decide it with `usciere request approve " + q.ID.String() + "`"
			}
			return nil, conflict(hint, "protocol %s is the request %s, which is %s", c.Protocol, q.ID, q.State)
		}
	} else {
		if reason == "" {
			return nil, invalid("give --reason with the reasons of the letter, in full (Art. 5 and 7)", "a request without reasons cannot be granted")
		}
		q = &Request{Protocol: c.Protocol, Date: c.Date, Office: c.Office, Reason: reason, Channel: c.Channel}
		switch {
		case strings.TrimSpace(c.Holder) != "":
			q.Seat, q.Holder = c.Seat, strings.TrimSpace(c.Holder)
			err = cmp.Or(CheckID("a seat", q.Seat), CheckText("the holder's name", q.Holder, 200))
		case c.Office != "" || c.Seat != "":
			q.Seat, q.Holder, err = e.Signer(c.Office, c.Seat, c.Date)
		}
		if err != nil {
			return nil, err
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
	switch {
	case s.Role.Restricted():
		return "", "", invalid("name the responsible manager's seat with --seat", "the seat %s is no manager's: it cannot sign a request (Art. 5)", id)
	case office != "" && s.Office != office:
		return "", "", invalid("name a seat of the office with --seat; who heads several offices has a seat in each",
			"the seat %s belongs to %s: a request of %s is signed by its own responsible manager (Art. 5)", id, s.Office, office)
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
		return "", invalid("enter it: `usciere seat add ID --office "+office+" --role manager --holder \"NAME\"`",
			"%s has no seat of a responsible manager, who must sign its requests (Art. 5)", office)
	case 1:
		return managers[0], nil
	default:
		return "", invalid("name it with --seat: "+strings.Join(managers, ", "), "%s has several seats: which one signed?", office)
	}
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
