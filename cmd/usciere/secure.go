package main

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"

	"usciere/cmd/usciere/settings"
	"usciere/resolver/upstream"
)

// secureServers are the servers that are asked over encrypted transports, and how.
func secureServers(all []settings.Secure) (map[netip.AddrPort]upstream.Secure, error) {
	out := map[netip.AddrPort]upstream.Secure{}
	for i, s := range all {
		how := upstream.Secure{Over: upstream.Over(s.Over), Name: s.Name, Path: s.Path, Pins: s.PinsOf()}
		if s.CA != "" {
			text, err := os.ReadFile(s.CA)
			if err != nil {
				return nil, fmt.Errorf("upstream.secure[%d].ca: %w", i, err)
			}
			how.Roots = x509.NewCertPool()
			if !how.Roots.AppendCertsFromPEM(text) {
				return nil, fmt.Errorf("upstream.secure[%d].ca: %s has no certificate in it (PEM)", i, s.CA)
			}
		}
		for _, server := range s.Servers {
			out[server] = how
		}
	}
	return out, nil
}
