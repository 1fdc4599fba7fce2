package upstream

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/miekg/dns"
)

// What a type's data consists of, besides a number of octets.
const (
	aName  = -1 - iota // a domain name that senders may compress (RFC 3597 §4)
	aPlain             // a domain name that nobody may compress
	aText              // a length octet and as many octets
	texts              // any number of those
	some               // one or more octets, to the end
	rest               // any octets, to the end
)

// layouts says what the data of the types in use looks like. A type that is not here may hold anything. miekg/dns would not do
// as the judge: it takes data that ends early for whole.
var layouts = map[uint16][]int{
	dns.TypeA:          {4},
	dns.TypeNS:         {aName},
	dns.TypeMD:         {aName},
	dns.TypeMF:         {aName},
	dns.TypeCNAME:      {aName},
	dns.TypeSOA:        {aName, aName, 20},
	dns.TypeMB:         {aName},
	dns.TypeMG:         {aName},
	dns.TypeMR:         {aName},
	dns.TypePTR:        {aName},
	dns.TypeHINFO:      {aText, aText},
	dns.TypeMINFO:      {aName, aName},
	dns.TypeMX:         {2, aName},
	dns.TypeTXT:        {aText, texts},
	dns.TypeRP:         {aName, aName},
	dns.TypeAFSDB:      {2, aName},
	dns.TypeRT:         {2, aName},
	dns.TypeAAAA:       {16},
	dns.TypeSRV:        {6, aName},
	dns.TypeNAPTR:      {4, aText, aText, aText, aName},
	dns.TypeKX:         {2, aName},
	dns.TypeDNAME:      {aName},
	dns.TypeDS:         {4, some},
	dns.TypeSSHFP:      {2, some},
	dns.TypeRRSIG:      {18, aName, some},
	dns.TypeNSEC:       {aPlain, some},
	dns.TypeDNSKEY:     {4, some},
	dns.TypeNSEC3:      {4, aText, aText, rest},
	dns.TypeNSEC3PARAM: {4, aText},
	dns.TypeTLSA:       {3, some},
	dns.TypeSMIMEA:     {3, some},
	dns.TypeCDS:        {4, some},
	dns.TypeCDNSKEY:    {4, some},
	dns.TypeSVCB:       {2, aPlain, rest},
	dns.TypeHTTPS:      {2, aPlain, rest},
	dns.TypeSPF:        {aText, texts},
	dns.TypeURI:        {4, some},
	dns.TypeCAA:        {1, aText, rest},
}

var (
	errShort = errors.New("it ends early")
	errData  = errors.New("its data is not what its type asks for")
)

// readRecord reads the record at off in a message and returns where it ends. Types without names that may be compressed come as
// *dns.RFC3597, so that their octets are passed on as they are.
func readRecord(pkt []byte, off int) (dns.RR, int, error) {
	owner, off, err := dns.UnpackDomainName(pkt, off)
	if err != nil {
		return nil, 0, err
	}
	if off+10 > len(pkt) {
		return nil, 0, errShort
	}
	h := dns.RR_Header{
		Name:     owner,
		Rrtype:   binary.BigEndian.Uint16(pkt[off:]),
		Class:    binary.BigEndian.Uint16(pkt[off+2:]),
		Ttl:      binary.BigEndian.Uint32(pkt[off+4:]),
		Rdlength: binary.BigEndian.Uint16(pkt[off+8:]),
	}
	data := off + 10
	end := data + int(h.Rdlength)
	if end > len(pkt) {
		return nil, 0, errShort
	}
	layout, known := layouts[h.Rrtype]
	if known && !fits(pkt[:end], data, layout) {
		return nil, 0, errData
	}
	if slices.Contains(layout, aName) {
		return dns.UnpackRRWithHeader(h, pkt[:end], data)
	}
	return &dns.RFC3597{Hdr: h, Rdata: hex.EncodeToString(pkt[data:end])}, end, nil
}

// fits says whether the octets from off to the end of b have a layout.
func fits(b []byte, off int, layout []int) bool {
	for _, part := range layout {
		switch part {
		case aName, aPlain:
			off = skipName(b, off, part == aName)
		case aText:
			off = skipText(b, off)
		case texts:
			for off < len(b) {
				off = skipText(b, off)
			}
		case some, rest:
			if part == some && off >= len(b) {
				return false
			}
			off = max(off, len(b))
		default:
			off += part
		}
	}
	return off == len(b)
}

// skipName and skipText return the offset behind a name and a length-prefixed text, which is beyond the end of b if it is not whole.
func skipName(b []byte, off int, pointers bool) int {
	for off < len(b) {
		switch c := b[off]; {
		case c == 0:
			return off + 1
		case c >= 0xc0 && pointers:
			return off + 2
		case c > 63:
			return len(b) + 1
		default:
			off += 1 + int(c)
		}
	}
	return len(b) + 1
}

func skipText(b []byte, off int) int {
	if off >= len(b) {
		return len(b) + 1
	}
	return off + 1 + int(b[off])
}
