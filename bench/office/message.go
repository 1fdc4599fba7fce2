package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"usciere/bench/officeload"
)

const headerLength = 12 // octets of a DNS header (RFC 1035 §4.1.1)

// appendQuery appends a question in wire form, with recursion desired.
func appendQuery(b []byte, id uint16, edns bool, q *officeload.Question) []byte {
	b = binary.BigEndian.AppendUint16(b, id)
	additional := byte(0)
	if edns {
		additional = 1
	}
	b = append(b, 1, 0, 0, 1, 0, 0, 0, 0, 0, additional)
	b = appendQuestion(b, q)
	if edns {
		b = append(b, 0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0) // OPT with 1232 octets (RFC 6891 §6.1.2)
	}
	return b
}

func appendQuestion(b []byte, q *officeload.Question) []byte {
	for label := range strings.SplitSeq(q.Name, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0, byte(q.Type>>8), byte(q.Type), 0, 1)
}

func (r reply) id() uint16 { return binary.BigEndian.Uint16(r.packet) }
func (r reply) rcode() int { return int(r.packet[3] & 0x0f) }

// answers says whether it is a response to the question, which it must repeat octet by octet.
func (r reply) answers(q *officeload.Question) bool {
	var room [300]byte
	asked := appendQuestion(room[:0], q)
	return r.packet[2]&0x80 != 0 && bytes.HasPrefix(r.packet[headerLength:], asked)
}

// check says what is wrong with the reply to the question; empty: it is as it must be.
func (r reply) check(q *officeload.Question) string {
	count := int(binary.BigEndian.Uint16(r.packet[6:]))
	switch {
	case r.rcode() != q.Want.Rcode:
		return fmt.Sprintf("response code %d; want %d", r.rcode(), q.Want.Rcode)
	case (count > 0) != q.Want.Records:
		return fmt.Sprintf("%d records in the answer section; want some: %v", count, q.Want.Records)
	case !q.Want.Addr.IsValid():
		return ""
	}
	var room [300]byte
	addr, err := firstAddress(r.packet[headerLength+len(appendQuestion(room[:0], q)):], q.Type)
	if err != nil {
		return err.Error()
	}
	if addr != q.Want.Addr {
		return fmt.Sprintf("address %s; want %s", addr, q.Want.Addr)
	}
	return ""
}

// firstAddress reads the address record that an answer section begins with.
func firstAddress(b []byte, t officeload.Type) (netip.Addr, error) {
	off := 0
	for off < len(b) && b[off] != 0 && b[off] < 0xc0 {
		off += 1 + int(b[off])
	}
	if off < len(b) && b[off] >= 0xc0 {
		off++ // a pointer has two octets (RFC 1035 §4.1.4)
	}
	off++
	const fixed = 10 // octets of type, class, TTL and length of the data
	if len(b) < off+fixed {
		return netip.Addr{}, fmt.Errorf("the reply ends within its first record")
	}
	if got := officeload.Type(binary.BigEndian.Uint16(b[off:])); got != t {
		return netip.Addr{}, fmt.Errorf("the first record is of type %d", got)
	}
	length := int(binary.BigEndian.Uint16(b[off+8:]))
	addr, ok := netip.AddrFromSlice(b[off+fixed : min(off+fixed+length, len(b))])
	if !ok {
		return addr, fmt.Errorf("an address of %d octets", length)
	}
	return addr, nil
}
