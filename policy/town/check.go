package town

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"usciere/policy"
)

// maxProblems fill a screen.
const maxProblems = 20

func (d *differ) problem(path, hint, format string, args ...any) {
	d.problems = append(d.problems, policy.Problem{Path: path, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// problemOf places a refusal.
func problemOf(path string, err error) policy.Problem {
	var refusal *policy.Error
	if errors.As(err, &refusal) {
		return policy.Problem{Path: path, Message: refusal.Message, Hint: refusal.Hint}
	}
	return policy.Problem{Path: path, Message: err.Error()}
}

// at is the path of an element or entry of what is at a path.
func at(path string, key any) string {
	if i, ok := key.(int); ok {
		return fmt.Sprintf("%s[%d]", path, i)
	}
	return fmt.Sprintf("%s.%v", path, key)
}

// check finds what is wrong with the document by itself; the changes that come of it find the rest when they are made. It
// returns the grants, with what they leave out filled in.
func (d *differ) check() ([]*wanted, error) {
	d.checkSettings()
	d.checkOffices()
	d.checkTokens()
	for _, id := range slices.Sorted(maps.Keys(d.next.Services)) {
		_, problems := d.next.Services[id].change(id)
		d.problems = append(d.problems, problems...)
	}
	var grants []*wanted
	first := map[string]string{}
	for i, g := range d.next.Grants {
		w, ok := d.understand(g, at("grants", i))
		if !ok || d.past(w) {
			continue
		}
		if other, twice := first[w.key()]; twice {
			d.problem(w.path, "write it once", "it is the same as %s", other)
			continue
		}
		first[w.key()] = w.path
		grants = append(grants, w)
	}
	err := d.letters(grants)
	d.problems = d.problems[:min(len(d.problems), maxProblems)]
	return grants, err
}

// checkSettings warns of what the document says otherwise than the settings, which it cannot change.
func (d *differ) checkSettings() {
	town := d.rules.Town()
	warn := func(path, setting, is string) {
		d.Warnings = append(d.Warnings, policy.Problem{
			Path: path, Message: "the daemon's settings have " + is, Hint: "the settings file changes it, at " + setting,
		})
	}
	if d.doc.Town != "" && d.doc.Town != d.Town {
		warn("town", "town.name", d.Town)
	}
	if zone := town.Zone.String(); d.doc.Timezone != "" && d.doc.Timezone != zone {
		warn("timezone", "town.timezone", zone)
	}
	if sites := many("", d.doc.Site, text); len(sites.is) > 0 {
		is := many("", town.Site, text)
		if len(without(is.is, sites.is))+len(without(sites.is, is.is)) > 0 {
			warn("site", "town.site", listed("", is.is))
		}
	}
}

func (d *differ) checkOffices() {
	owner := map[netip.Prefix]ID{}
	for _, id := range slices.Sorted(maps.Keys(d.next.Offices)) {
		for i, p := range d.next.Offices[id].Networks {
			if other, taken := owner[p]; taken {
				d.problem(at(at("offices", id)+".networks", i), "one network has one owner; a smaller prefix inside it is fine", "%s belongs to %s", p, other)
			}
			owner[p] = id
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.next.Seats)) {
		if office := d.next.Seats[id].Office; d.next.Offices[ID(office)].Name == "" {
			d.problem(at("seats", id)+".office", "enter it below offices", "there is no office %q", office)
		}
	}
	for _, addr := range slices.SortedFunc(maps.Keys(d.next.Hosts), netip.Addr.Compare) {
		if office := d.next.Hosts[addr].Office; office != "" && d.next.Offices[ID(office)].Name == "" {
			d.problem(at("hosts", addr)+".office", "enter it below offices", "there is no office %q", office)
		}
	}
}

func (d *differ) checkTokens() {
	entered := func(addr netip.Addr) bool {
		if _, listed := d.next.Hosts[addr]; listed {
			return true
		}
		for _, seat := range d.next.Seats {
			if slices.ContainsFunc(seat.Hosts, func(w Workstation) bool { return w.Addr == addr }) {
				return true
			}
		}
		return false
	}
	known := map[policy.Hash]ID{}
	for _, id := range slices.Sorted(maps.Keys(d.next.Tokens)) {
		t, path := d.next.Tokens[id], at("tokens", id)
		if _, ok := d.next.Seats[ID(t.Seat)]; t.Seat != "" && !ok {
			d.problem(at(path, "seat"), "enter it below seats, or leave the token out", "there is no seat %q", t.Seat)
		}
		if t.Host.IsValid() && !entered(t.Host) {
			d.problem(at(path, "host"), "enter it below hosts, or leave the token out", "there is no host %s", t.Host)
		}
		if other, taken := known[t.Hash]; taken {
			d.problem(at(path, "hash"), "use another secret or certificate for each", "the token %s is known by it", other)
		}
		known[t.Hash] = id
	}
}

// Place names the part of the document that a change was refused for. Other errors pass.
func (p *Plan) Place(err error) error {
	var change *policy.ChangeError
	var refusal *policy.Error
	if !errors.As(err, &change) || !errors.As(err, &refusal) || change.Index >= len(p.origins) {
		return err
	}
	from := p.origins[change.Index]
	i := max(slices.IndexFunc(from, func(o origin) bool { return o.text != "" && strings.Contains(refusal.Message, o.text) }), 0)
	path := narrow(reflect.ValueOf(*p.doc), "", from[i].path, refusal.Message)
	return &policy.Error{Code: refusal.Code, Message: refusal.Message, Hint: refusal.Hint, Problems: []policy.Problem{problemOf(path, refusal)}}
}

// below says whether a path is another, or of something in it.
func below(path, other string) bool {
	rest, ok := strings.CutPrefix(path, other)
	return ok && (rest == "" || other == "" || rest[0] == '.' || rest[0] == '[')
}

// narrow finds, below a path of a value, the text that a message quotes: the longest of them, else the path itself.
func narrow(v reflect.Value, here, path, message string) string {
	best, length := path, 2 // shorter ones stand in any message
	var walk func(v reflect.Value, here string)
	walk = func(v reflect.Value, here string) {
		if !below(here, path) && !below(path, here) {
			return
		}
		for v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		if text, ok := v.Interface().(fmt.Stringer); ok || v.Kind() == reflect.String {
			value := v.String()
			if ok {
				value = text.String()
			}
			if below(here, path) && len(value) > length && strings.Contains(message, value) {
				best, length = here, len(value)
			}
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
				walk(v.Field(i), strings.TrimPrefix(here+"."+name, "."))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(v.MapIndex(key), at(here, key.Interface()))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i), at(here, i))
			}
		}
	}
	walk(v, here)
	return best
}
