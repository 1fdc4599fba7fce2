package settings

import "strings"

// DHCP says where leases are.
type DHCP struct {
	Leases     []LeaseSource `yaml:"leases" doc:"The lease files, one for each server and family; off without."`
	Neighbours bool          `yaml:"neighbours" doc:"Know the machines on the same link by the kernel's neighbour table too: their temporary IPv6 addresses follow the device, and an address at which another machine answers is nobody's."`
}

// LeaseSource is where one server keeps its leases.
type LeaseSource struct {
	Format string `yaml:"format" doc:"dnsmasq: its lease file. kea: a memfile, with what its clean-up leaves beside it. kea-socket: its control socket, with the hook libdhcp_lease_cmds, asked every 5s. isc: dhcpd.leases." required:"true" oneof:"dnsmasq kea kea-socket isc" example:"kea"`
	Path   string `yaml:"path" doc:"The file or socket. A relative path starts at the settings file's folder. A file that changes is read again at once." required:"true" example:"/var/lib/kea/kea-leases4.csv"`
}

func (r *report) dhcp(d DHCP) {
	if len(d.Leases) > 32 {
		r.key("dhcp.leases", "%d sources are too many: at most 32", len(d.Leases))
	}
	seen := map[string]bool{}
	for i, l := range d.Leases {
		path := index("dhcp.leases", i) + ".path"
		r.path(path, l.Path)
		if seen[l.Path] {
			r.key(path, "%s is there twice", quoteShort(l.Path))
		}
		seen[l.Path] = strings.TrimSpace(l.Path) != ""
	}
}
