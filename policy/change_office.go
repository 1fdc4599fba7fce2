package policy

import (
	"net/netip"
	"slices"
	"strings"
)

// AddOffice makes an office.
type AddOffice struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Mailbox  string         `json:"mailbox,omitempty"`
	IPA      string         `json:"ipa,omitempty"`
	Networks []netip.Prefix `json:"networks,omitempty"`
	Sinkhole Mode           `json:"sinkhole,omitempty"`
	PEC      []Ground       `json:"pec,omitempty"` // the grounds on which it may ask for certified mail (R11)
}

// Kind names the change in the journal.
func (AddOffice) Kind() string { return "office.add" }

// Apply makes the change; its body is an *Office.
func (c AddOffice) Apply(e *Edit) (Made, error) {
	if err := CheckID("an office", c.ID); err != nil {
		return Made{}, err
	}
	if old, ok := e.Office(c.ID); ok {
		return Made{}, conflict("choose another id, or change it with `usciere office change`", "office %s is there already: %s", c.ID, old.Name)
	}
	o := Office{ID: c.ID, Name: c.Name, Mailbox: c.Mailbox, IPA: c.IPA, Networks: c.Networks, Sinkhole: c.Sinkhole, PEC: c.PEC}
	if err := checkOffice(&o); err != nil {
		return Made{}, err
	}
	if err := e.checkOfficeMailbox(&o); err != nil {
		return Made{}, err
	}
	if err := e.checkEntitled(&o); err != nil {
		return Made{}, err
	}
	var err error
	if o.Former, err = e.lastRequest(c.ID); err != nil {
		return Made{}, err
	}
	e.setOffice(&o)
	for i, p := range c.Networks {
		if slices.Contains(c.Networks[:i], p) {
			return Made{}, invalid("name it once", "%s is named twice", p)
		}
		if err := e.claim(p, c.ID); err != nil {
			return Made{}, err
		}
		e.setNetwork(p, c.ID)
	}
	out, err := e.putOffice(o)
	return Made{Office: c.ID, Body: out}, err
}

func checkOffice(o *Office) error {
	if o.Name = strings.TrimSpace(o.Name); o.Name == "" {
		return invalid("give its name with --name", "an office needs a name that people know it by")
	}
	if err := CheckText("the name", o.Name, 200); err != nil {
		return err
	}
	return CheckText("the IPA code", o.IPA, 60)
}

// claim checks that a prefix can be given to the office.
func (e *Edit) claim(p netip.Prefix, office string) error {
	if !p.IsValid() {
		return invalid("write it as 10.20.1.0/24 or 2001:db8:20:1::/64", "a network is not valid")
	}
	if p.Addr().Is4In6() {
		return invalid("write it as an IPv4 prefix", "%s is an IPv4 prefix in IPv6 clothes", p)
	}
	if m := p.Masked(); m != p {
		return invalid("write "+m.String(), "%s has bits set beyond its length", p)
	}
	if n, ok := e.networks.Get(p); ok {
		owner := e.byNumber[n-1].ID
		if owner == office {
			return conflict("", "%s belongs to %s already", p, owner)
		}
		hint := "first `usciere network remove " + p.String() + " --office " + owner + "`"
		if p.Bits() < p.Addr().BitLen() {
			hint = "a smaller prefix inside it is fine (" + netip.PrefixFrom(p.Addr(), p.Bits()+1).String() + "); or " + hint
		}
		return conflict(hint, "%s belongs to %s", p, owner)
	}
	if !e.insideSite(p) {
		return invalid("add it to town.site in the settings first, and reload", "%s lies outside the site, where nobody is answered", p)
	}
	return nil
}

// ChangeOffice gives an office another name, mailbox, IPA code, sinkhole mode or other grounds for certified mail; what is nil
// stays. A mailbox that stays is not judged again.
type ChangeOffice struct {
	Based
	ID       string    `json:"id"`
	Name     *string   `json:"name,omitempty"`
	Mailbox  *string   `json:"mailbox,omitempty"`
	IPA      *string   `json:"ipa,omitempty"`
	Sinkhole *Mode     `json:"sinkhole,omitempty"`
	PEC      *[]Ground `json:"pec,omitempty"` // all of them; empty: none
}

// Kind names the change in the journal.
func (ChangeOffice) Kind() string { return "office.change" }

// Apply makes the change; its body is an *Office.
func (c ChangeOffice) Apply(e *Edit) (Made, error) {
	old, err := e.officeOf(c.ID)
	if err != nil {
		return Made{}, err
	}
	if err := c.check("office "+c.ID, old.Version); err != nil {
		return Made{}, err
	}
	o := *old
	setIf(&o.Name, c.Name)
	setIf(&o.Mailbox, c.Mailbox)
	setIf(&o.IPA, c.IPA)
	setIf(&o.Sinkhole, c.Sinkhole)
	setIf(&o.PEC, c.PEC)
	if err := checkOffice(&o); err != nil {
		return Made{}, err
	}
	if o.Mailbox != old.Mailbox {
		if err := e.checkOfficeMailbox(&o); err != nil {
			return Made{}, err
		}
	}
	if c.PEC != nil {
		if err := e.checkEntitled(&o); err != nil {
			return Made{}, err
		}
		if err := e.checkTaken(old, &o); err != nil {
			return Made{}, err
		}
	}
	out, err := e.putOffice(o)
	return Made{Office: c.ID, Body: out}, err
}

func setIf[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// RemoveOffice takes an office out. It is refused while the office has hosts, seats, grants or open requests, unless All is
// set: then they go with it, the grants as revoked, the requests as withdrawn.
type RemoveOffice struct {
	Based
	ID  string `json:"id"`
	All bool   `json:"all,omitempty"`
}

// Kind names the change in the journal.
func (RemoveOffice) Kind() string { return "office.remove" }

// OfficeRemoved is what RemoveOffice ended; the grants are revoked, the requests that waited are withdrawn.
type OfficeRemoved struct {
	Office   *Office      `json:"office"`
	Grants   []*Grant     `json:"grants,omitempty"`
	Seats    []*Seat      `json:"seats,omitempty"`
	Hosts    []netip.Addr `json:"hosts,omitempty"`
	Requests []*Request   `json:"requests,omitempty"`
}

// Apply makes the change; its body is an OfficeRemoved.
func (c RemoveOffice) Apply(e *Edit) (Made, error) {
	old, err := e.officeOf(c.ID)
	if err != nil {
		return Made{}, err
	}
	if err := c.check("office "+c.ID, old.Version); err != nil {
		return Made{}, err
	}
	var grants []*Grant
	err = e.Records().EachGrantOf(Subject{Office: c.ID}, func(g *Grant) bool { grants = append(grants, g); return true })
	if err != nil {
		return Made{}, err
	}
	seats, hosts := e.belongings(c.ID)
	open, err := e.openRequests(c.ID)
	if err != nil {
		return Made{}, err
	}
	if !c.All && len(grants)+len(seats)+len(hosts)+len(open) > 0 {
		return Made{}, conflict("remove these first, or repeat with --all to end them with the office",
			"%s still has grants (%d), seats (%d), hosts (%d), open requests (%d)", c.ID, len(grants), len(seats), len(hosts), len(open))
	}
	const why = "the office was removed"
	for i, g := range grants {
		if grants[i], err = e.Revoke(g, why); err != nil {
			return Made{}, err
		}
	}
	for i, q := range open {
		q.Link = nil
		q.MoveTo(e, Withdrawn, why)
		if open[i], err = e.PutRequest(*q); err != nil {
			return Made{}, err
		}
	}
	for _, s := range seats {
		if err := e.removeSeat(s); err != nil {
			return Made{}, err
		}
	}
	for _, addr := range hosts {
		h, _ := e.Host(addr)
		rest := Host{Addr: addr, Seats: h.Seats} // other offices' seats stay on their workstations
		if err := e.keepHost(rest); err != nil {
			return Made{}, err
		}
	}
	for _, p := range old.Networks {
		e.dropNetwork(p)
	}
	e.dropOffice(c.ID)
	return Made{Office: c.ID, Body: OfficeRemoved{old, grants, seats, hosts, open}}, e.tx.Delete(TableOffices, c.ID)
}

// belongings are the seats of an office and the hosts entered in it by themselves.
func (e *Edit) belongings(office string) (seats []*Seat, hosts []netip.Addr) {
	for _, s := range e.Seats() {
		if s.Office == office {
			seats = append(seats, s)
		}
	}
	for _, h := range e.Hosts() {
		if h.Office == office {
			hosts = append(hosts, h.Addr)
		}
	}
	return seats, hosts
}

// openRequests are the requests of an office that wait for a signature or a decision.
func (e *Edit) openRequests(office string) (open []*Request, err error) {
	err = e.Records().EachRequest(func(q *Request) bool {
		if q.Office == office && q.State.Open() {
			open = append(open, q)
		}
		return true
	})
	return open, err
}

// lastRequest is the last request that stands under the id of an office; zero when none does.
func (e *Edit) lastRequest(office string) (last RequestID, err error) {
	err = e.Records().EachRequest(func(q *Request) bool {
		if q.Office == office {
			last = q.ID
		}
		return true
	})
	return last, err
}

// AddNetwork gives a prefix to an office.
type AddNetwork struct {
	Based
	Office  string       `json:"office"`
	Network netip.Prefix `json:"network"`
}

// Kind names the change in the journal.
func (AddNetwork) Kind() string { return "network.add" }

// Apply makes the change; its body is an *Office.
func (c AddNetwork) Apply(e *Edit) (Made, error) {
	old, err := e.officeOf(c.Office)
	if err != nil {
		return Made{}, err
	}
	if err := c.check("office "+c.Office, old.Version); err != nil {
		return Made{}, err
	}
	if err := e.claim(c.Network, c.Office); err != nil {
		return Made{}, err
	}
	e.setNetwork(c.Network, c.Office)
	o := *old
	o.Networks = append(slices.Clone(o.Networks), c.Network)
	out, err := e.putOffice(o)
	return Made{Office: c.Office, Body: out}, err
}

// RemoveNetwork takes a prefix from an office.
type RemoveNetwork struct {
	Based
	Office  string       `json:"office"`
	Network netip.Prefix `json:"network"`
}

// Kind names the change in the journal.
func (RemoveNetwork) Kind() string { return "network.remove" }

// Apply makes the change; its body is an *Office.
func (c RemoveNetwork) Apply(e *Edit) (Made, error) {
	old, err := e.officeOf(c.Office)
	if err != nil {
		return Made{}, err
	}
	if err := c.check("office "+c.Office, old.Version); err != nil {
		return Made{}, err
	}
	i := slices.Index(old.Networks, c.Network)
	if i < 0 {
		return Made{}, notFound("see `usciere network list`", "%s does not belong to %s", c.Network, c.Office)
	}
	e.dropNetwork(c.Network)
	o := *old
	o.Networks = slices.Delete(slices.Clone(o.Networks), i, i+1)
	out, err := e.putOffice(o)
	return Made{Office: c.Office, Body: out}, err
}
