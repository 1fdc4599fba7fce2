package resolver

import (
	"slices"

	"usciere/policy"
	"usciere/resolver/blocklist"
)

// Security is the optional lists of names that a role without limits does not reach either (R9). Restricted roles live by their
// grants alone.
type Security struct {
	Lists *blocklist.Lists // nil: none
	Mode  policy.Mode      // how a listed name is answered; empty: nxdomain
	Roles []policy.Role    // whose questions are held against the lists; empty: those of every role without limits
}

// listed finds the list that a name is on, for a question that the rules allow.
func (s *Security) listed(v *policy.Verdict, c *policy.Client, name []byte) (blocklist.Match, bool) {
	if v.Reason != policy.Unrestricted || len(s.Roles) > 0 && !slices.Contains(s.Roles, c.Role) {
		return blocklist.Match{}, false
	}
	return s.Lists.Find(name)
}

// modeOf is how a question that goes nowhere is answered. To a client outside the site the page is no use.
func (s *setup) modeOf(c *policy.Client, way *Route) policy.Mode {
	mode := s.chosenMode(c, way)
	if mode == policy.Page && c.Away {
		return policy.NoData
	}
	return mode
}

// chosenMode is what the settings and the office say.
func (s *setup) chosenMode(c *policy.Client, way *Route) policy.Mode {
	switch {
	case way.Inward:
		return policy.NXDomain
	case way.Listed.List == nil:
		return modeOf(c, s.Sinkhole)
	case s.Security.Mode != "":
		return s.Security.Mode
	}
	return policy.NXDomain
}
