package policy

import "strings"

// Opened is all that a grant opens, as it is shown before it is granted.
type Opened struct {
	What    string        `json:"what"`            // the domain rule, or "service NAME"
	Title   string        `json:"title,omitempty"` // of the service
	Channel Channel       `json:"channel"`
	PEC     bool          `json:"pec,omitempty"`
	Rules   []ServiceRule `json:"rules"`          // of a service with their sources; else the one rule
	Mail    []string      `json:"mail,omitempty"` // what of the mail of these names is opened
	Along   *Along        `json:"along,omitempty"`
}

// Along is a service that comes with a grant of mail, on its dates and timetable (R4).
type Along struct {
	Service string        `json:"service"`
	Title   string        `json:"title"`
	Rules   []ServiceRule `json:"rules"`
}

// Opened says what a grant opens, or would open.
func (s *Snapshot) Opened(g *Grant) Opened {
	out := Opened{What: g.Opens(), Channel: g.Channel}
	if sv, ok := s.Service(g.Service); ok {
		out.Title, out.PEC, out.Rules = sv.Title, sv.PEC, sv.Rules
	} else if g.Rule != nil {
		out.Rules = []ServiceRule{{Rule: *g.Rule}}
	}
	if g.Channel != Mail {
		return out
	}
	out.Mail = []string{
		"MX", "SRV of " + listLabels(mailServices) + " below _tcp and _udp", "the names " + listLabels(mailHosts) + " below them",
		"the addresses of the hosts that MX and SRV name",
	}
	if sv, ok := s.comesAlong(); ok {
		out.Along = &Along{sv.ID, sv.Title, sv.Rules}
	}
	return out
}

// comesAlong is the built-in service that comes with every grant of mail (R4), if it is there.
func (s *Snapshot) comesAlong() (*Service, bool) {
	if sv := s.servicen[signatureNumber-1]; sv != nil {
		return sv.Service, true
	}
	return nil, false
}

// ServicesOf are the services whose rules a grant opens: its own, and for mail the one that comes with it (R4).
func (s *Snapshot) ServicesOf(g *Grant) (out []*Service) {
	if sv, ok := s.Service(g.Service); ok {
		out = append(out, sv)
	}
	if sv, ok := s.comesAlong(); ok && g.Channel == Mail {
		out = append(out, sv)
	}
	return out
}

// listLabels writes labels, which have their length octet.
func listLabels(labels []string) string {
	out := make([]string, len(labels))
	for i, l := range labels {
		out[i] = l[1:]
	}
	return strings.Join(out, ", ")
}
