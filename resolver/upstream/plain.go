package upstream

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

const (
	recordLen = 10                 // of what stands between a record's owner and its data (RFC 1035 §3.2.1)
	soaLen    = 20                 // of the numbers behind the names of an SOA (RFC 1035 §3.3.13)
	toName    = 0xc000 | headerLen // a pointer to the name of the question
	maxPlain  = 32                 // records of a set, whose data is compared pairwise
	maxTTL    = 1<<31 - 1          // RFC 2181 §8
)

// cleanPlain makes of most replies what clean makes of all, but on the octets as they are: of an answer section of nothing but records
// of the question's own name and type, and of denials with an SOA. It is not ok for any other reply, nor for one that has something
// amiss, which is for clean to judge.
func cleanPlain(q Question, pkt []byte, trusted bool, may passes) (a Answer, ok bool) {
	rcode, answers := pkt[3]&maskRcode, int(binary.BigEndian.Uint16(pkt[6:]))
	if q.DO || answers > maxPlain || rcode != dns.RcodeSuccess && (rcode != dns.RcodeNameError || answers > 0) {
		return a, false
	}
	start := headerLen + len(q.Name) + 4
	end, ttl, ok := plainSet(q, pkt, start, answers, may)
	if !ok {
		return a, false
	}
	soa, ok := plainRest(q, pkt, end)
	if !ok || answers == 0 && soa == nil {
		return a, false
	}
	authority, records := byte(0), pkt[start:end]
	if answers == 0 {
		authority, records, ttl = 1, soa.record, soa.lifetime
	}
	a.AD = trusted && pkt[3]&bitAD != 0
	a.TTL = time.Duration(min(ttl, maxTTL)) * time.Second
	a.Msg = make([]byte, 0, start+len(records))
	a.Msg = append(a.Msg, 0, 0, bitQR|bitRD, plainFlags(q, rcode, a.AD), 0, 1, pkt[6], pkt[7], 0, authority, 0, 0)
	a.Msg = append(a.Msg, pkt[headerLen:start]...) // in lower case by now
	a.Msg = append(a.Msg, records...)
	return a, true
}

// plainFlags is the fourth octet of an answer.
func plainFlags(q Question, rcode byte, ad bool) byte {
	flags := bitRA | rcode
	if ad {
		flags |= bitAD
	}
	if q.CD {
		flags |= bitCD
	}
	return flags
}

// plainSet looks at n records from off on, which must be a set that clean would keep as it stands. It returns where the set ends, and its
// least TTL.
func plainSet(q Question, pkt []byte, off, n int, may passes) (end int, ttl uint32, ok bool) {
	layout, known := layouts[q.Type]
	if n > 0 && (!known || slices.Contains(layout, aName)) { // names may be compressed against what goes
		return 0, 0, false
	}
	if n > 0 && isBinding(q.Type) && may != (passes{true, true}) {
		return 0, 0, false
	}
	ttl = maxTTL
	var set [maxPlain][]byte
	for i := range n {
		if off+2 > len(pkt) || binary.BigEndian.Uint16(pkt[off:]) != toName {
			return 0, 0, false
		}
		r, ok := plainAt(pkt, off+2)
		if !ok || r.rrtype != q.Type || r.class != q.Class || r.ttl > maxTTL || !fits(pkt[:r.end], r.data, layout) {
			return 0, 0, false
		}
		data := pkt[r.data:r.end]
		for _, other := range set[:i] {
			if string(other) == string(data) {
				return 0, 0, false
			}
		}
		set[i] = data
		if !may.private && (q.Type == dns.TypeA || q.Type == dns.TypeAAAA) {
			if addr, _ := netip.AddrFromSlice(data); isPrivate(addr) {
				return 0, 0, false
			}
		}
		off, ttl = r.end, min(ttl, r.ttl)
	}
	return off, ttl, true
}

// plainRest looks at the authority and additional sections from off on. They must have nothing but what servers usually send along; soa is
// that of the question's zone, nil if there is none.
func plainRest(q Question, pkt []byte, off int) (soa *plainSOA, ok bool) {
	var name [maxName]byte
	authority := int(binary.BigEndian.Uint16(pkt[8:]))
	for i := range authority + int(binary.BigEndian.Uint16(pkt[10:])) {
		owner, end, ok := wholeName(pkt, off, &name)
		if !ok {
			return nil, false
		}
		r, ok := plainAt(pkt, end)
		if !ok {
			return nil, false
		}
		off = r.end
		switch {
		case r.rrtype == dns.TypeA && r.end-r.data == 4, r.rrtype == dns.TypeAAAA && r.end-r.data == 16:
		case r.rrtype == dns.TypeNS:
			if _, end, ok = wholeName(pkt[:r.end], r.data, &name); !ok || end != r.end {
				return nil, false
			}
		case r.rrtype == dns.TypeOPT && i >= authority && r.ttl>>24 == 0: // no more of the RCODE (RFC 6891 §6.1.3)
		case r.rrtype == dns.TypeSOA && i < authority && r.class == q.Class && r.ttl <= maxTTL && soa == nil:
			if soa, ok = readSOA(q, owner, pkt, r); !ok {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	return soa, true
}

// plain is a record as it stands in a message.
type plain struct {
	rrtype, class uint16
	ttl           uint32
	data, end     int // where its data begins and ends
}

// plainAt reads the record whose owner ends at off.
func plainAt(pkt []byte, off int) (r plain, ok bool) {
	if off+recordLen > len(pkt) {
		return r, false
	}
	r.rrtype, r.class = binary.BigEndian.Uint16(pkt[off:]), binary.BigEndian.Uint16(pkt[off+2:])
	r.ttl, r.data = binary.BigEndian.Uint32(pkt[off+4:]), off+recordLen
	r.end = r.data + int(binary.BigEndian.Uint16(pkt[off+8:]))
	return r, r.end <= len(pkt)
}

// wholeName writes the name at off, compressed or not, into room and returns it and where it ends in the message. Pointers must lead
// backwards (RFC 1035 §4.1.4).
func wholeName(pkt []byte, off int, room *[maxName]byte) (name []byte, end int, ok bool) {
	name = room[:0]
	for bound := off; off < len(pkt); {
		c := int(pkt[off])
		if c >= 0xc0 && off+1 < len(pkt) {
			end = cmp.Or(end, off+2)
			if off = c&0x3f<<8 | int(pkt[off+1]); off < headerLen || off >= bound {
				break
			}
			bound = off
			continue
		}
		if c > 63 || off+1+c > len(pkt) || len(name)+1+c > maxName {
			break
		}
		name = append(name, pkt[off:off+1+c]...)
		if off += 1 + c; c == 0 {
			return name, cmp.Or(end, off), true
		}
	}
	return nil, 0, false
}

// plainSOA is the SOA of a denial.
type plainSOA struct {
	record   []byte // to stand behind the question, whose name it is compressed against
	lifetime uint32 // seconds: the least of its TTL and its MINIMUM (RFC 2308 §5)
}

// readSOA reads the SOA r. It is not ok unless it is whole and of a zone that holds the question's name.
func readSOA(q Question, owner, pkt []byte, r plain) (*plainSOA, bool) {
	for i, c := range owner {
		if 'A' <= c && c <= 'Z' { // length octets are below
			owner[i] = c | 0x20
		}
	}
	b := appendName(make([]byte, 0, 96), q, owner)
	if b[0] < 0xc0 && len(owner) > 1 {
		return nil, false
	}
	b = append(b, pkt[r.data-recordLen:r.data]...)
	data := len(b)
	var room [maxName]byte
	off := r.data
	for range 2 {
		name, end, ok := wholeName(pkt[:r.end], off, &room)
		if !ok {
			return nil, false
		}
		b, off = appendName(b, q, name), end
	}
	if off+soaLen != r.end {
		return nil, false
	}
	b = append(b, pkt[off:r.end]...)
	binary.BigEndian.PutUint16(b[data-2:], uint16(len(b)-data))
	return &plainSOA{record: b, lifetime: min(r.ttl, binary.BigEndian.Uint32(pkt[r.end-4:]))}, true
}

// appendName writes a name, and for as much of its end as is an end of the question's name a pointer there.
func appendName(b []byte, q Question, name []byte) []byte {
	for len(name) > 1 {
		if at := len(q.Name) - len(name); at >= 0 && q.Name[at:] == string(name) && isLabel(q.Name, at) {
			return binary.BigEndian.AppendUint16(b, uint16(toName+at))
		}
		b = append(b, name[:1+name[0]]...)
		name = name[1+name[0]:]
	}
	return append(b, 0)
}

// isLabel says whether a label of the name begins at an offset.
func isLabel(name string, at int) bool {
	off := 0
	for off < at {
		off += 1 + int(name[off])
	}
	return off == at
}
