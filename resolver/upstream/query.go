package upstream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/miekg/dns"
)

const (
	headerLen = 12 // RFC 1035 §4.1.1
	optLen    = 11 // an OPT record without options (RFC 6891 §6.1.2)

	// ednsSize is the largest UDP reply we take: what passes every path unfragmented (RFC 9715 §3).
	ednsSize = 1232
)

// Bits of a header's third and fourth octet.
const (
	bitQR, bitTC, bitRD = 0x80, 0x02, 0x01
	bitRA, bitAD, bitCD = 0x80, 0x20, 0x10
	maskOpcode          = 0x78
	maskRcode           = 0x0f
)

// query is one question as sent to one server.
type query struct {
	Question
	sent      []byte // the whole message
	edns      bool   // it has an OPT record
	exactCase bool   // the reply must repeat the name's case
	trusted   bool   // the server's AD bit counts
	may       passes // be in the answer

	caseChanged bool // the reply did not repeat the name's case, and did not have to
}

// check says whether the name is one: a mistake of the caller must not become a malformed query.
func (q Question) check() error {
	if len(q.Name) == 0 || len(q.Name) > 255 {
		return fmt.Errorf("asking upstream for a name of %d octets: 1 to 255 are allowed", len(q.Name))
	}
	for i := 0; i < len(q.Name); i += 1 + int(q.Name[i]) {
		if q.Name[i] > 63 {
			break
		}
		if q.Name[i] == 0 && i == len(q.Name)-1 {
			return nil
		}
		if q.Name[i] == 0 {
			break
		}
	}
	return fmt.Errorf("asking upstream for %q: not a name in wire form", q.Name)
}

// newQuery builds a query: fresh ID, RD=1, letter case and EDNS as the server can take them. AD=1 asks a validator to show
// its AD bit without DO (RFC 6840 §5.7).
func (g *Group) newQuery(q Question, how manner) *query {
	x := &query{Question: q, edns: how.edns, exactCase: how.mixed, trusted: g.cfg.Trusted, may: passes{private: g.mayBePrivate(q.Name), ech: !g.cfg.WithoutECH}}
	b := make([]byte, 0, headerLen+len(q.Name)+4+optLen)
	b = binary.BigEndian.AppendUint16(b, g.random.id())
	flags := byte(0)
	if q.CD {
		flags |= bitCD
	}
	if x.trusted {
		flags |= bitAD
	}
	b = append(b, bitRD, flags, 0, 1, 0, 0, 0, 0, 0, 0)
	b = append(b, q.Name...)
	if how.mixed {
		g.random.mixCase(b[headerLen:])
	}
	b = binary.BigEndian.AppendUint16(b, q.Type)
	b = binary.BigEndian.AppendUint16(b, q.Class)
	if how.edns {
		b[11] = 1 // ARCOUNT
		b = append(b, 0, 0, byte(dns.TypeOPT))
		b = binary.BigEndian.AppendUint16(b, ednsSize)
		do := byte(0)
		if q.DO {
			do = 0x80
		}
		b = append(b, 0, 0, do, 0, 0, 0) // extended RCODE, version, flags, no options
	}
	x.sent = b
	return x
}

var (
	// errStranger: a message that does not belong to the query; it is dropped, and the socket is read on.
	errStranger = errors.New("a message that does not match the query")
	// errCase: right but for the case of the name: changed on the way, or forged; TCP settles it.
	errCase = errors.New("a reply with the letter case of the name changed")
	// errTruncated: the answer is to be had over TCP (RFC 2181 §9).
	errTruncated = errors.New("a truncated reply")
)

// check says whether a message is the reply to the query: nil, errStranger or errCase. A message without a question is
// one only if it is the FORMERR or NOTIMP of a server that does not know EDNS and could not read on (RFC 6891 §7); it is then
// returned as its rcodeError.
func (x *query) check(pkt []byte) error {
	if len(pkt) < headerLen || !bytes.Equal(pkt[:2], x.sent[:2]) || pkt[2]&bitQR == 0 || pkt[2]&maskOpcode != 0 {
		return errStranger
	}
	rcode := rcodeError(pkt[3] & maskRcode)
	if len(pkt) == headerLen && x.edns && rcode.unknownEDNS() {
		return rcode
	}
	end := headerLen + len(x.Name) + 4
	if len(pkt) < end || pkt[4] != 0 || pkt[5] != 1 {
		return errStranger
	}
	got, sent := pkt[headerLen:end], x.sent[headerLen:end]
	if bytes.Equal(got, sent) {
		return nil
	}
	name := len(x.Name)
	if !bytes.Equal(got[name:], sent[name:]) || !equalFold(got[:name], x.Name) {
		return errStranger
	}
	if x.exactCase {
		return errCase
	}
	x.caseChanged = true
	return nil
}

// equalFold compares a name in wire form with a canonical one. Length octets are below 64, no letters.
func equalFold(name []byte, canonical string) bool {
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != canonical[i] {
			return false
		}
	}
	return true
}

// take checks a message and makes an answer of it. The message is changed. With errStranger or errUnusable the caller reads
// on; any other error is the server's last word.
func (x *query) take(pkt []byte) (Answer, error) {
	if err := x.check(pkt); err != nil {
		return Answer{}, err
	}
	if pkt[2]&bitTC != 0 {
		return Answer{}, errTruncated
	}
	// Names that are compressed against the question would otherwise show our random case.
	copy(pkt[headerLen:], x.Name)
	if a, ok := cleanPlain(x.Question, pkt, x.trusted, x.may); ok {
		return a, nil
	}
	return clean(x.Question, pkt, x.trusted, x.may)
}
