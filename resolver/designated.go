package resolver

import (
	"encoding/binary"
	"net/netip"

	"usciere/policy"
	"usciere/resolver/wire"
)

// Encrypted is what this resolver serves encrypted, as workstations are told of it (RFC 9462). It is announced under a name, so without
// one nothing is.
type Encrypted struct {
	Name             func() policy.Name // of the certificate; empty: it has none
	TLS, HTTPS, QUIC []netip.AddrPort   // 0.0.0.0 and :: are the address the client asked
	Path             string             // of HTTPS
	HTTP3            bool               // HTTPS is spoken over it too
}

// designation is the name that workstations ask what is served encrypted (RFC 9462 §4), and the type of its records.
const (
	designation  = "\x04_dns\x08resolver\x04arpa\x00"
	typeSVCB     = 64
	designateTTL = 300 // seconds
)

// Parameters of a SVCB record (RFC 9460 §14.3.2, RFC 9461 §5).
const (
	svcALPN     = 1
	svcPort     = 3
	svcIPv4Hint = 4
	svcIPv6Hint = 6
	svcPath     = 7
)

// designate answers what is served encrypted, and says whether it did: there is none to announce otherwise, or the question is another.
func (r *Resolver) designate(q *query, s *setup) bool {
	if q.Type != typeSVCB || string(q.Name()) != designation || s.Encrypted.Name == nil {
		return false
	}
	name := s.Encrypted.Name()
	records := s.Encrypted.records(name, q.request.Local.Addr().Unmap())
	if name == "" || len(records) == 0 {
		return false
	}
	q.Begin(q.request.Scratch(), &q.Query, wire.RcodeNoError, true)
	for _, rdata := range records {
		q.Record(wire.Answer, typeSVCB, min(designateTTL, s.ClientTTL), rdata)
	}
	r.send(q)
	return true
}

// records are the data of one SVCB record for each transport and port, in the order in which they are advised: HTTPS, which all
// workstations know, then TLS, then QUIC. HTTP/3 is another way to speak HTTPS at the same port.
func (e *Encrypted) records(name policy.Name, asked netip.Addr) (out [][]byte) {
	for _, t := range []struct {
		alpn  []string
		path  string
		addrs []netip.AddrPort
	}{{WebProtocols(e.HTTP3), e.Path, e.HTTPS}, {[]string{"dot"}, "", e.TLS}, {[]string{"doq"}, "", e.QUIC}} {
		var ports []uint16
		hints := map[uint16][]netip.Addr{}
		for _, a := range t.addrs {
			at := a.Addr()
			if at.IsUnspecified() && at.Is4() == asked.Is4() {
				at = asked
			}
			if at.IsUnspecified() || at.IsLoopback() && !asked.IsLoopback() {
				continue
			}
			if hints[a.Port()] == nil {
				ports = append(ports, a.Port())
			}
			hints[a.Port()] = append(hints[a.Port()], at)
		}
		for _, port := range ports {
			out = append(out, ServiceBinding(uint16(len(out)+1), name, t.alpn, port, hints[port], t.path))
		}
	}
	return out
}

// WebProtocols are the names of what HTTPS is spoken by (ALPN).
func WebProtocols(http3 bool) []string {
	if http3 {
		return []string{"h2", "h3"}
	}
	return []string{"h2"}
}

// ServiceBinding is the data of one SVCB record (RFC 9460 §2.2), its parameters in the order of their numbers.
func ServiceBinding(priority uint16, name policy.Name, alpn []string, port uint16, hints []netip.Addr, path string) []byte {
	out := binary.BigEndian.AppendUint16(nil, priority)
	out = append(out, name...)
	parameter := func(key uint16, value []byte) {
		if len(value) > 0 {
			out = binary.BigEndian.AppendUint16(out, key)
			out = binary.BigEndian.AppendUint16(out, uint16(len(value)))
			out = append(out, value...)
		}
	}
	var ids, v4, v6 []byte
	for _, id := range alpn {
		ids = append(append(ids, byte(len(id))), id...)
	}
	for _, a := range hints {
		if a.Is4() {
			v4 = append(v4, a.AsSlice()...)
		} else {
			v6 = append(v6, a.AsSlice()...)
		}
	}
	parameter(svcALPN, ids)
	parameter(svcPort, binary.BigEndian.AppendUint16(nil, port))
	parameter(svcIPv4Hint, v4)
	parameter(svcIPv6Hint, v6)
	if path != "" {
		parameter(svcPath, []byte(path+"{?dns}")) // RFC 9461 §5
	}
	return out
}
