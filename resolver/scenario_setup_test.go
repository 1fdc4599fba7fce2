package resolver

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"usciere/policy"
	"usciere/resolver/answercache"
	"usciere/resolver/blocklist"
	"usciere/resolver/dnstest"
	"usciere/resolver/upstream"
	"usciere/resolver/zone"
)

// sayings is what the settings of a scenario say.
type sayings struct {
	town     policy.Town
	sinkhole Sinkhole
	upstream upstream.Config
	cache    answercache.Config
	zones    []LocalZone
	identity Identity
	security []string // names of the list, a line each
}

func defaultSayings(zone *time.Location) sayings {
	long := 2 * asMuch
	return sayings{
		town:     policy.Town{Site: []netip.Prefix{netip.MustParsePrefix("127.10.0.0/16")}, Zone: zone},
		upstream: upstream.Config{RandomCase: true, TryTimeout: long, Timeout: long},
		cache:    answercache.Config{ClientTTL: 300},
	}
}

// keys are the settings that a scenario may give, by their names in the settings file. How to add one: an entry here.
var keys = map[string]func(s *sayings, values []string) error{
	"town.site": func(s *sayings, values []string) error { return parseAll(&s.town.Site, values, netip.ParsePrefix) },
	"sinkhole.mode": func(s *sayings, values []string) error {
		return s.sinkhole.Mode.UnmarshalText([]byte(values[0]))
	},
	"sinkhole.addresses": func(s *sayings, values []string) error {
		return parseAll(&s.sinkhole.Addresses, values, netip.ParseAddr)
	},
	"sinkhole.contact":     func(s *sayings, values []string) error { s.sinkhole.Contact = values[0]; return nil },
	"upstream.trusted":     func(s *sayings, values []string) error { return set(&s.upstream.Trusted, values, strconv.ParseBool) },
	"upstream.random_case": func(s *sayings, values []string) error { return set(&s.upstream.RandomCase, values, strconv.ParseBool) },
	"upstream.try_timeout": func(s *sayings, values []string) error {
		return set(&s.upstream.TryTimeout, values, time.ParseDuration)
	},
	"upstream.timeout":   func(s *sayings, values []string) error { return set(&s.upstream.Timeout, values, time.ParseDuration) },
	"upstream.in_flight": func(s *sayings, values []string) error { return set(&s.upstream.MaxInFlight, values, strconv.Atoi) },
	"cache.min_ttl":      func(s *sayings, values []string) error { return set(&s.cache.MinTTL, values, seconds) },
	"cache.max_ttl":      func(s *sayings, values []string) error { return set(&s.cache.MaxTTL, values, seconds) },
	"cache.negative_ttl": func(s *sayings, values []string) error { return set(&s.cache.NegativeMax, values, seconds) },
	"identity.nsid":      func(s *sayings, values []string) error { s.identity.NSID = values[0]; return nil },
	"security.list":      func(s *sayings, values []string) error { s.security = values; return nil }, // names instead of a file
	"cache.stale_max":    func(s *sayings, values []string) error { return set(&s.cache.StaleMax, values, seconds) },
	"cache.failure_min":  func(s *sayings, values []string) error { return set(&s.cache.FailureMin, values, seconds) },
	"cache.failure_max":  func(s *sayings, values []string) error { return set(&s.cache.FailureMax, values, seconds) },
	"cache.prefetch":     func(s *sayings, values []string) error { return set(&s.cache.Prefetch, values, strconv.ParseBool) },
	"upstream.strategy": func(s *sayings, values []string) error {
		s.upstream.Strategy = upstream.Strategy(values[0])
		return nil
	},
	"upstream.private": func(s *sayings, values []string) error {
		s.upstream.Outside = true // as the daemon has it; it is said here, since a scenario's servers may have any addresses
		s.upstream.Private = nil
		for _, text := range values {
			name, err := policy.ParseName(text)
			if err != nil {
				return err
			}
			s.upstream.Private = append(s.upstream.Private, string(name))
		}
		return nil
	},
	"cache.client_ttl": func(s *sayings, values []string) error { return set(&s.cache.ClientTTL, values, seconds) },
}

func set[T any](field *T, values []string, parse func(string) (T, error)) (err error) {
	*field, err = parse(values[0])
	return err
}

func parseAll[T any](field *[]T, values []string, parse func(string) (T, error)) error {
	var all []T
	for _, value := range values {
		v, err := parse(value)
		if err != nil {
			return err
		}
		all = append(all, v)
	}
	*field = all
	return nil
}

func seconds(text string) (uint32, error) {
	d, err := time.ParseDuration(text)
	return uint32(d / time.Second), err
}

func (s *scene) settings(step dnstest.Step) ([]string, error) {
	if len(step.Words) < 3 {
		return nil, errors.New("write settings KEY VALUE")
	}
	key := step.Words[1]
	read := keys[key]
	switch {
	case read == nil:
		return nil, fmt.Errorf("no scenario can set %q", key)
	case s.resolver != nil && strings.HasPrefix(key, "cache."):
		return nil, fmt.Errorf("%s takes a restart: set it before the first question", key)
	}
	if err := read(&s.said, step.Words[2:]); err != nil {
		return nil, err
	}
	if err := s.live.Reload(s.said.town); err != nil {
		return nil, err
	}
	return nil, s.reload()
}

// zone puts a local zone in place of what has its origin; one that does not load leaves all as it was.
func (s *scene) zone(step dnstest.Step) ([]string, error) {
	if len(step.Words) < 2 {
		return nil, errors.New("write zone ORIGIN")
	}
	var text strings.Builder
	for _, line := range step.Block {
		text.WriteString(line.Text + "\n")
	}
	origin, rest := step.Words[1], step.Words[2:]
	z, err := zone.Parse(origin, strings.NewReader(text.String()), origin+".zone")
	if err != nil {
		return refused(err), nil
	}
	next := LocalZone{Zone: z}
	gone := len(rest) == 1 && rest[0] == "gone"
	if !gone && len(rest) > 0 {
		if next.Offices, err = openFor(rest); err != nil {
			return nil, err
		}
	}
	at := slices.IndexFunc(s.said.zones, func(l LocalZone) bool { return l.Zone.Origin() == z.Origin() })
	switch {
	case gone && at < 0:
		return nil, fmt.Errorf("there is no zone %s", origin)
	case gone:
		s.said.zones = slices.Delete(slices.Clone(s.said.zones), at, at+1)
	case at < 0:
		s.said.zones = append(slices.Clone(s.said.zones), next)
	default:
		s.said.zones = slices.Clone(s.said.zones)
		s.said.zones[at] = next
	}
	return nil, s.reload()
}

// openFor reads "for anagrafe from 2026-11-01, tributi".
func openFor(words []string) (map[string]policy.Moment, error) {
	list, ok := strings.CutPrefix(strings.Join(words, " "), "for ")
	if !ok {
		return nil, errors.New("for which offices? zone ORIGIN for OFFICE from DAY, OFFICE")
	}
	offices := map[string]policy.Moment{}
	for item := range strings.SplitSeq(list, ",") {
		office, from, dated := strings.Cut(strings.TrimSpace(item), " from ")
		offices[office] = ""
		if dated {
			day, err := policy.ParseDay(from)
			if err != nil {
				return nil, err
			}
			offices[office] = day
		}
	}
	return offices, nil
}

// open opens the house, at the first question.
func (s *scene) open() {
	if s.resolver != nil {
		return
	}
	if !slices.ContainsFunc(s.actors, func(a *actor) bool { return a.zones == nil }) {
		s.actors = append(s.actors, &actor{Server: dnstest.Start(s, dnstest.Records()), name: "upstream"})
	}
	s.setup = s.makeSetup()
	s.cacheConfig = s.said.cache
	s.serve()
}

// reload takes settings over as the daemon does: a new setup, an empty cache.
func (s *scene) reload() error {
	if s.resolver == nil {
		return nil
	}
	s.setup = s.makeSetup()
	s.resolver.Use(s.setup)
	s.cache.Flush()
	return nil
}

func (s *scene) makeSetup() Setup {
	all, forwards := s.groups()
	out := Setup{
		Upstream: all, Zones: s.said.zones, Forwards: forwards, Sinkhole: s.said.sinkhole, ClientTTL: s.said.cache.ClientTTL, Identity: s.said.identity,
	}
	if len(s.said.security) > 0 {
		listed(s.TB, blocklist.New(quiet), strings.Join(s.said.security, "\n")+"\n")(&out)
	}
	return out
}
