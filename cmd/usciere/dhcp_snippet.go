package main

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"usciere/cmd/usciere/settings"
	"usciere/policy"
	"usciere/resolver"
	"usciere/resolver/listen"
)

// given is what DHCP gives workstations: the addresses of this resolver, and how to reach it encrypted.
type given struct {
	v4, v6 []netip.Addr
	dnr4   []byte   // of option 162, with all instances in it (RFC 9463 §5.1); empty: none
	dnr6   [][]byte // of one option 144 each (RFC 9463 §4.1)
}

// handedOut is what the settings have workstations be given.
func handedOut(s settings.Settings) (g given, err error) {
	addrs, err := ownAddresses(s)
	if err != nil {
		return g, err
	}
	g.v4, g.v6 = families(addrs)
	return g, g.designate(s)
}

// designate adds the encrypted service, in the order in which it is advised.
func (g *given) designate(s settings.Settings) error {
	if !s.TLS.Served() {
		return nil
	}
	text := s.TLS.Name
	if text == "" {
		c, err := listen.OpenCertificate(s.TLS.Certificate, s.TLS.Key, time.Now, slog.New(slog.DiscardHandler))
		if err != nil {
			return fmt.Errorf("tls: %w", err)
		}
		if text = c.Name(); text == "" {
			return nil // it is announced under a name
		}
	}
	name, err := policy.ParseName(text)
	if err != nil {
		return fmt.Errorf("tls.name: %w", err)
	}
	var priority uint16
	for _, t := range []struct {
		alpn  []string
		path  string
		addrs []string
	}{{resolver.WebProtocols(s.TLS.HTTP3), listen.WebPath, s.TLS.HTTPS}, {[]string{"dot"}, "", s.TLS.Listen}, {[]string{"doq"}, "", s.TLS.QUIC}} {
		ports := map[uint16]bool{}
		for _, text := range t.addrs {
			if _, port, err := net.SplitHostPort(text); err == nil {
				n, _ := net.LookupPort("tcp", port)
				ports[uint16(n)] = true
			}
		}
		for _, port := range slices.Sorted(maps.Keys(ports)) {
			addrs, err := reachable(s, t.addrs, port)
			if err != nil {
				return err
			}
			if len(addrs) == 0 {
				continue
			}
			priority++
			g.instance(priority, name, t.alpn, port, t.path, addrs)
		}
	}
	return nil
}

// instance adds one way to reach the resolver: priority, name, addresses, and parameters as in an SVCB record without hints.
func (g *given) instance(priority uint16, name policy.Name, alpn []string, port uint16, path string, addrs []netip.Addr) {
	params := resolver.ServiceBinding(priority, name, alpn, port, nil, path)[2+len(name):]
	v4, v6 := families(addrs)
	if len(v4) > 0 {
		one := binary.BigEndian.AppendUint16(nil, priority)
		one = append(append(one, byte(len(name))), name...)
		one = append(append(one, byte(4*len(v4))), octets(v4)...)
		one = append(one, params...)
		g.dnr4 = append(binary.BigEndian.AppendUint16(g.dnr4, uint16(len(one))), one...)
	}
	if len(v6) > 0 {
		one := binary.BigEndian.AppendUint16(nil, priority)
		one = append(binary.BigEndian.AppendUint16(one, uint16(len(name))), name...)
		one = append(binary.BigEndian.AppendUint16(one, uint16(16*len(v6))), octets(v6)...)
		g.dnr6 = append(g.dnr6, append(one, params...))
	}
}

func octets(addrs []netip.Addr) (out []byte) {
	for _, a := range addrs {
		out = append(out, a.AsSlice()...)
	}
	return out
}

// ownAddresses are those at which workstations ask: of the site, and at port 53, since neither DHCP nor their systems know another.
func ownAddresses(s settings.Settings) ([]netip.Addr, error) {
	addrs, err := reachable(s, s.Listen, 53)
	if err == nil && len(addrs) == 0 {
		err = errors.New("no address of listen is one at which workstations can ask: it needs one of the site, with port 53\n" +
			"write it into the settings, such as listen: [\"10.20.0.53:53\"], and give them with --config")
	}
	return addrs, err
}

// reachable are the addresses with a port among those listened at, that workstations can reach; for all addresses of the machine, those
// of its networks that are the site's.
func reachable(s settings.Settings, listened []string, port uint16) (out []netip.Addr, err error) {
	add := func(a netip.Addr) {
		a = a.Unmap().WithZone("")
		inSite := slices.ContainsFunc(s.Town.Site, func(p netip.Prefix) bool { return p.Contains(a) })
		if inSite && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	for _, text := range listened {
		host, p, err := net.SplitHostPort(text)
		if n, _ := net.LookupPort("tcp", p); err != nil || uint16(n) != port {
			continue
		}
		if a, err := netip.ParseAddr(host); err == nil && !a.IsUnspecified() {
			add(a)
			continue
		}
		all, err := net.InterfaceAddrs()
		if err != nil {
			return nil, fmt.Errorf("list the addresses of this machine: %w", err)
		}
		for _, one := range all {
			if network, ok := one.(*net.IPNet); ok {
				if a, ok := netip.AddrFromSlice(network.IP); ok && (host == "" || host == "::" || a.Unmap().Is4()) {
					add(a)
				}
			}
		}
	}
	return out, nil
}

func families(addrs []netip.Addr) (v4, v6 []netip.Addr) {
	for _, a := range addrs {
		if a.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	return v4, v6
}

// snippets write it for each DHCP server. That another DNS server beside this one undoes it all is the first thing to say.
var snippets = map[string]func(given) string{"kea": keaSnippet, "dnsmasq": dnsmasqSnippet, "isc": iscSnippet}

const beside = "Only resolvers of the town belong here: workstations ask every DNS server they are given, and one elsewhere opens every door."

func keaSnippet(g given) string {
	var out strings.Builder
	section := func(key, space, name string, addrs []netip.Addr, code int, data [][]byte) {
		if len(addrs) == 0 {
			return
		}
		fmt.Fprintf(&out, "// in %q; a second resolver follows after a comma\n%q: [\n", key, "option-data")
		fmt.Fprintf(&out, "  { \"name\": %q, \"data\": %q }", name, strings.ReplaceAll(texts(addrs), " ", ""))
		for _, d := range data {
			fmt.Fprintf(&out, ",\n  { \"space\": %q, \"code\": %d, \"csv-format\": false, \"data\": \"0x%s\" }", space, code, strings.ToUpper(hex.EncodeToString(d)))
		}
		out.WriteString("\n]\n")
	}
	fmt.Fprintf(&out, "// %s\n", beside)
	var dnr4 [][]byte
	if len(g.dnr4) > 0 {
		dnr4 = [][]byte{g.dnr4}
	}
	section("Dhcp4", "dhcp4", "domain-name-servers", g.v4, 162, dnr4)
	section("Dhcp6", "dhcp6", "dns-servers", g.v6, 144, g.dnr6)
	return out.String()
}

// colons are octets as dnsmasq and ISC DHCP write them.
func colons(octets []byte) string { return net.HardwareAddr(octets).String() }

func dnsmasqSnippet(g given) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# %s\n", beside)
	if len(g.v4) > 0 {
		fmt.Fprintf(&out, "dhcp-option=option:dns-server,%s\n", strings.ReplaceAll(texts(g.v4), " ", ""))
	}
	if len(g.dnr4) > 0 {
		fmt.Fprintf(&out, "dhcp-option=162,%s\n", colons(g.dnr4))
	}
	if len(g.v6) > 0 {
		var bracketed []string
		for _, a := range g.v6 {
			bracketed = append(bracketed, "["+a.String()+"]")
		}
		fmt.Fprintf(&out, "dhcp-option=option6:dns-server,%s\n", strings.Join(bracketed, ","))
	}
	for _, d := range g.dnr6 {
		fmt.Fprintf(&out, "dhcp-option=option6:144,%s\n", colons(d))
	}
	return out.String()
}

func iscSnippet(g given) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# %s\n", beside)
	if len(g.v4) > 0 {
		fmt.Fprintf(&out, "# dhcpd.conf\noption domain-name-servers %s;\n", texts(g.v4))
	}
	if len(g.dnr4) > 0 {
		fmt.Fprintf(&out, "option dnr code 162 = string;\noption dnr %s;\n", colons(g.dnr4))
	}
	if len(g.v6) > 0 {
		fmt.Fprintf(&out, "# dhcpd6.conf\noption dhcp6.name-servers %s;\n", texts(g.v6))
	}
	for i, d := range g.dnr6 {
		if i == 0 { // ISC DHCP sends an option once
			fmt.Fprintf(&out, "option dhcp6.dnr code 144 = string;\noption dhcp6.dnr %s;\n", colons(d))
		}
	}
	return out.String()
}
