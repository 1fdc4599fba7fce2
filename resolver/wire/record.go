package wire

import "encoding/binary"

// maxPointers bounds the compression pointers of one name: no name has more labels, so a longer chain serves no one.
const maxPointers = 127

// plainName returns the end of the name that starts at off. Compression pointers and the reserved label types are not
// allowed.
func plainName(msg []byte, off int) (end int, ok bool) {
	for start := off; off < len(msg); {
		n := int(msg[off])
		off += 1 + n
		if n > maxLabel || off-start > maxName {
			return 0, false
		}
		if n == 0 {
			return off, true
		}
	}
	return 0, false
}

// packedName returns the end of the possibly compressed name that starts at off. It follows the pointers, each of which
// must lead to an earlier place in the message (RFC 1035 §4.1.4), and refuses a name of more than 255 octets.
func packedName(msg []byte, off int) (end int, ok bool) {
	start, length := off, 0
	for pointers := 0; off < len(msg); {
		switch c := int(msg[off]); {
		case c <= maxLabel:
			off += 1 + c
			length += 1 + c
			if length > maxName {
				return 0, false
			}
			if c == 0 && pointers == 0 {
				return off, true
			}
			if c == 0 {
				return end, true
			}
		case c >= 0xC0 && off+1 < len(msg):
			target := (c&0x3F)<<8 | int(msg[off+1])
			if pointers == 0 {
				end = off + 2
			}
			pointers++
			if target < headerSize || target >= start || pointers > maxPointers {
				return 0, false
			}
			start, off = target, target
		default:
			return 0, false
		}
	}
	return 0, false
}

// record is a resource record inside a message (RFC 1035 §3.2.1).
type record struct {
	typ, class uint16
	ttlAt      int    // where its TTL stands in the message
	rdata      []byte // as it stands in the message, names in it compressed or not
}

// recordAt reads the record that starts at off and returns where the next one does.
func recordAt(msg []byte, off int) (r record, end int, ok bool) {
	off, ok = packedName(msg, off)
	if !ok || off+10 > len(msg) {
		return r, 0, false
	}
	r.typ = binary.BigEndian.Uint16(msg[off:])
	r.class = binary.BigEndian.Uint16(msg[off+2:])
	r.ttlAt = off + 4
	end = off + 10 + int(binary.BigEndian.Uint16(msg[off+8:]))
	if end > len(msg) {
		return r, 0, false
	}
	r.rdata = msg[off+10 : end]
	return r, end, true
}
