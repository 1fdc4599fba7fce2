package wire

import "encoding/binary"

// Flags in the third and fourth octet of the header (RFC 1035 §4.1.1, RFC 4035 §3.1.6, §3.2.2).
const (
	flagQR = 0x80
	flagAA = 0x04
	flagTC = 0x02
	flagRD = 0x01

	flagRA = 0x80
	flagAD = 0x20
	flagCD = 0x10
)

// Section is the section of a message that a record is in.
type Section uint8

// The sections, in the order of a message.
const (
	Answer Section = iota
	Authority
	Additional
)

const (
	maxEDE    = 4   // Extended DNS Errors in one reply; a block has two
	maxPieces = 6   // of the text of one
	maxNSID   = 128 // octets; with the longest question and maxEDE codes the OPT still fits in 512
)

type extendedError struct {
	code uint16
	text [maxPieces]string
}

// length is that of the text in octets.
func (e *extendedError) length() (n int) {
	for _, piece := range e.text {
		n += len(piece)
	}
	return n
}

// Builder writes one reply after another, each: Begin or Relay, then Record, SOA and EDE as needed, then Finish. It
// appends to the slice it is given and allocates only when that is too small.
type Builder struct {
	// NSID is the server's identifier, told to clients that ask for it (RFC 5001); none when empty. At most 128
	// octets are sent.
	NSID []byte
	// Cookie is the DNS cookie told to a client that showed its part, both parts together (RFC 7873 §4); none when empty.
	Cookie []byte

	q            *Query
	msg          []byte
	rcode        uint16 // extended
	counts       [3]uint16
	additionalAt int // where the additional section starts, 0 when it is empty
	ede          [maxEDE]extendedError
	edes         int
	cut          bool // Finish left something out
}

// Begin starts a reply to q in dst, which is overwritten from its start. The question is echoed in the case it was sent
// in, when q has one. RA is set, the opcode, RD and CD are the query's, AD is clear. rcode is the extended response
// code, up to 12 bits; one over 15 becomes SERVFAIL for a client without EDNS. q must not change before Finish.
func (b *Builder) Begin(dst []byte, q *Query, rcode uint16, aa bool) {
	b.start(dst, q, rcode, aa, false)
}

func (b *Builder) start(dst []byte, q *Query, rcode uint16, aa, ad bool) {
	if rcode > 0xF && !q.EDNS {
		rcode = RcodeServFail
	}
	b.q = q
	b.rcode = rcode
	b.counts = [3]uint16{}
	b.additionalAt = 0
	b.edes = 0
	b.cut = false

	high := flagQR | q.Opcode<<3 | bit(aa, flagAA) | bit(q.RD, flagRD)
	low := flagRA | bit(ad, flagAD) | bit(q.CD, flagCD) | byte(rcode&0xF)
	b.msg = append(dst[:0], byte(q.ID>>8), byte(q.ID), high, low, 0, 0, 0, 0, 0, 0, 0, 0)
	if q.questionLen > 0 {
		b.msg[5] = 1
		b.msg = append(b.msg, q.question[:q.questionLen]...)
	}
}

func bit(set bool, flag byte) byte {
	if set {
		return flag
	}
	return 0
}

// Record adds a record owned by the name asked, of the class asked; ttl is in seconds. Sections come in the order of
// the message: Answer, Authority, Additional. The query must have had a readable question.
func (b *Builder) Record(section Section, typ uint16, ttl uint32, rdata []byte) {
	b.owner(section, typ, ttl, len(rdata))
	b.msg = append(b.msg, rdata...)
}

// owner writes a record up to and with its data length.
func (b *Builder) owner(section Section, typ uint16, ttl uint32, rdlength int) {
	if section == Additional && b.additionalAt == 0 {
		b.additionalAt = len(b.msg)
	}
	b.counts[section]++
	b.msg = append(b.msg, 0xC0, headerSize)
	b.msg = binary.BigEndian.AppendUint16(b.msg, typ)
	b.msg = binary.BigEndian.AppendUint16(b.msg, b.q.Class)
	b.msg = binary.BigEndian.AppendUint32(b.msg, ttl)
	b.msg = binary.BigEndian.AppendUint16(b.msg, uint16(rdlength))
}

// Timers of the SOA records written by SOA, in seconds. Nobody transfers a zone that is made up on the spot, so they
// only have to be plausible (RFC 1912 §2.2).
const (
	soaRefresh = 3600
	soaRetry   = 900
	soaExpire  = 1209600
)

// SOA adds to the authority section the SOA record that a negative answer carries (RFC 2308 §3), owned by the name
// asked. mname and rname are in canonical wire form; minimum is how long in seconds the denial may be kept, together
// with ttl: the smaller counts (RFC 2308 §5).
func (b *Builder) SOA(mname, rname []byte, serial, minimum, ttl uint32) {
	b.owner(Authority, TypeSOA, ttl, len(mname)+len(rname)+20)
	b.msg = append(b.msg, mname...)
	b.msg = append(b.msg, rname...)
	for _, v := range [...]uint32{serial, soaRefresh, soaRetry, soaExpire, minimum} {
		b.msg = binary.BigEndian.AppendUint32(b.msg, v)
	}
}

// EDE adds an Extended DNS Error (RFC 8914), up to four in a reply; text is UTF-8 in up to six pieces, none if there is
// nothing to say. A client without EDNS is not told.
func (b *Builder) EDE(code uint16, text ...string) {
	if b.edes < maxEDE && b.q.EDNS {
		e := &b.ede[b.edes]
		e.code = code
		clear(e.text[copy(e.text[:], text):])
		b.edes++
	}
}

// Finish ends the reply and returns it; it is at most limit octets long, limit being at least 512. A client with EDNS
// gets an OPT record (RFC 6891 §6.1.1). What is too long loses first the texts of its Extended DNS Errors, then the
// additional section (RFC 2181 §9), and at last all its records, which sets TC.
func (b *Builder) Finish(limit int) []byte {
	texts := true
	fits := func() bool { return len(b.msg)+b.optSize(texts) <= limit }
	if !fits() {
		texts, b.cut = false, true
	}
	if !fits() && b.additionalAt > 0 {
		b.msg = b.msg[:b.additionalAt]
		b.counts[Additional] = 0
	}
	if !fits() {
		b.msg = b.msg[:headerSize+b.q.questionLen]
		b.msg[2] |= flagTC
		b.counts = [3]uint16{}
	}
	if b.q.EDNS {
		b.appendOPT(texts)
	}
	for i, n := range b.counts {
		binary.BigEndian.PutUint16(b.msg[6+2*i:], n)
	}
	return b.msg
}

// Restate makes of reply, which was Finished for another query with the same name, type, class, flags and EDNS, the reply to q, in dst.
func (q *Query) Restate(dst, reply []byte) []byte {
	msg := append(dst[:0], reply...)
	binary.BigEndian.PutUint16(msg, q.ID)
	copy(msg[headerSize:], q.question[:q.questionLen])
	return msg
}

// Cut tells whether Finish had to leave something out, so that the reply is that short for one client only.
func (b *Builder) Cut() bool { return b.cut }

// optSize returns the octets that appendOPT will write.
func (b *Builder) optSize(texts bool) int {
	if !b.q.EDNS {
		return 0
	}
	size := 11
	for i := range b.ede[:b.edes] {
		e := &b.ede[i]
		size += 6
		if texts {
			size += e.length()
		}
	}
	if id := b.nsid(); len(id) > 0 {
		size += 4 + len(id)
	}
	if c := b.cookie(); len(c) > 0 {
		size += 4 + len(c)
	}
	return size
}

// cookie returns the DNS cookie to be sent, empty unless there is one and the client showed its part.
func (b *Builder) cookie() []byte {
	if b.q.cookieLen == 0 {
		return nil
	}
	return b.Cookie
}

// nsid returns the identifier to be sent, empty unless there is one and the client asked.
func (b *Builder) nsid() []byte {
	if !b.q.NSID {
		return nil
	}
	return b.NSID[:min(len(b.NSID), maxNSID)]
}

// appendOPT writes the OPT record: owner root, our payload size as class, extended response code, version 0 and DO in
// place of the TTL, then the options (RFC 6891 §6.1.2, §6.1.3).
func (b *Builder) appendOPT(texts bool) {
	b.counts[Additional]++
	rdlength := b.optSize(texts) - 11
	b.msg = append(b.msg, 0, 0, byte(TypeOPT), UDPSize>>8, UDPSize&0xFF,
		byte(b.rcode>>4), 0, bit(b.q.DO, 0x80), 0, byte(rdlength>>8), byte(rdlength))
	for i := range b.ede[:b.edes] {
		e, length := &b.ede[i], 0
		if texts {
			length = e.length()
		}
		b.msg = binary.BigEndian.AppendUint16(b.msg, optionEDE)
		b.msg = binary.BigEndian.AppendUint16(b.msg, uint16(2+length))
		b.msg = binary.BigEndian.AppendUint16(b.msg, e.code)
		if texts {
			for _, piece := range e.text {
				b.msg = append(b.msg, piece...)
			}
		}
	}
	if id := b.nsid(); len(id) > 0 {
		b.msg = binary.BigEndian.AppendUint16(b.msg, optionNSID)
		b.msg = binary.BigEndian.AppendUint16(b.msg, uint16(len(id)))
		b.msg = append(b.msg, id...)
	}
	if c := b.cookie(); len(c) > 0 {
		b.msg = binary.BigEndian.AppendUint16(b.msg, optionCookie)
		b.msg = binary.BigEndian.AppendUint16(b.msg, uint16(len(c)))
		b.msg = append(b.msg, c...)
	}
}
