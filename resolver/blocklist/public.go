package blocklist

import (
	"net/netip"
	"strings"
)

// PublicPath is how the list of PublicNames is called where the others have their file.
const PublicPath = "public DNS services (built in)"

// PublicNames are the names, each with all below it, under which public DNS services offer DNS over HTTPS or TLS to whoever would go
// round the town's resolver: the services' own documentation, the lists of browsers and of dnscrypt.info, as of 2026. No list is
// whole: a firewall that closes port 853, and the names here, stop what goes by itself, not a person who means to.
var PublicNames = []string{
	"dns.google", "dns64.dns.google", "8888.google", // Google
	"cloudflare-dns.com", "one.one.one.one", "cloudflare-gateway.com", // Cloudflare
	"dns.quad9.net", "dns9.quad9.net", "dns10.quad9.net", "dns11.quad9.net", "dns12.quad9.net", "dns13.quad9.net", // Quad9
	"doh.opendns.com", "dns.opendns.com", "doh.familyshield.opendns.com", "doh.sandbox.opendns.com", "dns.umbrella.com", "doh.umbrella.com", // Cisco
	"dns.adguard.com", "dns-family.adguard.com", "dns-unfiltered.adguard.com", "adguard-dns.com", // AdGuard
	"dns.nextdns.io", "dns1.nextdns.io", "dns2.nextdns.io", "firefox.dns.nextdns.io", "chromium.dns.nextdns.io", "doh3.dns.nextdns.io", // NextDNS
	"doh.cleanbrowsing.org", "security-filter-dns.cleanbrowsing.org", "family-filter-dns.cleanbrowsing.org", "adult-filter-dns.cleanbrowsing.org", // CleanBrowsing
	"dns.mullvad.net", "doh.mullvad.net", // Mullvad
	"dns.controld.com", "freedns.controld.com", // Control D
	"dns.sb", "doh.sb", "dot.sb", // DNS.SB
	"joindns4.eu", "dns0.eu", // European services
	"dns.alidns.com", "doh.pub", "dot.pub", "dns.pub", "doh.360.cn", "dot.360.cn", // China
	"ordns.he.net",                       // Hurricane Electric
	"doh.xfinity.com", "dot.xfinity.com", // Comcast
	"doh.dns.apple.com", "doh.dns.apple.com.v.aaplimg.com", // Apple
	"dns.digitale-gesellschaft.ch", "dns.switch.ch", "odvr.nic.cz", "doh.libredns.gr", "dot.libredns.gr", "doh.ffmuc.net", "dot.ffmuc.net",
	"doh.applied-privacy.net", "dot1.applied-privacy.net", "dns.njal.la", "unicast.uncensoreddns.org", "anycast.uncensoreddns.org",
	"dnsforge.de", "doh.dnslify.com", "doh.tiar.app", "dot.tiar.app", "jp.tiar.app", "dns.aa.net.uk", "fi.doh.dns.snopyta.org",
	"private.canadianshield.cira.ca", "protected.canadianshield.cira.ca", "family.canadianshield.cira.ca", "dns.comss.one", "dns.twnic.tw",
	"dns.google.com", // Google under its old name
}

// PublicAddrs are addresses at which such services answer over HTTPS and TLS: networks of theirs for that, or single addresses.
var PublicAddrs = prefixes(
	"8.8.8.8/32", "8.8.4.4/32", "2001:4860:4860::8888/128", "2001:4860:4860::8844/128", "2001:4860:4860::64/128", "2001:4860:4860::6464/128", // Google
	"1.1.1.1/32", "1.1.1.2/31", "1.0.0.1/32", "1.0.0.2/31", "2606:4700:4700::/48", "162.159.61.3/32", "162.159.61.4/32", "172.64.41.3/32", "172.64.41.4/32", "2803:f800:53::/48", "2a06:98c1:52::/48", // Cloudflare
	"9.9.9.9/32", "9.9.9.10/31", "9.9.9.12/31", "149.112.112.0/24", "2620:fe::/48", // Quad9
	"208.67.222.222/32", "208.67.220.220/32", "208.67.222.123/32", "208.67.220.123/32", "208.67.222.2/32", "208.67.220.2/32", "146.112.41.2/31", "2620:119:35::/48", "2620:119:53::/48", // Cisco
	"94.140.14.0/24", "94.140.15.0/24", "2a10:50c0::/48", // AdGuard
	"45.90.28.0/22", "2a07:a8c0::/32", "2a07:a8c1::/32", // NextDNS
	"185.228.168.0/24", "185.228.169.0/24", "2a0d:2a00:1::/48", "2a0d:2a00:2::/48", // CleanBrowsing
	"194.242.2.0/24", "2a07:e340::/32", // Mullvad
	"76.76.2.0/24", "76.76.10.0/24", "2606:1a40::/48", "2606:1a40:1::/48", // Control D
	"185.222.222.222/32", "45.11.45.11/32", "2a09::/128", "2a11::/128", // DNS.SB
	"86.54.11.0/24", "2a13:1001::/48", "193.110.81.0/24", "185.253.5.0/24", // European services
	"223.5.5.5/32", "223.6.6.6/32", "2400:3200::/48", "1.12.12.12/32", "120.53.53.53/32", // China
	"74.82.42.42/32", "2001:470:20::2/128", // Hurricane Electric
	"185.95.218.42/31", "130.59.31.248/32", "130.59.31.251/32", "193.17.47.1/32", "185.43.135.1/32", "116.202.176.26/32", "5.1.66.255/32", "185.150.99.255/32",
	"146.255.56.98/32", "95.215.19.53/32", "91.239.100.100/32", "89.233.43.71/32", "149.112.121.0/24", "149.112.122.0/24",
)

func prefixes(all ...string) (out []netip.Prefix) {
	for _, text := range all {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// publicText is the list as a file of domains.
func publicText() string { return "." + strings.Join(PublicNames, "\n.") + "\n" }
