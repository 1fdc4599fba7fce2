// Package wire reads questions and writes replies on the bytes of DNS messages, without allocating (RFC 1035 §4.1).
//
// A Query is read from a packet and may be reused for the next one. A Builder writes the one reply to it, either from
// single records or from a packed answer: a whole DNS message without OPT, its question section in lower case, as the
// cache keeps it and the upstream delivers it.
//
// A name is in canonical wire form unless said otherwise: length-prefixed labels, uncompressed, ending in the zero
// octet, ASCII upper case folded to lower (RFC 4034 §6.2), 1 to 255 octets, each of any value.
package wire

// UDPSize is the payload size in octets that the server announces, and the largest reply it sends over UDP: what
// crosses an IPv6 path of the least MTU unfragmented, 1280 - 40 - 8 (RFC 9715 §3.1 R5; the DNS flag day of 2020).
const UDPSize = 1232

const (
	headerSize = 12
	minUDPSize = 512 // RFC 1035 §4.2.1: what a client without EDNS takes; RFC 6891 §6.2.3: smaller values mean this one
	maxTCPSize = 65535
	maxName    = 255 // RFC 1035 §3.1
	maxLabel   = 63
	maxMessage = 65535
	maxTTL     = 1<<31 - 1 // RFC 2181 §8: a TTL with the top bit set counts as zero
)

// Types and classes that mean something to this package or to those who build on it.
const (
	TypeSOA uint16 = 6
	TypeOPT uint16 = 41
	TypeANY uint16 = 255

	ClassIN uint16 = 1
	ClassCH uint16 = 3
)

// Response codes; those over 15 need EDNS (RFC 6895 §2.3).
const (
	RcodeNoError   uint16 = 0
	RcodeFormErr   uint16 = 1
	RcodeServFail  uint16 = 2
	RcodeNXDomain  uint16 = 3
	RcodeNotImp    uint16 = 4
	RcodeRefused   uint16 = 5
	RcodeBadVers   uint16 = 16
	RcodeBadCookie uint16 = 23
)

// EDNS options that are read or written (RFC 5001, RFC 8914).
const (
	optionNSID   uint16 = 3
	optionCookie uint16 = 10
	optionEDE    uint16 = 15
)
