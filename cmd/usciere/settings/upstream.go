package settings

import (
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"
)

// Secure is how some servers are asked over an encrypted transport.
type Secure struct {
	Servers []netip.AddrPort `yaml:"servers" doc:"Which of the servers of upstream and of forwards, with their ports: address:port." required:"true" example:"[\"192.0.2.53:853\"]"`
	Over    string           `yaml:"over" doc:"The transport." required:"true" oneof:"tls https quic" example:"tls"`
	Name    string           `yaml:"name" doc:"The name that their certificate must be for; a server that does not prove it is not asked." required:"true" example:"dns.provider.example"`
	Path    string           `yaml:"path" doc:"Path of https." def:"/dns-query"`
	CA      string           `yaml:"ca" doc:"File of the authorities (PEM) that may vouch for the certificate. A relative path starts at the settings file's folder." def:"those of the machine"`
	Pins    []string         `yaml:"pins" doc:"SHA-256 of public keys, in base64, of which one must be in the certificate's chain." def:"any"`
}

// PinsOf are the pins as octets; check has seen that they are some.
func (s Secure) PinsOf() (out [][]byte) {
	for _, text := range s.Pins {
		if pin, err := parsePin(text); err == nil {
			out = append(out, pin)
		}
	}
	return out
}

func parsePin(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "sha256/"))
}

func (r *report) secure(s Settings) {
	known := slices.Clone(s.Upstream.Servers)
	for _, f := range s.Forwards {
		known = append(known, f.Servers...)
	}
	seen := map[netip.AddrPort]bool{}
	for i, one := range s.Upstream.Secure {
		path := index("upstream.secure", i)
		for j, server := range one.Servers {
			at := index(path+".servers", j)
			switch {
			case !slices.Contains(known, server):
				r.key(at, "%s is in neither upstream.servers nor the servers of a forward: name it there too, with the same port", server)
			case seen[server]:
				r.key(at, "%s is there twice", server)
			case server.Port() == 53:
				r.key(at, "port 53 is that of plain DNS: write the port of the encrypted service, as %s:853", server.Addr())
			}
			seen[server] = true
		}
		if _, err := checkDomain(one.Name); one.Name != "" && err != nil {
			r.key(path+".name", "%s", err)
		}
		switch {
		case one.Path != "" && one.Over != "https":
			r.key(path+".path", "only https has a path")
		case one.Path != "" && !strings.HasPrefix(one.Path, "/"):
			r.key(path+".path", "expected a path such as /dns-query")
		}
		r.path(path+".ca", one.CA)
		for j, text := range one.Pins {
			if pin, err := parsePin(text); err != nil || len(pin) != 32 {
				r.key(index(path+".pins", j), "%s is no SHA-256 in base64: expected 44 characters", quoteShort(text))
			}
		}
	}
}
