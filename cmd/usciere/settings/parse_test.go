package settings

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseNamesTheProblemAndItsPlace(t *testing.T) {
	tests := []struct {
		name, file, want string
	}{
		{"an unknown key near a known one", "lisen: [\":53\"]", `1:1: unknown key "lisen": did you mean listen?`},
		{"a key with hyphens", "cache:\n  max-ttl: 1h", `2:3: unknown key "max-ttl" in cache: did you mean max_ttl?`},
		{"a key of another section", "\nmode: page", `2:1: unknown key "mode": did you mean sinkhole.mode?`},
		{"an unknown key like no other", "log: {colour: red}", `1:7: unknown key "colour" in log: expected one of level, format`},
		{"a key that is not text", "[a]: b", "1:4: not YAML: found an invalid key for this map"},
		{"an unknown key in a list", "forwards:\n  - zone: [a.it]\n    servers: [10.0.0.1]\n", `2:5: unknown key "zone" in forwards[0]: did you mean zones?`},
		{"a key given twice", "log: {}\ntcp: {}\nlog: {}", "3:1: log: given twice, first on line 1"},

		{"text for a list", "listen: \":53\"", `1:9: listen: expected a list, such as [a, b], found ":53"`},
		{"a list for a mapping", "town: [a]", "1:7: town: expected keys and values, such as key: value, found a list"},
		{"text for a mapping", "sinkhole: page", `1:11: sinkhole: expected keys and values, such as key: value, found "page"`},
		{"a list for a value", "town:\n  name: [a]", "2:9: town.name: expected one value (text), found a list"},
		{"a mapping for a value", "town:\n  name:\n    a: b", "3:5: town.name: expected one value (text), found a mapping"},
		{"a list for the file", "- a", "1:1: the file: expected keys and values, such as key: value, found a list"},
		{"text for the file", "usciere", `1:1: the file: expected keys and values, such as key: value, found "usciere"`},
		{"text for a number", "upstream: {in_flight: many}", `1:23: upstream.in_flight: "many" is not a whole number`},
		{"a fraction for a number", "upstream: {in_flight: 1.5}", `1:23: upstream.in_flight: "1.5" is not a whole number`},
		{"yes for true", "upstream:\n  trusted: yes", `2:12: upstream.trusted: "yes" is neither true nor false`},
		{"a bare number for a duration", "tcp: {idle: 10}", `1:13: tcp.idle: "10" has no unit: for seconds write 10s`},
		{"text for a duration", "tcp: {idle: soon}", `1:13: tcp.idle: "soon" is not a duration: write a number with its unit, such as 300s, 5m or 1.2s`},
		{"a decimal unit for a size", "cache: {memory: 64MB}", `1:17: cache.memory: "64MB" is not a size: write a whole number with KiB, MiB or GiB, such as 64MiB`},
		{"an empty list element", "listen:\n  - \":53\"\n  -\n", "3:5: listen[1]: empty"},
		{"several empty list elements", "listen:\n  -\n  -\n", "2:3: an empty list element"},

		{"a choice that there is not", "sinkhole:\n  mode: blok", `2:9: sinkhole.mode: "blok" is none of page, nxdomain, nodata, zero, refused`},
		{"a number over its bound", "cache: {entries: 99999999}", "1:18: cache.entries: 99999999 is not from 100 to 10000000"},
		{"a duration under its bound", "tcp:\n  idle: 100ms", "2:9: tcp.idle: 100ms is not from 1s to 2m"},
		{"a size under its bound", "cache: {memory: 1KiB}", "1:17: cache.memory: 1KiB is not from 1MiB to 64GiB"},
		{"an empty text where one is needed", "town: {name: \"\"}", "1:14: town.name: expected text, found nothing"},
		{"an empty list where one is needed", "listen: []", "1:9: listen: expected a list of texts, found nothing"},
		{"a needed key left out", "forwards:\n  - zones: [ad.it]\n", "2:5: forwards[0].servers: expected a list of servers, found nothing"},

		{"a time zone that there is not", "town: {timezone: Europe/Massa}", `1:18: town.timezone: "Europe/Massa" is not the IANA name of a time zone, such as Europe/Rome`},
		{"the third prefix of a list", "town:\n  site: [10.0.0.0/8, 172.16.0.0/12, 10.20/16]", `2:37: town.site[2]: "10.20/16" is not a prefix: write address/length, such as 10.20.0.0/16`},
		{"the second prefix of a block list", "town:\n  site:\n    - 10.0.0.0/8\n    - 10.20.1.5/16\n", `4:7: town.site[1]: "10.20.1.5/16" has bits set beyond its length: write 10.20.0.0/16`},
		{"an address for a prefix", "town: {site: [10.0.0.1]}", `1:15: town.site[0]: "10.0.0.1" has no prefix length: for that address alone write 10.0.0.1/32`},
		{"a mapped prefix", "town: {site: [\"::ffff:10.0.0.0/104\"]}", `1:15: town.site[0]: "::ffff:10.0.0.0/104" is an IPv4-mapped prefix: write it as IPv4`},
		{"a site of everyone", "town: {site: [0.0.0.0/0]}", "1:15: town.site[0]: 0.0.0.0/0 would answer everyone: name the town's own networks"},
		{"a column after letters beyond ASCII", "town: {name: Forlì è città, site: [x]}", `1:36: town.site[0]: "x" is not a prefix: write address/length, such as 10.20.0.0/16`},
		{"lines that end in CR LF", "town:\r\n  name: a\r\n  site: [x]\r\n", `3:10: town.site[0]: "x" is not a prefix: write address/length, such as 10.20.0.0/16`},
		{"a name to listen on", "listen: [\"localhost:53\"]", `1:10: listen[0]: "localhost:53" is not address:port: give an address of this machine, not a name`},
		{"no port to listen on", "listen: [127.0.0.1]", `1:10: listen[0]: "127.0.0.1" has no port: write address:port or :port, such as 127.0.0.1:53, [::1]:53 or :53`},
		{"a port out of range", "listen: [\":65536\"]", `1:10: listen[0]: ":65536": port "65536" is not a number from 0 to 65535`},
		{"an address to listen on twice", "listen: [\":53\", \":53\"]", `1:17: listen[1]: :53 is given twice, first as listen[0]`},
		{"a path with a tilde", "state: ~/state", "1:8: state: ~ is not expanded here: write the whole path"},
		{"a socket path that is too long", "admin: {socket: /" + strings.Repeat("x", 107) + "}", "1:17: admin.socket: 108 octets are too long for a Unix socket: at most 107"},

		{"a host name for a server", "upstream: {servers: [dns.example.it]}", `1:22: upstream.servers[0]: "dns.example.it" is not an address: give an address, such as 10.0.0.53 or [2001:db8::53]:5353, not a name`},
		{"a server twice", "upstream:\n  servers:\n    - 10.0.0.1\n    - 10.0.0.1:53\n", "4:7: upstream.servers[1]: 10.0.0.1:53 is given twice, first as upstream.servers[0]"},
		{"a strategy nobody knows", "upstream: {strategy: random}", `1:22: upstream.strategy: "random" is none of strict, fastest, parallel`},
		{"a forward's strategy nobody knows", "forwards: [{zones: [a.it], servers: [10.0.0.1], strategy: first}]", `1:59: forwards[0].strategy: "first" is none of strict, fastest, parallel`},
		{"a server left out twice", "upstream: {same_case: [10.0.0.1, 10.0.0.1]}", "1:34: upstream.same_case[1]: 10.0.0.1:53 is given twice, first as upstream.same_case[0]"},
		{"a try longer than the whole", "upstream: {try_timeout: 6s}", "1:25: upstream.try_timeout: 6s is longer than upstream.timeout, 5s"},

		{"a forward of the root", "forwards:\n  - {zones: [.], servers: [10.0.0.1]}", `2:14: forwards[0].zones[0]: "." is not a domain: expected a name such as ad.comune.example.it; for all names there is upstream.servers`},
		{"a domain with an empty label", "forwards:\n  - {zones: [a..it], servers: [10.0.0.1]}", `2:14: forwards[0].zones[0]: "a..it" is not a domain: a label is empty`},
		{"a domain with a long label", "forwards:\n  - {zones: [" + strings.Repeat("a", 64) + "], servers: [10.0.0.1]}", `2:14: forwards[0].zones[0]: "` + strings.Repeat("a", 60) + `…" is not a domain: a label is longer than 63 octets`},
		{"a domain that is too long", "forwards:\n  - {zones: [" + strings.Repeat("a.", 128) + "], servers: [10.0.0.1]}", `2:14: forwards[0].zones[0]: "` + strings.Repeat("a.", 30) + `…" is not a domain: longer than 253 octets`},
		{"a domain with an asterisk", "forwards:\n  - {zones: [\"*.it\"], servers: [10.0.0.1]}", `2:14: forwards[0].zones[0]: "*.it" is not a domain: '*' is not part of a name`},
		{"a zone that is also forwarded", "forwards:\n  - {zones: [a.it], servers: [10.0.0.1]}\nzones:\n  - {name: A.it., file: a}", `4:12: zones[0].name: "A.it." is already forwards[0].zones[0]`},
		{"a zone with file and records", "zones:\n  - name: a.it\n    file: a.zone\n    records: [www A 10.0.0.1]", "2:5: zones[0]: expected either file or records"},
		{"a zone with neither", "zones: [{name: a.it}]", "1:9: zones[0]: expected either file or records"},
		{"an office twice", "zones:\n  - name: a.it\n    file: a\n    offices: [anagrafe, {office: anagrafe}]", `4:25: zones[0].offices[1]: office "anagrafe" is named twice`},
		{"a zone of no office", "zones:\n  - name: a.it\n    file: a\n    offices: []", "4:14: zones[0].offices: no office is named: leave the key out to open the zone to every office, or take the zone out"},
		{"a zone whose last office was taken out", "zones:\n  - name: a.it\n    file: a\n    offices:\n", "4:14: zones[0].offices: no office is named: leave the key out to open the zone to every office, or take the zone out"},
		{"a day that there is not", "zones:\n  - {name: a.it, file: a, offices: [{office: x, from: 2026-02-30}]}", `2:55: zones[0].offices[0].from: "2026-02-30" is not a date: write YYYY-MM-DD`},
		{"an office without an id", "zones:\n  - {name: a.it, file: a, offices: [{from: 2026-02-20}]}", "2:37: zones[0].offices[0].office: expected text, found nothing"},

		{"an address of no page", "sinkhole: {addresses: [0.0.0.0]}", "1:24: sinkhole.addresses[0]: 0.0.0.0 is not the address of a page"},
		{"a name for the page", "sinkhole: {addresses: [www.it]}", `1:24: sinkhole.addresses[0]: "www.it" is not an address: write an IPv4 or IPv6 address`},
		{"more pages than fit", "sinkhole: {addresses: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8, 10.0.0.9]}", "1:23: sinkhole.addresses: 9 addresses are too many: at most 8"},
		{"a contact that is too long", "sinkhole: {contact: " + strings.Repeat("è", 61) + "}", "1:21: sinkhole.contact: 122 octets are too long: at most 120"},
		{"a contact of two lines", "sinkhole: {contact: \"a\\nb\"}", "1:21: sinkhole.contact: expected text on one line, without control characters"},
		{"a portal without a name", "portal: {name: \"\"}", "1:16: portal.name: expected text, found nothing"},
		{"a portal whose name is none", "portal: {name: a..it}", `1:16: portal.name: "a..it" is not a domain: a label is empty`},
		{"a page without a port", "portal: {listen: [10.0.0.1]}", `1:19: portal.listen[0]: "10.0.0.1" has no port: write address:port or :port, such as 127.0.0.1:53, [::1]:53 or :53`},
		{"a page on a name", "portal: {https: [\"www.it:443\"]}", `1:18: portal.https[0]: "www.it:443" is not address:port: give an address of this machine, not a name`},
		{"metrics on a name", "metrics: {listen: [\"www.it:9153\"]}", `1:20: metrics.listen[0]: "www.it:9153" is not address:port: give an address of this machine, not a name`},
		{"a port for both", "portal: {listen: [\":80\"], https: [\":80\"]}", "1:35: portal.https[0]: :80 is in portal.listen already"},
		{"a list without a path", "security: {files: [\"\"]}", "1:20: security.files[0]: expected the path of a file, found nothing"},
		{"a list twice", "security: {files: [a, a]}", "1:23: security.files[1]: a is given twice, first as security.files[0]"},
		{"a role that lives by grants", "security: {roles: [employee]}", `1:20: security.roles[0]: "employee" is none of manager, secretary-general, council-president, elected-official: the other roles live by their grants`},
		{"a format nobody knows", "security: {format: csv}", `1:20: security.format: "csv" is none of auto, hosts, domains, rpz`},
		{"a language nobody writes", "letters: {language: fr}", `1:21: letters.language: "fr" is none of it, en, de`},
		{"a heading of many lines", "letters: {heading: [a, b, c, d, e, f]}", "1:20: letters.heading: 6 lines are too many: at most 5"},
		{"a signature of two lines in one", "letters: {signature: [\"a\\nb\"]}", "1:23: letters.signature[0]: expected text on one line, without control characters"},
		{"a reminder on the last day", "letters: {reminders: [0]}", "1:23: letters.reminders[0]: 0 is not from 1 to 365"},
		{"a reminder twice", "letters: {reminders: [7, 7]}", "1:26: letters.reminders[1]: 7 is given twice, first as letters.reminders[0]"},
		{"a mail server without a sender", "mail: {server: posta.example.it}", "1:7: mail.from: expected the address of the IT office, from which letters come, found nothing"},
		{"a sender with a name", "mail: {from: \"CED <ced@example.it>\"}", `1:14: mail.from: "CED <ced@example.it>" is not a mail address, such as ced@comune.example.it`},
		{"a sender of two lines", "mail: {from: \"a@b.it\\r\\nBcc: c@d.it\"}", `1:14: mail.from: "a@b.it\r\nBcc: c@d.it" is not a mail address, such as ced@comune.example.it`},
		{"a mail server's port out of range", "mail: {server: \"a.it:99999\", from: a@b.it}", `1:16: mail.server: port "99999" is not a number from 0 to 65535`},
		{"a mail server that is no name", "mail: {server: \"a b\", from: a@b.it}", `1:16: mail.server: "a b" is not a domain: ' ' is not part of a name`},
		{"a user without a password", "mail: {user: u}", "1:14: mail.user: expected both user and password_file, or neither"},
		{"a password in plain text", "mail: {server: a.it, from: a@b.it, tls: none, user: u, password_file: p}", "1:41: mail.tls: with none, the password would cross the network in plain text: choose starttls or tls"},
		{"roots without TLS", "mail: {server: a.it, from: a@b.it, tls: none, ca: c}", "1:51: mail.ca: there is no certificate to be checked with tls: none"},
		{"an identifier that is too long", "identity: {nsid: " + strings.Repeat("a", 129) + "}", "1:18: identity.nsid: 129 octets are too long: at most 128"},
		{"a TTL in parts of a second", "cache: {client_ttl: 1500ms}", "1:21: cache.client_ttl: 1.5s is not in whole seconds"},
		{"a least TTL over the most", "cache: {min_ttl: 1m, max_ttl: 30s}", "1:18: cache.min_ttl: 1m is longer than cache.max_ttl, 30s"},
		{"a first wait after a failure over the most", "cache: {failure_min: 1m, failure_max: 30s}", "1:22: cache.failure_min: 1m is longer than cache.failure_max, 30s"},
		{"a wait after a failure beyond RFC 9520", "cache: {failure_max: 10m}", "1:22: cache.failure_max: 10m is not from 1s to 5m"},
		{"more connections a client than in all", "tcp: {connections: 10}", "1:6: tcp.per_client: 50 is more than tcp.connections, 10"},

		{"a bracket that is not closed", "listen: [", "1:9: not YAML: sequence end token ']' not found"},
		{"a tab as indentation", "town:\n\tname: x", "2:1: not YAML: found character '\t' that cannot start any token"},
		{"a second document", "log: {}\n---\ntcp: {}", "3:4: a second document: a file is one"},
		{"an anchor", "town: &t {name: a}", `1:7: "&": anchors, aliases, tags, merge keys and the like are not used here: write the value itself, in quotes if it is text`},
		{"an alias", "town: *t", `1:7: "*": anchors, aliases, tags, merge keys and the like are not used here: write the value itself, in quotes if it is text`},
		{"a tag", "town: !!map {}", `1:7: "!!map": anchors, aliases, tags, merge keys and the like are not used here: write the value itself, in quotes if it is text`},
		{"text in a block", "sinkhole:\n  contact: |\n    a\n", "2:12: text in block form (|) is not used here: write it in quotes on one line"},
		{"an address with colons in a flow mapping", "town: {site: [fc00::/7]}", `1:19: a colon inside {…} needs a space after it, or quotes around the whole value, such as "::1"`},
		{"lists in lists without end", strings.Repeat("[", 1000), "1:13: nested too deep: at most 12 levels"},
		{"block lists without end", strings.Repeat("- ", 1000), "1:25: nested too deep: at most 12 levels"},
		{"mappings without end", strings.Repeat("a: ", 1000), "1:38: nested too deep: at most 12 levels"},
		{"keys without end", strings.Repeat("a:\n", 10_001), "10001:2: more than 10000 keys: move large zones into files of their own (zones[].file)"},
		{"a file that is too large", strings.Repeat("#", limits.Octets+1), "1:1: larger than 1 MiB: move large zones into files of their own (zones[].file)"},
		{"text that is not UTF-8", "log: {}\n# caff\xe8\n", "2:1: not UTF-8 text"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := Parse([]byte(test.file), "usciere.yaml")
			if err == nil || err.Error() != "usciere.yaml:"+test.want {
				t.Errorf("error\n     %v\nwant usciere.yaml:%s", err, test.want)
			}
			if !reflect.DeepEqual(s, Settings{}) {
				t.Errorf("settings beside the error: %+v", s)
			}
		})
	}
}

func TestParseReportsEveryProblemInTheOrderOfTheFile(t *testing.T) {
	_, err := Parse([]byte("log:\n  level: loud\n  format: xml\ntown:\n  timezone: x\n"), "f")
	want := `f:2:10: log.level: "loud" is none of debug, info, warn, error
f:3:11: log.format: "xml" is none of text, json
f:5:13: town.timezone: "x" is not the IANA name of a time zone, such as Europe/Rome`
	if err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
	_, err = Parse([]byte("town: {site: ["+strings.Repeat("x, ", 100)+"]}"), "f")
	if problems, ok := errors.AsType[Problems](err); !ok || len(problems) != maxProblems {
		t.Errorf("%d problems, want %d", len(problems), maxProblems)
	}
}

func TestParseKeepsTheDefaultOfWhatIsLeftOut(t *testing.T) {
	for _, file := range []string{"", "\n", "# nothing\n", "---\n", "{}", "log:\n  # level: debug\n", "listen:\n", "town: ~", "\ufefflog: {}"} {
		s, err := Parse([]byte(file), "f")
		if err != nil || !reflect.DeepEqual(s, Default()) {
			t.Errorf("%q: %+v, %v; want the default", file, s, err)
		}
	}
}

func TestParseReadsEveryKey(t *testing.T) {
	s, err := Parse([]byte(`
town:
  name: Comune di Massa
  timezone: Europe/Berlin
  site: [10.20.0.0/16, 2001:db8:20::/48]
listen: [127.0.0.1:5300, "[::1]:5300"]
state: /var/lib/usciere
admin: {socket: /run/usciere/admin.sock, group: ced, viewers: ""}
upstream:
  servers:
    - 10.0.0.53
    - 10.0.0.54:5353
    - "[2001:db8::53]:53"
    - fe80::1%eth0
  trusted: true
  try_timeout: 800ms
  timeout: 4s
  in_flight: 500
  random_case: false
  same_case: [10.0.0.54:5353]
  strategy: fastest
  ech: false
  secure: [{servers: ["10.0.0.54:5353"], over: https, name: dns.example, path: /q, ca: ca.pem, pins: ["sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}]
forwards:
  - zones: [ad.comune.example.it, 20.10.in-addr.arpa]
    servers: [10.20.0.10]
    strategy: parallel
zones:
  - name: intranet.comune.example.it
    file: zones/intranet.zone
  - name: posta.example.it
    records:
      - "@ A 10.20.0.25"
      - www CNAME @
    offices:
      - anagrafe
      - {office: tributi, from: 2026-03-01}
      - office: 12
sinkhole: {mode: zero, addresses: [10.20.0.53, "2001:db8:20::53"], contact: "chiedere al CED, int. 204"}
portal: {enabled: false, name: accesso.comune.example.it, listen: ["10.20.0.53:80", ":8080"], https: ["10.20.0.53:443"], requests: false}
security: {files: [liste/a, /b], format: rpz, mode: page, roles: [manager, elected-official], public_dns: true}
letters: {language: de, heading: [CED, "Via 1"], signature: [Leitung], reminders: [60]}
mail: {server: "posta.example.it:2525", from: ced@example.it, tls: tls, ca: ca.pem, user: u, password_file: p, timeout: 30s}
identity: {nsid: "dns 1", version: true, cookie_secret_file: c.key}
limits: {pending: 500, pending_per_client: 50, strangers: 0}
asked: {days: 7}
trace: {longest: 15m, memory: 1MiB}
cache: {entries: 5000, memory: 1GiB, min_ttl: 5s, max_ttl: 12h, negative_ttl: 10m, client_ttl: 60s, stale_max: 0s, failure_min: 1s, failure_max: 1m, prefetch: false, persist: false}
tcp: {connections: 100, per_client: 10, idle: 30s}
tls: {certificate: c.pem, key: /k.pem, listen: ["10.20.0.53:853"], https: [":8443"], http3: false, quic: ["10.20.0.53:853"], name: dns.comune.example.it}
front: {proxy: [10.20.0.2/32], ecs: ["fd00::2/128"]}
dhcp: {neighbours: true, leases: [{format: kea, path: kea.csv}, {format: isc, path: /l}]}
metrics: {listen: ["127.0.0.1:9153"]}
log: {level: warn, format: json}
`), "f")
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{
		Town: Town{"Comune di Massa", "Europe/Berlin", []netip.Prefix{
			netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("2001:db8:20::/48")}},
		Listen: []string{"127.0.0.1:5300", "[::1]:5300"},
		State:  "/var/lib/usciere",
		Admin:  Admin{Socket: "/run/usciere/admin.sock", Group: "ced"},
		Upstream: Upstream{
			Servers: []netip.AddrPort{
				netip.MustParseAddrPort("10.0.0.53:53"), netip.MustParseAddrPort("10.0.0.54:5353"),
				netip.MustParseAddrPort("[2001:db8::53]:53"), netip.MustParseAddrPort("[fe80::1%eth0]:53")},
			Strategy: "fastest", Trusted: true, TryTimeout: 800 * time.Millisecond, Timeout: 4 * time.Second, InFlight: 500,
			Secure: []Secure{{[]netip.AddrPort{netip.MustParseAddrPort("10.0.0.54:5353")}, "https", "dns.example", "/q", "ca.pem",
				[]string{"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}},
			SameCase: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.54:5353")},
		},
		Forwards: []Forward{{[]string{"ad.comune.example.it", "20.10.in-addr.arpa"}, []netip.AddrPort{netip.MustParseAddrPort("10.20.0.10:53")}, "parallel"}},
		Zones: []Zone{
			{Name: "intranet.comune.example.it", File: "zones/intranet.zone"},
			{Name: "posta.example.it", Records: []string{"@ A 10.20.0.25", "www CNAME @"},
				Offices: []Visibility{{Office: "anagrafe"}, {"tributi", Date{2026, time.March, 1}}, {Office: "12"}}},
		},
		Sinkhole: Sinkhole{"zero", []netip.Addr{netip.MustParseAddr("10.20.0.53"), netip.MustParseAddr("2001:db8:20::53")}, "chiedere al CED, int. 204"},
		Portal:   Portal{false, "accesso.comune.example.it", []string{"10.20.0.53:80", ":8080"}, []string{"10.20.0.53:443"}, false},
		Security: Security{[]string{"liste/a", "/b"}, "rpz", "page", []string{"manager", "elected-official"}, true},
		Letters:  Letters{"de", []string{"CED", "Via 1"}, []string{"Leitung"}, []int{60}},
		Mail:     Mail{"posta.example.it:2525", "ced@example.it", "tls", "ca.pem", "u", "p", 30 * time.Second},
		Identity: Identity{"dns 1", true, "c.key"},
		Cache:    Cache{5000, GiB, 5 * time.Second, 12 * time.Hour, 10 * time.Minute, time.Minute, 0, time.Second, time.Minute, false, false},
		TCP:      TCP{100, 10, 30 * time.Second},
		Limits:   Limits{500, 50, 0},
		Asked:    Asked{7},
		Trace:    Trace{15 * time.Minute, MiB},
		TLS:      TLS{"c.pem", "/k.pem", []string{"10.20.0.53:853"}, []string{":8443"}, false, []string{"10.20.0.53:853"}, "dns.comune.example.it"},
		Front:    Front{[]netip.Prefix{netip.MustParsePrefix("10.20.0.2/32")}, []netip.Prefix{netip.MustParsePrefix("fd00::2/128")}},
		DHCP:     DHCP{[]LeaseSource{{"kea", "kea.csv"}, {"isc", "/l"}}, true},
		Metrics:  Metrics{[]string{"127.0.0.1:9153"}},
		Log:      Log{"warn", "json"},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got\n%+v\nwant\n%+v", s, want)
	}
}

func TestLoadStartsRelativePathsAtTheFolderOfTheFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "usciere.yaml")
	content := "state: state\nadmin: {socket: /run/a.sock}\nzones: [{name: a.it, file: zones/a}, {name: b.it, records: [a]}]\nsecurity: {files: [l, /l]}\n"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{s.State, s.Admin.Socket, s.Zones[0].File, s.Zones[1].File, s.Security.Files[0], s.Security.Files[1]}
	want := []string{filepath.Join(folder, "state"), "/run/a.sock", filepath.Join(folder, "zones/a"), "", filepath.Join(folder, "l"), "/l"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("paths %q, want %q", got, want)
	}
}

func TestLoadNamesTheFileInItsErrors(t *testing.T) {
	folder := t.TempDir()
	if _, err := Load(filepath.Join(folder, "none.yaml")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := Load(folder); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a folder: %v", err)
	}
	path := filepath.Join(folder, "big.yaml")
	if err := os.WriteFile(path, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path+":1:1: larger than 1 MiB") {
		t.Errorf("a large file: %v", err)
	}
}

func TestCheckNamesKeysWithoutPositions(t *testing.T) {
	s := Default()
	if err := s.Check(); err != nil {
		t.Errorf("the default: %v", err)
	}
	s.Listen = []string{"dns"}
	want := `listen[0]: "dns" has no port: write address:port or :port, such as 127.0.0.1:53, [::1]:53 or :53`
	if err := s.Check(); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(Example()))
	f.Add([]byte("town: {site: [10.0.0.0/8]}\nzones:\n  - name: a.it\n    records: [a A 10.0.0.1]\n    offices: [a, {office: b, from: 2026-01-01}]\n"))
	f.Add([]byte("a: &a [*a, *a]\nb: !!x {? c : d}\n<<: *a"))
	f.Add([]byte("listen: [\"a\\u0000\", 'b''', |-\n  x\n]\r\n---\n...\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data, "f")
		if err == nil {
			if err := s.Check(); err != nil {
				t.Errorf("accepted, then refused: %v", err)
			}
			return
		}
		problems, ok := errors.AsType[Problems](err)
		if !ok || len(problems) == 0 {
			t.Fatalf("an error without problems: %v", err)
		}
		for _, p := range problems {
			if p.File != "f" || p.Line < 1 || p.Column < 1 || p.Text == "" || strings.Contains(p.Text, "\n") {
				t.Errorf("not a line about a place: %+v", p)
			}
		}
	})
}
