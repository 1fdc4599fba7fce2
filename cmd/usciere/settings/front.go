package settings

import (
	"net/netip"
	"slices"
)

// Front is the load balancers in front of the resolver.
type Front struct {
	Proxy []netip.Prefix `yaml:"proxy" doc:"Those that say it in the PROXY protocol, version 2, over UDP, TCP and TLS; without it their messages are dropped." example:"[10.20.0.2/32]" reload:"restart"`
	ECS   []netip.Prefix `yaml:"ecs" doc:"Those that say it as EDNS Client Subnet (RFC 7871), with the whole address; without it they are refused." example:"[10.20.0.3/32]"`
}

func (r *report) front(f Front) {
	for i, p := range f.ECS {
		if slices.ContainsFunc(f.Proxy, p.Overlaps) {
			r.key(index("front.ecs", i), "%s is in front.proxy too: one way of saying it is enough", p)
		}
	}
}
