package resolver

import (
	"net/netip"
	"testing"

	"usciere/policy"
	"usciere/resolver/upstream"
)

// What was kept under other settings is given under these only where they change nothing of the answers.
func TestAGroupsNumberIsOfAllThatItsAnswersDependOn(t *testing.T) {
	one, other := netip.MustParseAddrPort("192.0.2.1:53"), netip.MustParseAddrPort("192.0.2.2:53")
	plain := upstream.Config{Name: "upstream", Servers: []netip.AddrPort{one}, Outside: true}
	number := func(change func(*upstream.Config), zones ...policy.Name) uint64 {
		cfg := plain
		change(&cfg)
		g := upstream.New(cfg)
		defer g.Close()
		return numberOf(zones, g)
	}
	was := number(func(*upstream.Config) {})
	for what, change := range map[string]func(*upstream.Config){
		"another server":           func(c *upstream.Config) { c.Servers = []netip.AddrPort{other} },
		"one more":                 func(c *upstream.Config) { c.Servers = append(c.Servers, other) },
		"its AD bit is believed":   func(c *upstream.Config) { c.Trusted = true },
		"without ECH":              func(c *upstream.Config) { c.WithoutECH = true },
		"a domain may be private":  func(c *upstream.Config) { c.Private = []string{"\x03vpn\x02it\x00"} },
		"it may be private itself": func(c *upstream.Config) { c.Outside = false },
		"over TLS": func(c *upstream.Config) {
			c.Secure = map[netip.AddrPort]upstream.Secure{one: {Over: upstream.TLS, Name: "dns.example"}}
		},
	} {
		if number(change) == was {
			t.Errorf("%s: the same number", what)
		}
	}
	if number(func(*upstream.Config) {}, "\x02ad\x02it\x00") == was {
		t.Error("of other zones: the same number")
	}
	for what, change := range map[string]func(*upstream.Config){
		"another name":     func(c *upstream.Config) { c.Name = "other" },
		"another strategy": func(c *upstream.Config) { c.Strategy = upstream.Fastest },
	} {
		if number(change) != was {
			t.Errorf("%s: another number", what)
		}
	}
	private := func(domains ...string) uint64 { return number(func(c *upstream.Config) { c.Private = domains }) }
	if private("\x01a\x00", "\x01b\x00") != private("\x01b\x00", "\x01a\x00") {
		t.Error("the order of domains makes another number")
	}
}
