//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

// hostileNames are names as DNS allows them, that mean something elsewhere.
var hostileNames = []string{
	`<script>alert\(1\)</script>.example.`, `\"\'\` + "`" + `;&|$\(reboot\).example.`, `a\010b\013c.example.`, `\000\255\254.example.`, `\027[31mrosso\007.example.`,
	`=cmd|'/c'!A1.example.`, `\.\./\.\./etc/passwd.example.`, `%s%n%x.example.`, `\226\128\174evil.example.`,
	strings.Repeat(strings.Repeat(`\255`, 63)+".", 3) + strings.Repeat(`\000`, 61) + ".",
}

// Names of that kind are asked, and typed at commands and on the page; nothing that anybody reads has them raw.
func TestS18HostileNamesAreEscapedEverywhere(t *testing.T) {
	folder := t.TempDir()
	config := write(t, filepath.Join(folder, "usciere.yaml"), `
listen: ["127.0.0.1:0"]
town: {site: [127.10.0.0/16, 127.0.0.1/32]}
portal: {listen: ["127.0.0.1:0"]}
metrics: {listen: ["127.0.0.1:0"]}
log: {level: debug}
`)
	d := serve(t, setup{args: []string{"--demo", "--config", config}})
	var shown []string // where, and what
	show := func(where, text string) { shown = append(shown, where, text) }
	asked := 0
	for _, name := range hostileNames {
		for _, from := range []string{"127.10.1.5", "127.10.2.9", "127.10.99.1"} {
			for _, qtype := range []uint16{dns.TypeA, dns.TypeTXT, dns.TypeHTTPS} {
				m := dnstest.Exchange(t, "udp", d.addr.String(), from, question(name, qtype))
				asked++
				if o := m.IsEdns0(); o != nil {
					for _, option := range o.Option {
						if e, ok := option.(*dns.EDNS0_EDE); ok {
							show("the EDE text for "+name, e.ExtraText)
						}
					}
				}
			}
		}
		raw := strings.NewReplacer(`\(`, "(", `\)`, ")", `\"`, `"`, `\'`, "'", `\027`, "\x1b", `\007`, "\a", `\010`, "\n", `\013`, "\r", `\255`, "\xff", `\254`, "\xfe", `\226\128\174`, "\u202e", `\000`, "").Replace(name)
		for _, args := range [][]string{
			{"explain", "--client", "127.10.1.5", name}, {"explain", "--client", "127.10.1.5", raw}, {"explain", "--office", raw, "www.inps.it"},
			{"allow", raw, "--office", "tributi", "--protocol", "1/2026", "--reason", raw}, {"grant", "list", "--office", raw}, {"alias", "list"},
			{"request", "deny", "1/2026", "--reason", raw},
		} {
			r := d.usciere(args...)
			show(strings.Join(args, " "), r.out+r.err)
			asked++
		}
	}
	// Reasons are free text: they reach the journal, its export and the letters.
	d.must("allow", "www.esempio-ostile.it", "--office", "tributi", "--protocol", "990/2026", "--reason", "<script>alert(1)</script> \"quoted\"; =1+1")
	for _, args := range [][]string{{"journal", "export"}, {"journal", "export", "--format", "csv"}, {"audit", "--office", "tributi"}, {"grant", "list"}, {"status"}, {"review", "--office", "tributi"}} {
		r := d.usciere(args...)
		show(strings.Join(args, " "), r.out+r.err)
	}
	status := d.status()
	for _, url := range status.Daemon.Page {
		for _, name := range hostileNames {
			req, err := http.NewRequest("GET", url, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = strings.Map(func(r rune) rune {
				if r < 33 || r > 126 {
					return -1
				}
				return r
			}, name)
			if res, err := http.DefaultClient.Do(req); err == nil {
				text, _ := io.ReadAll(res.Body)
				res.Body.Close()
				show("the page of "+name, string(text))
				asked++
			}
		}
	}
	show("the log", d.log.String())
	_, figures := fetched(t, status.Daemon.Metrics[0])
	show("the metrics", figures)
	if strings.Contains(figures, "example.") {
		t.Error("a name is in the metrics")
	}
	raw := 0
	for i := 0; i < len(shown); i += 2 {
		text := shown[i+1]
		if strings.ContainsAny(text, "\x00\x07\x1b\u202e\r") || strings.Contains(text, "\xff") || strings.HasPrefix(shown[i], "the page") && strings.Contains(text, "<script>alert") {
			raw++
			t.Errorf("%s: %q", shown[i], text)
		}
	}
	none(t, fmt.Sprintf("texts with a name that is not escaped, after %d names asked, typed and opened", asked), raw, len(shown)/2)
}
