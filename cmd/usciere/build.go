package main

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"usciere/cmd/usciere/settings"
	"usciere/policy"
	"usciere/resolver"
	"usciere/resolver/upstream"
	"usciere/resolver/zone"
)

// groups are the upstream groups in use.
type groups []*upstream.Group

func (gs groups) close() {
	for _, g := range gs {
		g.Close()
	}
}

func townOf(s settings.Settings) policy.Town {
	return policy.Town{Site: s.Town.Site, Zone: s.Town.Location()}
}

// build makes the resolver's setup of the settings, with groups of its own.
func (d *daemon) build(s settings.Settings) (resolver.Setup, groups, error) {
	zones, err := loadZones(s)
	if err != nil {
		return resolver.Setup{}, nil, err
	}
	servers, err := d.upstreams(s)
	if err != nil {
		return resolver.Setup{}, nil, err
	}
	own, err := d.portalName(s.Portal)
	if err != nil {
		return resolver.Setup{}, nil, err
	}
	encrypted, err := d.encryptedOf(s.TLS)
	if err != nil {
		return resolver.Setup{}, nil, err
	}
	cookies, err := cookieSecret(s.Identity, d.cookies)
	if err != nil {
		return resolver.Setup{}, nil, err
	}
	out := resolver.Setup{
		Portal:    own,
		Zones:     zones,
		Sinkhole:  resolver.Sinkhole{Mode: policy.Mode(s.Sinkhole.Mode), Addresses: s.Sinkhole.Addresses, Contact: s.Sinkhole.Contact},
		Security:  securityOf(s.Security, d.lists),
		Identity:  identityOf(s.Identity),
		Encrypted: encrypted,
		Cookies:   cookies,
		Strangers: s.Limits.Strangers,
		Tally:     d.counting(s.Asked.Days),
		Fronts:    s.Front.ECS,
		ClientTTL: seconds(d.opened.Cache.ClientTTL),
	}
	secure, err := secureServers(s.Upstream.Secure)
	if err != nil {
		return resolver.Setup{}, nil, err
	}
	outside := groupConfig("upstream", servers, s.Upstream.Strategy, s.Upstream)
	outside.Outside, outside.WithoutECH = true, !s.Upstream.ECH
	for i, text := range s.Upstream.Private {
		name, err := policy.ParseName(text)
		if err != nil {
			return resolver.Setup{}, nil, fmt.Errorf("upstream.private[%d]: %w", i, err)
		}
		outside.Private = append(outside.Private, string(name))
	}
	outside.Secure, outside.Together = secure, d.dns.Together
	out.Upstream = upstream.New(outside)
	all := groups{out.Upstream}
	for i, f := range s.Forwards {
		config := groupConfig("forward "+f.Zones[0], f.Servers, f.Strategy, s.Upstream)
		config.Secure, config.Together = secure, d.dns.Together
		forward := resolver.Forward{Group: upstream.New(config)}
		all = append(all, forward.Group)
		for _, text := range settings.Domains(f.Zones) {
			name, err := policy.ParseName(text)
			if err != nil {
				all.close()
				return resolver.Setup{}, nil, fmt.Errorf("forwards[%d]: %w", i, err)
			}
			forward.Zones = append(forward.Zones, name)
		}
		out.Forwards = append(out.Forwards, forward)
	}
	return out, all, nil
}

// cookieSecret is that of the settings' file, or another where there is none.
func cookieSecret(s settings.Identity, otherwise resolver.CookieSecret) (out resolver.CookieSecret, err error) {
	if s.Secret == "" {
		return otherwise, nil
	}
	text, err := readSmall(s.Secret)
	if err != nil {
		return out, fmt.Errorf("identity.cookie_secret_file: %w", err)
	}
	octets, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(octets) != len(out) {
		return out, fmt.Errorf("identity.cookie_secret_file: %s has no secret in it: 32 hexadecimal digits, as `openssl rand -hex 16` makes them", s.Secret)
	}
	copy(out[:], octets)
	return out, nil
}

func groupConfig(name string, servers []netip.AddrPort, strategy string, s settings.Upstream) upstream.Config {
	return upstream.Config{
		Name: name, Servers: servers, Strategy: upstream.Strategy(strategy), Trusted: s.Trusted, TryTimeout: s.TryTimeout, Timeout: s.Timeout,
		MaxInFlight: s.InFlight, RandomCase: s.RandomCase, SameCase: s.SameCase,
	}
}

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

// upstreams are the servers to ask: those of the settings, the demo's, or the machine's; never this daemon itself.
func (d *daemon) upstreams(s settings.Settings) ([]netip.AddrPort, error) {
	if len(s.Upstream.Servers) == 0 {
		if d.demo != nil {
			return []netip.AddrPort{d.demo.addr()}, nil
		}
		return settings.MachineUpstreams(settings.ResolvConf, d.isOwn)
	}
	for _, a := range s.Upstream.Servers {
		if d.isOwn(a) {
			return nil, fmt.Errorf("upstream %s is this resolver itself: name the servers behind it", a)
		}
	}
	return s.Upstream.Servers, nil
}

// isOwn says whether a question sent to the address would come back here.
func (d *daemon) isOwn(a netip.AddrPort) bool {
	for _, own := range d.dns.Addrs() {
		if own.Port() != a.Port() {
			continue
		}
		if own.Addr() == a.Addr().WithZone("") || own.Addr().IsUnspecified() && onThisMachine(a.Addr()) {
			return true
		}
	}
	return false
}

func onThisMachine(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, ia := range addrs {
		if p, err := netip.ParsePrefix(ia.String()); err == nil && p.Addr().Unmap() == a.WithZone("") {
			return true
		}
	}
	return false
}

// loadZones reads the local zones of the settings.
func loadZones(s settings.Settings) ([]resolver.LocalZone, error) {
	var out []resolver.LocalZone
	for _, z := range s.Zones {
		local := resolver.LocalZone{}
		var err error
		if z.File == "" {
			local.Zone, err = zone.FromRecords(z.Name, z.Records)
		} else {
			local.Zone, err = zoneOfFile(z.Name, z.File)
		}
		if err != nil {
			return nil, err
		}
		for _, v := range z.Offices {
			if local.Offices == nil {
				local.Offices = map[string]policy.Moment{}
			}
			local.Offices[v.Office] = policy.Moment(v.From.String())
		}
		out = append(out, local)
	}
	return out, nil
}

// maxZoneFile is the largest zone file that is read, in octets; a local zone has some kilobytes.
const maxZoneFile = 64 << 20

func zoneOfFile(name, path string) (*zone.Zone, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("zone %s: %w", name, err)
	}
	defer f.Close()
	switch info, err := f.Stat(); {
	case err != nil:
		return nil, fmt.Errorf("zone %s: %w", name, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("zone %s: %s is no regular file", name, path)
	case info.Size() > maxZoneFile:
		return nil, fmt.Errorf("zone %s: %s is larger than %d MiB", name, path, maxZoneFile>>20)
	}
	return zone.Parse(name, f, path)
}
