package resolver

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"usciere/policy"
	"usciere/resolver/dnstest"
	"usciere/resolver/upstream"
)

// actor is an upstream server of a scenario.
type actor struct {
	*dnstest.Server
	name    string        // of the statements, such as "upstream b" or "forward ad.comune.test"
	zones   []policy.Name // of a forward
	truth   dnstest.Handler
	scripts map[dnstest.Transport]dnstest.Handler
	held    chan struct{} // closed when its replies may go; nil: they may
	seen    int           // queries already told of
}

// verbs begin what is said of a server.
var verbs = []string{"sends", "over", "holds", "lets", "dies", "was"}

// server is what upstream and forward say.
func (s *scene) server(step dnstest.Step) ([]string, error) {
	at := slices.IndexFunc(step.Words, func(w string) bool { return slices.Contains(verbs, w) })
	if at < 0 {
		at = len(step.Words)
	}
	a, err := s.actor(step.Words[:at])
	if err != nil {
		return nil, err
	}
	switch said := strings.Join(step.Words[at:], " "); {
	case said == "":
		return nil, a.setRecords(step.Block)
	case said == "holds":
		if a.held == nil {
			a.held = make(chan struct{})
		}
		a.perform()
	case said == "lets go":
		a.letGo()
		s.settle()
	case said == "dies":
		a.Close()
	case said == "was asked" && len(step.Expects) > 0:
		return a.asked(len(step.Expects)), nil
	case said == "was not asked":
		return a.asked(0), nil
	case strings.HasPrefix(said, "over tcp sends"):
		return nil, a.setScript(dnstest.TCP, strings.TrimPrefix(said, "over tcp sends"), step.Block)
	case strings.HasPrefix(said, "sends"):
		return nil, a.setScript(dnstest.UDP, strings.TrimPrefix(said, "sends"), step.Block)
	default:
		return nil, errors.New("a server sends LINE, over tcp sends LINE, holds, lets go, dies, was asked (and what), was not asked")
	}
	return nil, nil
}

// actor finds the server that these words name, or starts it.
func (s *scene) actor(words []string) (*actor, error) {
	name := strings.Join(words, " ")
	for _, a := range s.actors {
		if a.name == name {
			return a, nil
		}
	}
	a := &actor{name: name, truth: dnstest.Records(), scripts: map[dnstest.Transport]dnstest.Handler{}}
	if words[0] == "forward" {
		for _, word := range words[1:] {
			zone, err := policy.ParseName(word)
			if err != nil {
				return nil, err
			}
			a.zones = append(a.zones, zone)
		}
		if len(a.zones) == 0 {
			return nil, errors.New("which zones are forwarded?")
		}
	} else if len(words) > 2 {
		return nil, fmt.Errorf("%q is one word too much for a server", words[2])
	}
	a.Server = dnstest.Start(s, a.truth)
	s.actors = append(s.actors, a)
	return a, s.reload()
}

// setRecords gives a server its records, which it tells truthfully until a script says otherwise.
func (a *actor) setRecords(block []dnstest.Line) error {
	var records []string
	for _, line := range block {
		if _, err := dnstest.ParseRecord(line.Text); err != nil {
			return fmt.Errorf("line %d: %w", line.Number, err)
		}
		records = append(records, line.Text)
	}
	a.truth = dnstest.Records(records...)
	clear(a.scripts)
	a.perform()
	return nil
}

func (a *actor) setScript(over dnstest.Transport, first string, block []dnstest.Line) (err error) {
	var lines []string
	if first = strings.TrimSpace(first); first != "" {
		lines = append(lines, first)
	}
	for _, line := range block {
		lines = append(lines, line.Text)
	}
	if len(lines) == 0 {
		return errors.New("what does it send?")
	}
	a.scripts[over], err = dnstest.Script(a.truth, lines)
	a.perform()
	return err
}

// perform puts records, scripts and holding into the server.
func (a *actor) perform() {
	truth, udp, tcp, held := a.truth, a.scripts[dnstest.UDP], a.scripts[dnstest.TCP], a.held
	a.SetHandler(func(q dnstest.Query) []dnstest.Send {
		handler := udp
		if q.Transport == dnstest.TCP {
			handler = tcp
		}
		if handler == nil {
			handler = truth
		}
		sends := handler(q)
		if held != nil {
			for i := range sends {
				sends[i] = sends[i].After(held)
			}
		}
		return sends
	})
}

func (a *actor) letGo() {
	if a.held != nil {
		close(a.held)
		a.held = nil
		a.perform()
	}
}

// asked is what the server was asked since it was last said. So many questions are waited for: who is asked aside may hear it after the reply.
func (a *actor) asked(many int) (lines []string) {
	for end := time.Now().Add(2 * time.Second); len(a.Queries()) < a.seen+many && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	all := a.Queries()
	for _, q := range all[a.seen:] {
		lines = append(lines, q.String())
	}
	a.seen = len(all)
	return lines
}

func (s *scene) holding() bool {
	return slices.ContainsFunc(s.actors, func(a *actor) bool { return a.held != nil })
}

// groups makes upstream groups of the servers, as the settings have them: the one for all names, and the forwards.
func (s *scene) groups() (all *upstream.Group, forwards []Forward) {
	var servers []netip.AddrPort
	for _, a := range s.actors {
		if a.zones == nil {
			servers = append(servers, a.Addr)
			continue
		}
		forwards = append(forwards, Forward{Zones: a.zones, Group: s.newGroup(a.name, false, a.Addr)})
	}
	return s.newGroup("upstream", s.said.upstream.Outside, servers...), forwards
}

func (s *scene) newGroup(name string, outside bool, servers ...netip.AddrPort) *upstream.Group {
	cfg := s.said.upstream
	cfg.Outside = outside
	cfg.Name, cfg.Servers, cfg.Now = name, servers, s.clock.Now
	g := upstream.New(cfg)
	s.Cleanup(g.Close)
	return g
}
