package resolver

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"usciere/policy"
	"usciere/resolver/dnstest"
)

// change applies changes of the rules in one transaction.
func (s *scene) change(step dnstest.Step) ([]string, error) {
	lines := [][]string{step.Words[1:]}
	if len(step.Words) == 1 {
		lines = nil
	}
	for _, line := range step.Block {
		words, err := dnstest.Words(line.Text)
		if err != nil {
			return nil, err
		}
		lines = append(lines, words)
	}
	var changes []policy.Change
	for _, words := range lines {
		made, err := s.changeOf(words)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(words, " "), err)
		}
		changes = append(changes, made...)
	}
	if len(changes) == 0 {
		return nil, errors.New("what is changed?")
	}
	if _, err := s.live.Apply(policy.Actor{Name: "scenario"}, changes...); err != nil {
		return refused(err), nil
	}
	return nil, nil
}

// changeVerbs are the changes that a scenario can make: how many words follow at least, the keys that may follow these, and
// what it comes to. How to add one: an entry here, and a line in the comment of statements.
var changeVerbs = map[string]struct {
	least int
	keys  []string
	make  func(s *scene, w said) []policy.Change
}{
	"office": {2, []string{"name", "sinkhole"}, (*scene).addOffice},
	"network": {2, nil, func(_ *scene, w said) []policy.Change {
		return one(policy.AddNetwork{Office: w.words[1], Network: w.prefix(0)})
	}},
	"mode": {2, nil, func(_ *scene, w said) []policy.Change {
		mode := policy.Mode(w.words[1])
		return one(policy.ChangeOffice{ID: w.words[0], Sinkhole: &mode})
	}},
	"seat": {2, []string{"role", "holder", "from", "host"}, func(_ *scene, w said) []policy.Change {
		return one(policy.AddSeat{ID: w.words[0], Office: w.words[1], Role: policy.Role(w.first("role")), Holder: w.first("holder"),
			From: policy.Moment(w.first("from")), Hosts: w.hosts()})
	}},
	"assign": {2, []string{"from", "host"}, func(_ *scene, w said) []policy.Change {
		return one(policy.AssignSeat{Seat: w.words[0], Holder: w.words[1], Vacant: w.words[1] == "", From: policy.Moment(w.first("from")), Hosts: w.hosts()})
	}},
	"host": {1, []string{"office", "role", "seat", "from"}, func(_ *scene, w said) []policy.Change {
		return one(policy.AddHost{Addr: w.addr(w.words[0]), Office: w.first("office"), Role: policy.Role(w.first("role")),
			Seat: w.first("seat"), From: policy.Moment(w.first("from"))})
	}},
	"service": {2, []string{"channel", "eligible"}, (*scene).addService},
	"allow":   {2, []string{"channel", "types", "from", "until", "schedule"}, (*scene).allowNames},
	"revoke":  {2, []string{"channel"}, (*scene).revokeNames},
	"remove":  {2, nil, (*scene).removeThing},
}

func one(c policy.Change) []policy.Change { return []policy.Change{c} }

// changeOf reads one line.
func (s *scene) changeOf(words []string) ([]policy.Change, error) {
	verb, ok := changeVerbs[words[0]]
	if !ok {
		return nil, errors.New("there is no such change")
	}
	w := said{values: map[string][]string{}, err: new(error)}
	for rest := words[1:]; len(rest) > 0; {
		if slices.Contains(verb.keys, rest[0]) && len(w.words) >= verb.least {
			if len(rest) < 2 {
				return nil, fmt.Errorf("%s has no value", rest[0])
			}
			w.values[rest[0]] = append(w.values[rest[0]], rest[1])
			rest = rest[2:]
			continue
		}
		if len(w.values) > 0 {
			return nil, fmt.Errorf("%q is none of %v", rest[0], verb.keys)
		}
		w.words, rest = append(w.words, rest[0]), rest[1:]
	}
	if len(w.words) < verb.least {
		return nil, fmt.Errorf("%s needs %d words at least", words[0], verb.least)
	}
	changes := verb.make(s, w)
	return changes, *w.err
}

// said are the words of a change behind its verb, and the values behind their keys. The first thing that cannot be read is kept
// in err.
type said struct {
	words  []string
	values map[string][]string
	err    *error
}

func (w said) first(key string) string {
	if len(w.values[key]) == 0 {
		return ""
	}
	return w.values[key][0]
}

func (w said) fail(err error) {
	if *w.err == nil {
		*w.err = err
	}
}

func (w said) addr(text string) netip.Addr {
	addr, err := netip.ParseAddr(text)
	w.fail(err)
	return addr
}

func (w said) prefix(i int) netip.Prefix {
	prefix, err := netip.ParsePrefix(w.words[i])
	w.fail(err)
	return prefix
}

func (w said) hosts() (addrs []netip.Addr) {
	for _, text := range w.values["host"] {
		addrs = append(addrs, w.addr(text))
	}
	return addrs
}

func (w said) subject() policy.Subject {
	role, isRole := strings.CutPrefix(w.words[0], "role:")
	switch {
	case w.words[0] == "everyone":
		return policy.Subject{Everyone: true}
	case isRole:
		return policy.Subject{Role: policy.Role(role)}
	}
	return policy.Subject{Office: w.words[0]}
}

// addOffice makes an office whose requests somebody can sign.
func (s *scene) addOffice(w said) []policy.Change {
	id := w.words[0]
	c := policy.AddOffice{ID: id, Name: w.first("name"), Sinkhole: policy.Mode(w.first("sinkhole"))}
	if c.Name == "" {
		c.Name = "Ufficio " + id
	}
	for i := range w.words[1:] {
		c.Networks = append(c.Networks, w.prefix(i+1))
	}
	return []policy.Change{c, policy.AddSeat{ID: "dirigente-" + id, Office: id, Holder: "M. Rossi", From: "2025-01-01"}}
}

func (s *scene) addService(w said) []policy.Change {
	c := policy.AddService{ID: w.words[0], Channel: policy.Channel(w.first("channel")), Eligible: w.values["eligible"]}
	for _, text := range w.words[1:] {
		rule, _, err := policy.ParseRule(text)
		w.fail(err)
		c.Rules = append(c.Rules, policy.ServiceRule{Rule: rule, Source: "the scenario"})
	}
	return one(c)
}

func (s *scene) allowNames(w said) []policy.Change {
	s.letters++
	c := policy.AddGrants{
		Subject: w.subject(), Names: w.words[1:], Channel: policy.Channel(w.first("channel")),
		From: policy.Moment(w.first("from")), Until: policy.Moment(w.first("until")), Schedule: policy.Schedule(w.first("schedule")),
		Protocol: fmt.Sprintf("%d/2026", s.letters), Reason: "per l'ufficio",
	}
	if c.Office != "" {
		c.Seat = "dirigente-" + c.Office
	}
	for text := range strings.FieldsFuncSeq(w.first("types"), func(r rune) bool { return r == ',' }) {
		t, err := policy.ParseType(text)
		w.fail(err)
		c.Types = append(c.Types, t)
	}
	return one(c)
}

// revokeNames finds the grants by what they open.
func (s *scene) revokeNames(w said) []policy.Change {
	channel, subject := policy.Channel(w.first("channel")), w.subject()
	var c policy.RevokeGrants
	for _, text := range w.words[1:] {
		found := len(c.Grants)
		w.fail(s.live.View(func(r policy.Records) error {
			return r.EachGrantOf(subject, func(g *policy.Grant) bool {
				if (g.Opens() == text || g.Opens() == "service "+text) && (channel == "" || g.Channel == channel) {
					c.Grants = append(c.Grants, g.ID)
				}
				return true
			})
		}))
		if len(c.Grants) == found {
			w.fail(fmt.Errorf("%s has no grant of %s", subject, text))
		}
	}
	return one(c)
}

func (s *scene) removeThing(w said) []policy.Change {
	switch w.words[0] {
	case "office":
		return one(policy.RemoveOffice{ID: w.words[1], All: true})
	case "seat":
		return one(policy.RemoveSeat{Seat: w.words[1]})
	case "host":
		return one(policy.RemoveHost{Addr: w.addr(w.words[1])})
	case "service":
		return one(policy.RemoveService{ID: w.words[1]})
	case "network":
		if len(w.words) == 3 {
			return one(policy.RemoveNetwork{Network: w.prefix(1), Office: w.words[2]})
		}
	}
	w.fail(errors.New("remove office|seat|host|service ID, or network NETWORK OFFICE"))
	return nil
}
