package resolver

import (
	"encoding/binary"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"usciere/policy"
	"usciere/resolver/owners"
	"usciere/resolver/wire"
)

// Owners are to whom the aliases of granted names lead.
func (r *Resolver) Owners() *owners.Memory { return r.owners }

// RememberOwners gives the resolver what was remembered before; it goes before the first question.
func (r *Resolver) RememberOwners(m *owners.Memory) { r.owners = m }

// noteOwners notes to whom a granted name leads, by an answer of the servers, and says when that is somebody new. What a role without
// limits asks, or a forward answers, is nobody's grant.
func (r *Resolver) noteOwners(name policy.Name, way Route, msg []byte, at time.Time) {
	if way.Verdict.Reason != policy.Granted || way.Through != "" || way.Forward != "" || binary.BigEndian.Uint16(msg[6:]) == 0 {
		return
	}
	byItself := way.Verdict.Rule([]byte(name)).Kind == policy.Exact
	var m dns.Msg
	if has := wire.HasAlias(msg); !has && !byItself || has && m.Unpack(msg) != nil {
		return
	}
	var led []string
	for _, rr := range m.Answer {
		alias, ok := rr.(*dns.CNAME)
		if !ok {
			continue
		}
		target, err := policy.ParseName(alias.Target)
		if err != nil || target == policy.Root {
			continue
		}
		if owner := target.Owner(); owner != name.Owner() && !slices.Contains(led, owner) {
			led = append(led, owner)
		}
	}
	if fresh, before := r.owners.Note(name, led, byItself, at); len(fresh) > 0 {
		slog.Warn("a granted name leads to another owner: see `usciere alias list`",
			"name", name.String(), "owner", strings.Join(fresh, ", "), "before", strings.Join(before, ", "))
	}
}
