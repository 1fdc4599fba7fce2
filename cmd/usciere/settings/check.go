package settings

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Check reports what is wrong with settings that were changed after they were
// read, as by flags. The error is a Problems without positions.
func (s Settings) Check() error {
	r := &report{}
	s.check(r)
	return r.err()
}

func (s Settings) check(r *report) {
	for _, k := range allKeys(reflect.ValueOf(&s).Elem(), key{}) {
		r.tags(k)
	}
	r.town(s.Town)
	for i, l := range s.Listen {
		if _, err := ParseListen(l); err != nil {
			r.key(index("listen", i), "%s", err)
		}
	}
	once(r, "listen", s.Listen)
	r.paths(s)
	once(r, "upstream.servers", s.Upstream.Servers)
	once(r, "upstream.same_case", s.Upstream.SameCase)
	if s.Upstream.TryTimeout > s.Upstream.Timeout {
		r.key("upstream.try_timeout", "%s is longer than upstream.timeout, %s", formatDuration(s.Upstream.TryTimeout), formatDuration(s.Upstream.Timeout))
	}
	r.domains(s)
	r.sinkhole(s.Sinkhole)
	r.portal(s.Portal)
	for i, l := range s.Metrics.Listen {
		if _, err := ParseListen(l); err != nil {
			r.key(index("metrics.listen", i), "%s", err)
		}
	}
	once(r, "metrics.listen", s.Metrics.Listen)
	r.path("identity.cookie_secret_file", s.Identity.Secret)
	r.tls(s)
	r.dhcp(s.DHCP)
	r.front(s.Front)
	r.secure(s)
	r.security(s.Security)
	r.letters(s.Letters)
	r.mail(s.Mail)
	r.line("identity.nsid", s.Identity.NSID, 128)
	r.cache(s.Cache)
	if s.TCP.PerClient > s.TCP.Connections {
		r.key("tcp.per_client", "%d is more than tcp.connections, %d", s.TCP.PerClient, s.TCP.Connections)
	}
}

// tags checks a value against the tags of its field.
func (r *report) tags(k key) {
	v := k.value
	if k.tag.Get("required") != "" && (v.Kind() == reflect.String || v.Kind() == reflect.Slice) && v.Len() == 0 {
		expected := k.typeName()
		if v.Kind() == reflect.Slice {
			expected = "a " + expected
		}
		r.key(k.path, "expected %s, found nothing", expected)
	}
	leftOut := v.IsZero() && k.tag.Get("def") != ""
	if choices := strings.Fields(k.tag.Get("oneof")); len(choices) > 0 && !leftOut && !slices.Contains(choices, v.String()) {
		r.key(k.path, "%s is none of %s", quoteShort(v.String()), strings.Join(choices, ", "))
	}
	if least := k.tag.Get("min"); least != "" {
		if v.Int() < bound(v.Type(), least) || v.Int() > bound(v.Type(), k.tag.Get("max")) {
			r.key(k.path, "%s is not from %s to %s", format(v), least, k.tag.Get("max"))
		}
	}
}

// bound is the value of a min or max tag, written like a value of the type.
func bound(t reflect.Type, text string) int64 {
	v, err := kinds[t].parse(text)
	if err != nil {
		panic(fmt.Sprintf("bound of a %s: %s", t, err)) // a tag of this package; every test meets it
	}
	return reflect.ValueOf(v).Int()
}

func (r *report) town(t Town) {
	r.line("town.name", t.Name, 100)
	if _, err := time.LoadLocation(t.Timezone); err != nil || t.Timezone == "Local" {
		r.key("town.timezone", "%s is not the IANA name of a time zone, such as Europe/Rome", quoteShort(t.Timezone))
	}
	for i, p := range t.Site {
		if p.Bits() == 0 {
			r.key(index("town.site", i), "%s would answer everyone: name the town's own networks", p)
		}
	}
}

// paths checks what Load has not resolved yet as well as what it has.
func (r *report) paths(s Settings) {
	r.path("state", s.State)
	r.path("admin.socket", s.Admin.Socket)
	if len(s.Admin.Socket) > maxSocketPath {
		r.key("admin.socket", "%d octets are too long for a Unix socket: at most %d", len(s.Admin.Socket), maxSocketPath)
	}
	for i, z := range s.Zones {
		r.path(index("zones", i)+".file", z.File)
	}
	r.line("admin.group", s.Admin.Group, 64)
	r.line("admin.viewers", s.Admin.Viewers, 64)
	r.line("admin.head", s.Admin.Head, 64)
}

func (r *report) path(key, path string) {
	if strings.HasPrefix(path, "~") {
		r.key(key, "~ is not expanded here: write the whole path")
	}
	if strings.ContainsRune(path, 0) {
		r.key(key, "a path has no NUL octet")
	}
}

// line checks text that is shown on one line, of at most most octets.
func (r *report) line(key, text string, most int) {
	if len(text) > most {
		r.key(key, "%d octets are too long: at most %d", len(text), most)
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		r.key(key, "expected text on one line, without control characters")
	}
}

// domains checks forwards and zones, which share one space of names.
func (r *report) domains(s Settings) {
	first := map[string]string{} // domain, folded → key that has it
	var domain func(path, name string)
	domain = func(path, name string) {
		if name == "" {
			return // required, and reported as such
		}
		if strings.Contains(name, "/") && strings.HasPrefix(path, "forwards") {
			zones, err := reverseZones(name)
			if err != nil {
				r.key(path, "%s", err)
			}
			for _, zone := range zones {
				domain(path, zone)
			}
			return
		}
		folded, err := checkDomain(name)
		if err != nil {
			r.key(path, "%s", err)
			return
		}
		if other, taken := first[folded]; taken {
			r.key(path, "%s is already %s", quoteShort(name), other)
			return
		}
		first[folded] = path
	}
	for i, f := range s.Forwards {
		path := index("forwards", i)
		for j, name := range f.Zones {
			domain(index(path+".zones", j), name)
		}
		once(r, path+".servers", f.Servers)
	}
	for i, z := range s.Zones {
		path := index("zones", i)
		domain(path+".name", z.Name)
		if (z.File == "") == (len(z.Records) == 0) {
			r.key(path, "expected either file or records")
		}
		if _, given := r.where[path+".offices"]; given && len(z.Offices) == 0 { // an empty list must not open what was closed
			r.key(path+".offices", "no office is named: leave the key out to open the zone to every office, or take the zone out")
		}
		offices := map[string]bool{}
		for j, o := range z.Offices {
			if offices[o.Office] {
				r.key(index(path+".offices", j), "office %s is named twice", quoteShort(o.Office))
			}
			offices[o.Office] = true
		}
	}
}

// checkDomain refuses what cannot be a zone's name and folds the rest for
// comparison: lower case, no dot at the end. Names beyond ASCII pass: how they
// are encoded is the policy's business.
func checkDomain(name string) (string, error) {
	folded := strings.ToLower(strings.TrimSuffix(name, "."))
	bad := func(why string) (string, error) {
		return "", fmt.Errorf("%s is not a domain: %s", quoteShort(name), why)
	}
	switch {
	case folded == "":
		return bad("expected a name such as ad.comune.example.it; for all names there is upstream.servers")
	case len(folded) > 253: // RFC 1035 §2.3.4: 255 octets on the wire
		return bad("longer than 253 octets")
	}
	for label := range strings.SplitSeq(folded, ".") {
		switch {
		case label == "":
			return bad("a label is empty")
		case len(label) > 63: // RFC 1035 §2.3.4
			return bad("a label is longer than 63 octets")
		}
		for _, c := range label {
			if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !unicode.IsMark(c) && !strings.ContainsRune("-_/", c) {
				return bad(fmt.Sprintf("%q is not part of a name", c))
			}
		}
	}
	return folded, nil
}

func (r *report) sinkhole(s Sinkhole) {
	if len(s.Addresses) > 8 {
		r.key("sinkhole.addresses", "%d addresses are too many: at most 8", len(s.Addresses))
	}
	for i, a := range s.Addresses {
		if a.IsUnspecified() || a.IsMulticast() {
			r.key(index("sinkhole.addresses", i), "%s is not the address of a page", a)
		}
	}
	once(r, "sinkhole.addresses", s.Addresses)
	r.line("sinkhole.contact", s.Contact, 120)
}

func (r *report) portal(p Portal) {
	if p.Name != "" {
		if _, err := checkDomain(p.Name); err != nil {
			r.key("portal.name", "%s", err)
		}
	}
	for _, list := range []struct {
		key   string
		addrs []string
	}{{"portal.listen", p.Listen}, {"portal.https", p.HTTPS}} {
		for i, l := range list.addrs {
			if _, err := ParseListen(l); err != nil {
				r.key(index(list.key, i), "%s", err)
			}
		}
		once(r, list.key, list.addrs)
	}
	for i, l := range p.HTTPS {
		if slices.Contains(p.Listen, l) && !strings.HasSuffix(l, ":0") {
			r.key(index("portal.https", i), "%s is in portal.listen already", l)
		}
	}
}

// unrestricted are the roles that live without grants.
var unrestricted = []string{"manager", "secretary-general", "council-president", "elected-official"}

func (r *report) security(s Security) {
	if len(s.Files) > 32 {
		r.key("security.files", "%d lists are too many: at most 32", len(s.Files))
	}
	for i, file := range s.Files {
		path := index("security.files", i)
		r.path(path, file)
		r.line(path, file, 4096)
		if file == "" {
			r.key(path, "expected the path of a file, found nothing")
		}
	}
	once(r, "security.files", s.Files)
	for i, role := range s.Roles {
		if !slices.Contains(unrestricted, role) {
			r.key(index("security.roles", i), "%s is none of %s: the other roles live by their grants", quoteShort(role), strings.Join(unrestricted, ", "))
		}
	}
	once(r, "security.roles", s.Roles)
}

func (r *report) cache(c Cache) {
	v := reflect.ValueOf(&c).Elem()
	for _, k := range keysOf(v, key{path: "cache"}) {
		if d, ok := k.value.Interface().(time.Duration); ok && d%time.Second != 0 {
			r.key(k.path, "%s is not in whole seconds", formatDuration(d))
		}
	}
	for _, most := range []struct {
		name string
		ttl  time.Duration
	}{{"cache.max_ttl", c.MaxTTL}, {"cache.negative_ttl", c.NegativeTTL}} {
		if c.MinTTL > most.ttl {
			r.key("cache.min_ttl", "%s is longer than %s, %s", formatDuration(c.MinTTL), most.name, formatDuration(most.ttl))
		}
	}
	if c.FailureMin > c.FailureMax {
		r.key("cache.failure_min", "%s is longer than cache.failure_max, %s", formatDuration(c.FailureMin), formatDuration(c.FailureMax))
	}
}

// once reports elements of a list that are given again.
func once[T comparable](r *report, path string, values []T) {
	first := map[T]int{}
	for i, element := range values {
		if j, again := first[element]; again {
			r.key(index(path, i), "%v is given twice, first as %s", element, index(path, j))
			continue
		}
		first[element] = i
	}
}
