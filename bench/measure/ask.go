package measure

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// answerTime is how long one reply is waited for.
const answerTime = 500 * time.Millisecond

// Ask sends one question for an address (RFC 1035 §4.1) and returns the response code of the reply.
func Ask(server netip.AddrPort, name string) (code int, err error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	query := Query(uint16(time.Now().UnixNano()), name)
	if err := conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return 0, err
	}
	if _, err := conn.Write(query); err != nil {
		return 0, err
	}
	var reply [1500]byte
	n, err := conn.Read(reply[:])
	if err != nil {
		return 0, err
	}
	if n < 12 || reply[0] != query[0] || reply[1] != query[1] || reply[2]&0x80 == 0 {
		return 0, fmt.Errorf("%d octets that are no reply", n)
	}
	return int(reply[3] & 0x0f), nil
}

// Query is a query for the A records of a name, recursion desired.
func Query(id uint16, name string) []byte {
	query := binary.BigEndian.AppendUint16(nil, id)
	query = append(query, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		query = append(query, byte(len(label)))
		query = append(query, label...)
	}
	return append(query, 0, 0, 1, 0, 1)
}
