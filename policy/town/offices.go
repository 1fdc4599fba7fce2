package town

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"usciere/policy"
)

// offices makes and changes offices, and moves what only one of them can have: that leaves first.
func (d *differ) offices() {
	owner := map[netip.Prefix]ID{}
	for id, o := range d.next.Offices {
		for _, p := range o.Networks {
			owner[p] = id
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.now.Offices)) {
		_, stays := d.next.Offices[id]
		for _, p := range d.now.Offices[id].Networks {
			if to, wanted := owner[p]; to != id && (stays || wanted) {
				d.change(policy.RemoveNetwork{Office: string(id), Network: p}, origin{path: at("offices", id)})
			}
		}
		d.leave(id, stays)
	}
	for _, id := range slices.Sorted(maps.Keys(d.next.Offices)) {
		o, path := d.next.Offices[id], at("offices", id)
		old, exists := d.now.Offices[id]
		mailbox := o.Mailbox
		if mailbox != old.Mailbox && d.taken(id, o) {
			d.late = append(d.late, id)
			mailbox = ""
		}
		if !exists {
			d.differs("+", "office", string(id), o.facts().brief())
			d.change(policy.AddOffice{ID: string(id), Name: o.Name, Mailbox: mailbox, IPA: o.IPA, Networks: o.Networks, Sinkhole: o.Sinkhole, PEC: o.PEC}, origin{path: path})
			continue
		}
		if text := old.facts().changes(o.facts()); text != "" {
			d.differs("~", "office", string(id), text)
		}
		o.Mailbox = mailbox
		if c, changed := changeOf(string(id), old, o); changed {
			d.change(c, origin{path: path})
		}
		for i, p := range o.Networks {
			if !slices.Contains(old.Networks, p) {
				d.change(policy.AddNetwork{Office: string(id), Network: p}, origin{path: at(path+".networks", i)})
			}
		}
	}
}

func changeOf(id string, old, o Office) (c policy.ChangeOffice, changed bool) {
	c.ID = id
	if o.Name != old.Name {
		c.Name, changed = &o.Name, true
	}
	if o.Mailbox != old.Mailbox {
		c.Mailbox, changed = &o.Mailbox, true
	}
	if o.IPA != old.IPA {
		c.IPA, changed = &o.IPA, true
	}
	if o.Sinkhole != old.Sinkhole {
		c.Sinkhole, changed = &o.Sinkhole, true
	}
	if !slices.Equal(o.PEC, old.PEC) {
		c.PEC, changed = &o.PEC, true
	}
	return c, changed
}

// leave takes from an office what another office or a seat is to have: the court acts, and the mailbox if the office goes.
func (d *differ) leave(id ID, stays bool) {
	old := d.now.Offices[id]
	c, changed := policy.ChangeOffice{ID: string(id)}, false
	if slices.Contains(old.PEC, policy.CourtActs) && !slices.Contains(d.next.Offices[id].PEC, policy.CourtActs) {
		for _, o := range d.next.Offices {
			if slices.Contains(o.PEC, policy.CourtActs) {
				left := slices.DeleteFunc(slices.Clone(old.PEC), func(g policy.Ground) bool { return g == policy.CourtActs })
				c.PEC, changed = &left, true
			}
		}
	}
	for _, seat := range d.next.Seats {
		if !stays && old.Mailbox != "" && strings.EqualFold(old.Mailbox, seat.Mailbox) {
			c.Mailbox, changed = new(string), true
		}
	}
	if changed {
		d.change(c, origin{path: at("offices", id)})
	}
}

// taken says whether an office's mailbox to be is that of a seat now, or is named after one who holds a seat of the office.
func (d *differ) taken(id ID, o Office) bool {
	office := policy.Office{ID: string(id), Name: o.Name, Mailbox: o.Mailbox}
	for _, seat := range d.now.Seats {
		if o.Mailbox == "" {
			return false
		}
		if strings.EqualFold(seat.Mailbox, o.Mailbox) {
			return true
		}
		for _, h := range seat.Holders {
			if seat.Office == string(id) && (h.Until == "" || h.Until >= d.today) && office.MailboxOf(h.Name) {
				return true
			}
		}
	}
	return false
}

// mailboxes gives offices the mailboxes that seats had.
func (d *differ) mailboxes() {
	for _, id := range d.late {
		mailbox := d.next.Offices[id].Mailbox
		d.change(policy.ChangeOffice{ID: string(id), Mailbox: &mailbox}, origin{path: at("offices", id)})
	}
}
