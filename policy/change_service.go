package policy

import (
	"slices"
	"strings"
	"time"
)

// AddService makes a service of the town's own, or with Replace changes one.
type AddService struct {
	Based
	ID       string        `json:"id"`
	Title    string        `json:"title,omitempty"`
	Channel  Channel       `json:"channel,omitempty"` // Web if empty
	Rules    []ServiceRule `json:"rules"`
	Eligible []string      `json:"eligible,omitempty"`
	PEC      bool          `json:"pec,omitempty"` // certified mail: a request for it names its ground (R11)
	Replace  bool          `json:"replace,omitempty"`
	Wider    error         `json:"-"` // why it may not open more to those who are granted the service; nil: it may
}

// Kind names the change in the journal.
func (AddService) Kind() string { return "service.add" }

const maxServiceRules = 10_000

// Apply makes the change; its body is a *Service.
func (c AddService) Apply(e *Edit) (Made, error) {
	if err := CheckID("a service", c.ID); err != nil {
		return Made{}, err
	}
	old, exists := e.Service(c.ID)
	switch {
	case exists && old.Builtin:
		return Made{}, conflict("choose another id", "service %s is a built-in one", c.ID)
	case exists && !c.Replace:
		return Made{}, conflict("choose another id, or repeat with --replace", "service %s is there already", c.ID)
	case exists:
		if err := c.check("service "+c.ID, old.Version); err != nil {
			return Made{}, err
		}
	}
	sv := Service{ID: c.ID, Title: strings.TrimSpace(c.Title), Channel: c.Channel, Rules: c.Rules, Eligible: c.Eligible, PEC: c.PEC}
	if sv.Channel == "" {
		sv.Channel = Web
	}
	if sv.Title == "" {
		sv.Title = c.ID
	}
	if err := e.checkService(&sv); err != nil {
		return Made{}, err
	}
	if exists && old.Channel != sv.Channel && e.services[c.ID].used > 0 {
		return Made{}, conflict("revoke its grants first, or make another service", "service %s is granted on the channel %s", c.ID, old.Channel)
	}
	if exists && old.PEC != sv.PEC && e.services[c.ID].used > 0 {
		return Made{}, conflict("revoke its grants first, or make another service", "service %s is granted, and certified mail is granted on a ground of its own (R11)", c.ID)
	}
	if exists && c.Wider != nil && e.services[c.ID].used > 0 && widens(old.Rules, sv.Rules) {
		return Made{}, c.Wider
	}
	out, err := e.putService(sv)
	return Made{Body: out}, err
}

// widens says whether rules open something that those before did not.
func widens(before, now []ServiceRule) bool {
	had := make(map[Rule]bool, len(before))
	for _, r := range before {
		had[r.Rule] = true
	}
	return slices.ContainsFunc(now, func(r ServiceRule) bool {
		return !had[r.Rule] && !slices.ContainsFunc(before, func(o ServiceRule) bool { return r.Rule.Within(o.Rule) })
	})
}

func (e *Edit) putService(sv Service) (*Service, error) {
	sv.Version = e.version
	e.setService(&sv)
	return &sv, e.tx.Put(TableServices, sv.ID, &sv)
}

func (e *Edit) checkService(sv *Service) error {
	if err := CheckText("the title", sv.Title, 200); err != nil {
		return err
	}
	if len(sv.Rules) == 0 || len(sv.Rules) > maxServiceRules {
		return invalid("give 1 to 10000 of them", "service %s has %d domain rules", sv.ID, len(sv.Rules))
	}
	if sv.PEC && sv.Channel != Mail {
		return invalid("give --channel mail", "service %s is certified mail, which is of the channel mail", sv.ID)
	}
	seen, certified := map[Rule]bool{}, e.certifiedRules(sv.ID)
	for _, r := range sv.Rules {
		if err := checkServiceRule(sv, r.Rule); err != nil {
			return err
		}
		if err := checkUncertified(r.Rule, certified); !sv.PEC && err != nil {
			return err
		}
		if strings.TrimSpace(r.Source) == "" {
			return invalid("give --source: the supplier's letter, a page", "an entry of a service says where it comes from")
		}
		if err := CheckText("the source", r.Source, 300); err != nil {
			return err
		}
		if seen[r.Rule] {
			return invalid("name it once", "%s stands twice in service %s", r.Rule, sv.ID)
		}
		seen[r.Rule] = true
	}
	for _, o := range sv.Eligible {
		if _, err := e.officeOf(o); err != nil {
			return err
		}
	}
	if sv.PEC {
		return e.checkUnopened(sv)
	}
	return nil
}

// checkServiceRule refuses what ParseRule would, and in a service of the web the names of mail, which it never opens (R3).
func checkServiceRule(sv *Service, r Rule) error {
	if r.Name == "" {
		return invalid("give a name (www.inps.it), *.name or .name", "service %s has an empty domain rule", sv.ID)
	}
	switch plain, _, err := ParseRule(r.String()); {
	case err != nil:
		return err
	case plain != r:
		return invalid("give the host alone: "+plain.String(), "%s is no domain rule", r)
	}
	if mail, _, _ := mailBase([]byte(r.Name), TypeA); mail && sv.Channel == Web {
		return invalid("make a service of the mail channel for it", "%s belongs to mail: a service of the web never opens it (R3)", r)
	}
	return nil
}

// RemoveService takes out a service of the town's own that nobody is granted.
type RemoveService struct {
	Based
	ID string `json:"id"`
}

// Kind names the change in the journal.
func (RemoveService) Kind() string { return "service.remove" }

// Apply makes the change; its body is a *Service, as it was.
func (c RemoveService) Apply(e *Edit) (Made, error) {
	sv, err := e.serviceOf(c.ID)
	if err != nil {
		return Made{}, err
	}
	switch err := c.check("service "+c.ID, sv.Version); {
	case err != nil:
		return Made{}, err
	case sv.Builtin:
		return Made{}, conflict("revoke its grants if nobody is to have it", "service %s is a built-in one", c.ID)
	case sv.used > 0:
		return Made{}, conflict("see `usciere grant list`, and revoke them first", "service %s has %d grants", c.ID, sv.used)
	}
	e.dropService(c.ID)
	return Made{Body: sv.Service}, e.tx.Delete(TableServices, c.ID)
}

// installCatalog brings the built-in services to what this version of the program knows, and on an empty store grants
// everyone the connectivity probes.
type installCatalog struct{ services []Service }

func (installCatalog) Kind() string { return "catalog.install" }

// Installed is what installing the catalog changed.
type Installed struct {
	Services []*Service `json:"services,omitempty"`
	Removed  []string   `json:"removed,omitempty"`
	Request  *Request   `json:"request,omitempty"`
	Grants   []*Grant   `json:"grants,omitempty"`
}

func (c installCatalog) Apply(e *Edit) (Made, error) {
	first := e.version == 1
	var out Installed
	for _, sv := range c.services {
		if old, ok := e.Service(sv.ID); ok && !old.Builtin {
			continue // the town's own of that name stays
		}
		kept, err := e.putService(sv)
		if err != nil {
			return Made{}, err
		}
		out.Services = append(out.Services, kept)
	}
	for _, old := range e.Services() {
		if old.Builtin && e.services[old.ID].used == 0 && !slices.ContainsFunc(catalog(), func(sv Service) bool { return sv.ID == old.ID }) {
			e.dropService(old.ID)
			if err := e.tx.Delete(TableServices, old.ID); err != nil {
				return Made{}, err
			}
			out.Removed = append(out.Removed, old.ID)
		}
	}
	if first {
		q := Request{
			Date: e.Today(), Reason: "connectivity probes, so that workstations know they are online", Services: []string{Connectivity},
			State: Approved, Decided: e.now.Truncate(time.Second), DecidedBy: e.who.Name,
		}
		var err error
		if out.Request, err = e.PutRequest(q); err != nil {
			return Made{}, err
		}
		g, err := e.putGrant(Grant{Subject: Subject{Everyone: true}, Service: Connectivity, Channel: Web, Request: out.Request.ID})
		if err != nil {
			return Made{}, err
		}
		out.Grants = []*Grant{g}
	}
	return Made{Body: out}, nil
}

// install applies installCatalog when the store's built-in services are not those of this program.
func (l *Live) install() error {
	var stale []Service
	known := map[string]bool{}
	s := l.Snapshot()
	for _, sv := range catalog() {
		known[sv.ID] = true
		if old, ok := s.Service(sv.ID); !ok || old.Builtin && !sameService(old, &sv) {
			stale = append(stale, sv)
		}
	}
	gone := slices.ContainsFunc(s.Services(), func(sv *Service) bool {
		return sv.Builtin && !known[sv.ID] && s.services[sv.ID].used == 0
	})
	if len(stale) == 0 && !gone {
		return nil
	}
	_, err := l.Apply(Actor{Name: "usciere", Via: "system"}, installCatalog{stale})
	return err
}

func sameService(a, b *Service) bool {
	return a.Title == b.Title && a.Channel == b.Channel && a.PEC == b.PEC && slices.Equal(a.Rules, b.Rules)
}
