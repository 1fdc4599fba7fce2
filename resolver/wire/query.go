package wire

import "encoding/binary"

// Outcome is what reading a packet came to, and so what kind of reply is due.
type Outcome uint8

// The outcomes.
const (
	Good       Outcome = iota // a well-formed question of class IN or CH
	Drop                      // a response, or shorter than a header: silence
	FormErr                   // malformed, or not exactly one question
	NotImp                    // an opcode other than QUERY
	BadVers                   // an EDNS version other than 0 (RFC 6891 §6.1.3)
	Refused                   // a class other than IN and CH
	CookieOnly                // no question, but a DNS cookie (RFC 7873 §5.4)
)

// Rcode returns the extended response code of the reply that o calls for. Drop has none and gives RcodeServFail.
func (o Outcome) Rcode() uint16 {
	switch o {
	case Good, CookieOnly:
		return RcodeNoError
	case FormErr:
		return RcodeFormErr
	case NotImp:
		return RcodeNotImp
	case BadVers:
		return RcodeBadVers
	case Refused:
		return RcodeRefused
	}
	return RcodeServFail
}

// Query is one question as read from a packet. It keeps no reference to the packet. The zero value is ready for Read,
// and the same Query may be read into again and again.
type Query struct {
	ID          uint16
	Opcode      uint8
	RD, AD, CD  bool
	Type, Class uint16

	EDNS    bool
	Version uint8
	DO      bool
	UDPSize uint16 // octets, as the client said, at least 512 (RFC 6891 §6.2.3); 512 without EDNS
	NSID    bool   // the client asked for the server's identifier (RFC 5001)

	cookie    [maxCookie]byte
	cookieLen int

	name        [maxName]byte // canonical
	nameLen     int
	question    [maxName + 4]byte // the question section as sent
	questionLen int               // 0 when no question could be read
}

// Name returns the name asked in canonical wire form, empty when no question could be read. It is valid until the next
// Read.
func (q *Query) Name() []byte { return q.name[:q.nameLen] }

// Lengths of cookies in octets (RFC 7873 §4): of the client's part, and of both parts together.
const (
	ClientCookie = 8
	leastCookie  = ClientCookie + 8
	maxCookie    = ClientCookie + 32
)

// Cookie returns the client's part of the DNS cookie, and the server's, each empty when there is none. They are valid until the next Read.
func (q *Query) Cookie() (client, server []byte) {
	if q.cookieLen == 0 {
		return nil, nil
	}
	return q.cookie[:ClientCookie], q.cookie[ClientCookie:q.cookieLen]
}

// Limit returns the size in octets of the largest reply that the client can take.
func (q *Query) Limit(udp bool) int {
	if !udp {
		return maxTCPSize
	}
	if !q.EDNS {
		return minUDPSize
	}
	return min(int(q.UDPSize), UDPSize)
}

// Read fills q from a packet. Whatever the outcome but Drop, q holds as much as could be read, so that a Builder can
// write the reply: the header, the question if there is exactly one and it is whole, EDNS if an OPT record was reached.
//
// Of a query it demands what RFC 1035 §4.1 and RFC 6891 §6.1 do: one question with an uncompressed name, or else a DNS cookie, nothing in
// the answer and authority sections, at most one OPT, no octets after the last record. Unknown EDNS options and flags, and
// additional records other than OPT, are passed over (RFC 8906).
func (q *Query) Read(pkt []byte) Outcome {
	q.Type, q.Class = 0, 0
	q.EDNS, q.Version, q.DO, q.UDPSize, q.NSID = false, 0, false, minUDPSize, false
	q.nameLen, q.questionLen, q.cookieLen = 0, 0, 0
	if len(pkt) < headerSize || pkt[2]&flagQR != 0 {
		return Drop
	}
	q.ID = binary.BigEndian.Uint16(pkt)
	q.Opcode = pkt[2] >> 3 & 0xF
	q.RD = pkt[2]&flagRD != 0
	q.AD = pkt[3]&flagAD != 0
	q.CD = pkt[3]&flagCD != 0

	wellFormed := q.readSections(pkt)
	switch {
	case q.Opcode != 0:
		return NotImp
	case !wellFormed:
		return FormErr
	case q.Version != 0:
		return BadVers
	case q.questionLen == 0:
		return CookieOnly
	case q.Class != ClassIN && q.Class != ClassCH:
		return Refused
	}
	return Good
}

// readSections reads what follows the header, as far as it can, and tells whether it is a well-formed query.
func (q *Query) readSections(pkt []byte) bool {
	questions := binary.BigEndian.Uint16(pkt[4:])
	before := int(binary.BigEndian.Uint16(pkt[6:])) + int(binary.BigEndian.Uint16(pkt[8:]))
	additional := int(binary.BigEndian.Uint16(pkt[10:]))

	off := headerSize
	if questions > 1 || questions == 1 && !q.readQuestion(pkt) {
		return false
	}
	off += q.questionLen
	for i := range before + additional {
		r, end, ok := recordAt(pkt, off)
		if !ok {
			return false
		}
		if r.typ == TypeOPT && (i < before || pkt[off] != 0 || !q.readOPT(pkt, r)) {
			return false
		}
		off = end
	}
	return (questions == 1 || questions == 0 && q.cookieLen > 0) && before == 0 && off == len(pkt) && q.Type != TypeOPT
}

// readQuestion copies the question section, and the name in it folded to lower case.
func (q *Query) readQuestion(pkt []byte) bool {
	end, ok := plainName(pkt, headerSize)
	if !ok || end+4 > len(pkt) {
		return false
	}
	q.Type = binary.BigEndian.Uint16(pkt[end:])
	q.Class = binary.BigEndian.Uint16(pkt[end+2:])
	q.questionLen = copy(q.question[:], pkt[headerSize:end+4])
	sent := pkt[headerSize:end]
	q.nameLen = len(sent)
	name := q.name[:len(sent)]
	for i, c := range sent { // length octets are at most 63, below 'A'
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		name[i] = c
	}
	return true
}

// readOPT reads the OPT record r (RFC 6891 §6.1.2) and tells whether it is the first and its options are whole. The
// options of a version not known are not looked at.
func (q *Query) readOPT(pkt []byte, r record) bool {
	if q.EDNS {
		return false
	}
	q.EDNS = true
	q.UDPSize = max(r.class, minUDPSize)
	q.Version = pkt[r.ttlAt+1]
	q.DO = pkt[r.ttlAt+2]&0x80 != 0
	if q.Version != 0 {
		return true
	}
	options := r.rdata
	for len(options) >= 4 {
		code := binary.BigEndian.Uint16(options)
		end := 4 + int(binary.BigEndian.Uint16(options[2:]))
		if end > len(options) {
			return false
		}
		switch {
		case code == optionNSID:
			q.NSID = true
		case code == optionCookie && q.cookieLen == 0: // of several the first counts (RFC 7873 §5.2)
			if n := end - 4; n != ClientCookie && (n < leastCookie || n > maxCookie) {
				return false // RFC 7873 §5.2.2
			}
			q.cookieLen = copy(q.cookie[:], options[4:end])
		}
		options = options[end:]
	}
	return len(options) == 0
}
