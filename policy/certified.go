package policy

import (
	"cmp"
	"slices"
	"strings"
)

// This file holds the directive on certified mail (PEC) of 19/05/2016: who may have it, and on what ground (R10, R11).

func (g Ground) String() string { return string(g) }

// point is where the directive has a ground, and what it says there.
func (g Ground) point() string {
	switch g {
	case CourtActs:
		return "acts of courts go to the legal office (directive on certified mail, point b.1)"
	case ActsOfOutsiders:
		return "acts of outside bodies go to the offices that they concern (directive on certified mail, point b.2)"
	default:
		return "certified mail is for writing to outside bodies, never between offices (directive on certified mail, point a)"
	}
}

// ParseGrounds reads grounds parted by commas; the empty text is none, which is a list too: in JSON no list leaves all as it is.
func ParseGrounds(text string) ([]Ground, error) {
	out := []Ground{}
	for part := range strings.SplitSeq(text, ",") {
		var g Ground
		if err := g.UnmarshalText([]byte(strings.TrimSpace(part))); err != nil {
			return nil, err
		}
		if g != "" {
			out = append(out, g)
		}
	}
	return out, nil
}

// SortGrounds puts grounds in the order of Grounds, each once.
func SortGrounds(grounds []Ground) []Ground {
	var out []Ground
	for _, g := range Grounds {
		if slices.Contains(grounds, g) {
			out = append(out, g)
		}
	}
	return out
}

func joinGrounds(grounds []Ground) string {
	out := make([]string, len(grounds))
	for i, g := range grounds {
		out[i] = g.String()
	}
	return strings.Join(out, ",")
}

// checkEntitled checks the grounds of an office and puts them in order: court acts are one office's alone.
func (e *Edit) checkEntitled(o *Office) error {
	for _, g := range o.PEC {
		if g == "" {
			return invalid("the grounds are outside-bodies, court-acts and acts-of-outside-bodies", "a ground for certified mail of %s is empty", o.ID)
		}
		if err := g.UnmarshalText([]byte(g)); err != nil {
			return err
		}
	}
	o.PEC = SortGrounds(o.PEC)
	if !slices.Contains(o.PEC, CourtActs) {
		return nil
	}
	if legal, ok := e.legalOffice(); ok && legal.ID != o.ID {
		return conflict("take it from that office first: `usciere office change "+legal.ID+" --pec \""+joinGrounds(without(legal.PEC, CourtActs))+"\"`",
			"%s has the ground %s already: %s", legal.ID, CourtActs, CourtActs.point())
	}
	return nil
}

func without(grounds []Ground, g Ground) []Ground {
	return slices.DeleteFunc(slices.Clone(grounds), func(o Ground) bool { return o == g })
}

// legalOffice is the office that court acts go to.
func (s *Snapshot) legalOffice() (*Office, bool) {
	for _, o := range s.offices {
		if slices.Contains(o.PEC, CourtActs) {
			return o.Office, true
		}
	}
	return nil, false
}

// checkTaken refuses to take a ground from an office while a grant of certified mail rests on it; one whose end is past does
// not count.
func (e *Edit) checkTaken(old, next *Office) error {
	var refusal error
	var failed error
	err := e.Records().EachGrantOf(Subject{Office: old.ID}, func(g *Grant) bool {
		if !e.isCertified(g.Service) || g.Until != "" && !g.Until.End(e.town.Zone).After(e.now) {
			return true
		}
		q, err := e.Records().Request(g.Request)
		if err != nil {
			failed = err
			return false
		}
		if slices.Contains(old.PEC, q.Ground) && !slices.Contains(next.PEC, q.Ground) {
			refusal = conflict("revoke it first: `usciere grant revoke "+g.ID.String()+"`",
				"grant %s of %s (%s, request %s) rests on the ground %s", g.ID, old.ID, g.Opens(), q.Label(), q.Ground)
		}
		return refusal == nil
	})
	if err == nil {
		err = failed
	}
	if err == nil {
		err = refusal
	}
	return err
}

// CheckGround checks on what ground an office asks for services (R10, R11), and returns it: for certified mail the one given,
// or the office's only one; for other services none. An empty office stands for a role or everyone, which can have none: a
// grant of the role server would open the providers to the machines of every office. A relay that carries an office's
// certified mail stands in that office and has what the office has.
func (e *Edit) CheckGround(office string, services []string, ground Ground) (Ground, error) {
	if err := ground.UnmarshalText([]byte(ground)); err != nil {
		return "", err
	}
	i := slices.IndexFunc(services, e.isCertified)
	if i < 0 {
		if ground != "" {
			return "", invalid("leave the ground out, or ask for a service of certified mail (`usciere service list`)", "the ground %s is for certified mail, and none is asked for", ground)
		}
		return "", nil
	}
	if office == "" {
		return "", invalid("give --office: each office that is entitled asks for itself", "service %s cannot be for a role or everyone: %s", services[i], OutsideBodies.point())
	}
	o, err := e.officeOf(office)
	if err != nil {
		return "", err
	}
	if ground == "" {
		switch len(o.PEC) {
		case 1:
			return o.PEC[0], nil
		case 0:
			return "", invalid("if it writes to outside bodies, record that it may: `usciere office change "+office+" --pec outside-bodies`",
				"%s has no ground for certified mail: %s", office, OutsideBodies.point())
		}
		return "", invalid("name it with --ground: "+strings.ReplaceAll(joinGrounds(o.PEC), ",", ", "),
			"on which ground does %s ask for service %s? %s", office, services[i], OutsideBodies.point())
	}
	if !slices.Contains(o.PEC, ground) {
		return "", e.unfit(o, ground)
	}
	return ground, nil
}

// servicesOf are the services among grants.
func servicesOf(grants []Grant) (ids []string) {
	for _, g := range grants {
		if g.Service != "" {
			ids = append(ids, g.Service)
		}
	}
	return ids
}

// certified says whether one of the services is certified mail.
func (s *Snapshot) certified(services []string) bool {
	return slices.ContainsFunc(services, s.isCertified)
}

// certifiedRules are the domain rules of all services of certified mail but one.
func (s *Snapshot) certifiedRules(but string) (all []Rule) {
	for _, sv := range s.Services() {
		for _, r := range sv.Rules {
			if sv.PEC && sv.ID != but {
				all = append(all, r.Rule)
			}
		}
	}
	return all
}

// checkUncertified refuses a domain rule that would open hosts of certified mail, which only a service of it does, on a ground (R10).
func checkUncertified(r Rule, certified []Rule) error {
	for _, c := range certified {
		if r.Within(c) || c.Within(r) {
			return invalid("ask for a service of certified mail (`usciere service list`), or name the other hosts one by one",
				"%s opens %s: %s", r, c, OutsideBodies.point())
		}
	}
	return nil
}

// checkUnopened refuses to call hosts certified mail that something else opens already: another service, or a grant of a domain rule.
func (e *Edit) checkUnopened(sv *Service) error {
	var own []Rule
	for _, r := range sv.Rules {
		own = append(own, r.Rule)
	}
	for _, o := range e.Services() {
		for _, r := range o.Rules {
			if err := checkUncertified(r.Rule, own); err != nil && !o.PEC && o.ID != sv.ID {
				return conflict("change that service first: `usciere service show "+o.ID+"`", "service %s opens %s, which would be certified mail", o.ID, r.Rule)
			}
		}
	}
	var refusal error
	err := e.Records().EachGrant(func(g *Grant) bool {
		if g.Rule == nil || g.Revoked != nil || g.Until != "" && !g.Until.End(e.town.Zone).After(e.now) {
			return true
		}
		if checkUncertified(*g.Rule, own) != nil {
			refusal = conflict("revoke it first: `usciere grant revoke "+g.ID.String()+"`", "grant %s of %s opens %s, which would be certified mail", g.ID, g.Subject, g.Rule)
		}
		return refusal == nil
	})
	return cmp.Or(err, refusal)
}

func (s *Snapshot) isCertified(service string) bool {
	sv, ok := s.Service(service)
	return ok && sv.PEC
}

// unfit refuses a ground that an office does not have.
func (e *Edit) unfit(o *Office, ground Ground) error {
	if legal, ok := e.legalOffice(); ok && ground == CourtActs {
		return invalid("ask on a ground of its own (`usciere office show "+o.ID+"`)", "the ground %s does not fit %s: %s, which is %s", ground, o.ID, ground.point(), legal.ID)
	}
	return invalid("if it does, record that it may: `usciere office change "+o.ID+" --pec "+joinGrounds(SortGrounds(append(slices.Clone(o.PEC), ground)))+"`",
		"the ground %s does not fit %s: %s", ground, o.ID, ground.point())
}
