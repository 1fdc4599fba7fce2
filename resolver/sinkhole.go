package resolver

import (
	"net/netip"

	"usciere/policy"
	"usciere/resolver/wire"
)

// Extended DNS Errors (RFC 8914 §4) that this package gives.
const (
	edeOther            uint16 = 0
	edeForged           uint16 = 4
	edeBlocked          uint16 = 15
	edeProhibited       uint16 = 18
	edeNotAuthoritative uint16 = 20
	edeNoReachable      uint16 = 22
)

// sinkTTL is how long, in seconds, a workstation may keep being led astray: short, so that a name that was just granted
// is soon felt. Windows keeps negative answers for their TTL, up to 900 s, so theirs is as short.
const sinkTTL = 10

const (
	typeA    = uint16(policy.TypeA)
	typeAAAA = uint16(policy.TypeAAAA)
)

var root = []byte(policy.Root)

// zeros are the addresses of the mode zero; on Linux a connection to them reaches the machine itself.
var zeros = [16]byte{}

// sinkhole answers a name that is not allowed.
func (r *Resolver) sinkhole(q *query, rules *policy.Snapshot, way Route, setup *setup) {
	s := &setup.Sinkhole
	mode := setup.modeOf(&q.client, &way)
	if way.Listed.List != nil {
		way.Listed.Hit()
	}
	var address []byte
	rcode := wire.RcodeNoError
	switch mode {
	case policy.Page:
		if policy.Browsable(q.Name()) {
			address = pageAddress(q, s)
		} else {
			rcode = wire.RcodeNXDomain
		}
	case policy.Zero:
		if q.Type == typeA {
			address = zeros[:4]
		} else if q.Type == typeAAAA {
			address = zeros[:]
		}
	case policy.NXDomain:
		rcode = wire.RcodeNXDomain
	case policy.Refused:
		rcode = wire.RcodeRefused
	case policy.NoData:
	}
	if rcode == wire.RcodeNXDomain && r.exists(q, rules, way, setup) {
		rcode = wire.RcodeNoError
	}
	q.Begin(q.request.Scratch(), &q.Query, rcode, false)
	switch {
	case address != nil:
		q.Record(wire.Answer, q.Type, sinkTTL, address)
	case rcode != wire.RcodeRefused:
		// The owner is the name asked, so that no denial reaches further. There is no primary server: workstations that
		// look for one here to update find none, and the longest name still fits in 512 octets.
		q.SOA(root, root, 1, sinkTTL, sinkTTL)
	}
	if q.EDNS {
		_, asleep := rules.Dormant(&q.client, q.Name(), policy.Type(q.Type), q.at)
		text := blockedText(&q.client, &way, asleep, s.Contact)
		q.EDE(edeBlocked, text[:]...)
		if address != nil {
			q.EDE(edeForged)
		}
	}
	if q.fast != nil && way.Listed.List == nil && !r.targets.knows(&q.client, q.Name()) {
		q.lasts = ofRules
	}
	r.send(q)
}

// exists says whether a sinkholed name must not be denied, whatever the mode: because the client may have it for another type or at
// another time, or may have a name below it, which NXDOMAIN would take with it (RFC 8020).
func (r *Resolver) exists(q *query, rules *policy.Snapshot, way Route, setup *setup) bool {
	switch {
	case setup.standsAbove(q.Name(), &q.client, q.at, rules.Town()):
		return true
	case way.Listed.List != nil: // a client without limits has all that is not listed, and lives by no grants
		return !way.Listed.Whole || rules.Exists(&policy.Client{}, q.Name())
	case way.Inward:
		return rules.Exists(&policy.Client{}, q.Name())
	}
	return rules.Exists(&q.client, q.Name()) || r.targets.exists(rules, &q.client, q.Name(), q.at)
}

// modeOf is the sinkhole mode for a client: servers get a plain NXDOMAIN, else the office's own choice, else the town's.
func modeOf(c *policy.Client, s Sinkhole) policy.Mode {
	switch {
	case c.Role == policy.Server:
		return policy.NXDomain
	case c.Office != nil && c.Office.Sinkhole != "":
		return c.Office.Sinkhole
	case s.Mode != "":
		return s.Mode
	}
	return policy.Page
}

// pageAddress is the block page's address of the family asked for, or nil, as for those outside the site, whose browsers would only wait
// for it. It lies in q.
func pageAddress(q *query, s *Sinkhole) []byte {
	if q.client.Away {
		return nil
	}
	own := [1]netip.Addr{q.request.Local.Addr().Unmap()}
	addrs := s.Addresses
	if len(addrs) == 0 {
		addrs = own[:]
	}
	for _, a := range addrs {
		switch {
		case q.Type == typeA && a.Is4():
			b := a.As4()
			return append(q.page[:0], b[:]...)
		case q.Type == typeAAAA && a.Is6():
			b := a.As16()
			return append(q.page[:0], b[:]...)
		}
	}
	return nil
}
