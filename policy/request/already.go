package request

import (
	"fmt"
	"time"

	"usciere/policy"
)

// Already says by which grant an office has already what it asks for; empty when it has not. Grants of the request except
// do not count: those that a renewal takes the place of.
func Already(rules *policy.Snapshot, r policy.Records, now time.Time, office string, a *Asked, except policy.RequestID) (string, error) {
	if a.Service != nil {
		return alreadyService(rules, r, now, office, a.Service.ID, except)
	}
	c, ok := rules.Employee(office)
	if !ok {
		return "", nil
	}
	t := policy.TypeA
	if a.Channel == policy.Mail {
		t = policy.TypeMX
	}
	name := []byte(a.Rule.Name)
	v := rules.Decide(&c, name, t, now)
	if v.Reason != policy.Granted || !a.Rule.Within(v.Rule(name)) {
		return "", nil
	}
	g, err := r.Grant(v.Grant)
	if err != nil || g.Request == except {
		return "", err
	}
	return has(r, a.Text, g)
}

func alreadyService(rules *policy.Snapshot, r policy.Records, now time.Time, office, service string, except policy.RequestID) (text string, err error) {
	failed := r.EachGrantOf(policy.Subject{Office: office}, func(g *policy.Grant) bool {
		if g.Service == service && g.Request != except && (g.Until == "" || now.Before(g.Until.End(rules.Town().Zone))) {
			text, err = has(r, service, g)
		}
		return text == "" && err == nil
	})
	if failed != nil {
		return "", failed
	}
	return text, err
}

func has(r policy.Records, what string, g *policy.Grant) (string, error) {
	q, err := r.Request(g.Request)
	if err != nil {
		return "", err
	}
	until := ""
	if g.Until != "" {
		until = " until " + string(g.Until)
	}
	return fmt.Sprintf("%s: %s already has it%s by %s (%s), request %s", what, g.Subject, until, g.ID, g.Opens(), q.Label()), nil
}
