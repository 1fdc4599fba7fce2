package main

import (
	"strings"

	"usciere/policy"
)

// previewGrants prints what a change would open, in full.
func (s *session) previewGrants(change policy.AddGrants) error {
	p, err := s.PreviewGrants(s.ctx, change)
	if err != nil {
		return err
	}
	return s.show(p, func() {
		for _, note := range p.Notes {
			s.note(note)
		}
		for i, g := range p.Grants {
			s.opened(g, &p.Opens[i], p.Request.Ground)
		}
		s.line("not done", "repeat it without --dry-run to make it so")
	})
}

// opened prints what a grant opens.
func (s screen) opened(g *policy.Grant, o *policy.Opened, ground policy.Ground) {
	fields := []string{g.Subject.String(), channelText(o.Channel, o.PEC), o.What, o.Title, terms(g)}
	if o.PEC {
		fields = append(fields, "ground "+string(ground))
	}
	s.line("would open", fields...)
	if g.Service != "" {
		s.rules(o.Rules)
	}
	if len(o.Mail) > 0 {
		what := o.What
		if g.Service != "" {
			what = "these names"
		}
		s.detail("mail", "of "+what+": "+strings.Join(o.Mail, "; "))
	}
	if o.Along != nil {
		s.line("and with it", "service "+o.Along.Service, o.Along.Title, "the signature infrastructure (R4), on the same dates and timetable")
		s.rules(o.Along.Rules)
	}
}
