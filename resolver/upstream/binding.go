package upstream

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"slices"

	"github.com/miekg/dns"
)

// passes is what the records of an answer may have.
type passes struct {
	private bool // addresses of local networks
	ech     bool // keys with which a browser hides from the network which site it asks for (RFC 9849)
}

// Parameters of a service binding (RFC 9460 §14.3.2).
const (
	svcMandatory = 0
	svcIPv4Hint  = 4
	svcECH       = 5
	svcIPv6Hint  = 6
)

func isBinding(t uint16) bool { return t == dns.TypeSVCB || t == dns.TypeHTTPS }

// restrain takes out of records what may not pass: addresses, address hints and ECH keys. The signature of what was changed goes as well.
// changed says whether anything was, and the server's word that it is authentic is worth nothing any more.
func restrain(records []dns.RR, p passes) (_ []dns.RR, changed bool) {
	if p.private && p.ech {
		return records, false
	}
	before := len(records)
	if !p.private {
		records = withoutPrivate(records)
	}
	broken := map[uint16]bool{}
	records = slices.DeleteFunc(records, func(rr dns.RR) bool {
		raw, ok := rr.(*dns.RFC3597)
		if !ok || !isBinding(raw.Hdr.Rrtype) {
			return false
		}
		data, err := hex.DecodeString(raw.Rdata)
		if err != nil {
			return true
		}
		kept, ok := restrainBinding(data, p)
		if len(kept) != len(data) || !ok {
			broken[raw.Hdr.Rrtype] = true
			raw.Rdata, raw.Hdr.Rdlength = hex.EncodeToString(kept), uint16(len(kept))
		}
		return !ok
	})
	if len(broken) > 0 {
		records = slices.DeleteFunc(records, func(rr dns.RR) bool {
			sig, ok := rr.(*dns.RRSIG)
			return ok && broken[sig.TypeCovered]
		})
	}
	return records, len(broken) > 0 || len(records) != before
}

// restrainBinding takes parameters out of the data of a service binding. It is not ok when the data is malformed, or what goes is
// mandatory (RFC 9460 §8): without it the record would say something else.
func restrainBinding(data []byte, p passes) (kept []byte, ok bool) {
	off := skipName(data, min(2, len(data)), false)
	if off > len(data) {
		return nil, false
	}
	kept = slices.Clone(data[:off])
	var mandatory []byte
	for off < len(data) {
		if off+4 > len(data) {
			return nil, false
		}
		key, end := binary.BigEndian.Uint16(data[off:]), off+4+int(binary.BigEndian.Uint16(data[off+2:]))
		if end > len(data) {
			return nil, false
		}
		value := data[off+4 : end]
		off = end
		goes := false
		switch key {
		case svcMandatory:
			mandatory = value
		case svcECH:
			goes = !p.ech
		case svcIPv4Hint, svcIPv6Hint:
			if p.private {
				break
			}
			if value, ok = publicHints(value, key); !ok {
				return nil, false
			}
			goes = len(value) == 0
		}
		if goes && wanted(mandatory, key) {
			return nil, false
		}
		if !goes {
			kept = binary.BigEndian.AppendUint16(kept, key)
			kept = binary.BigEndian.AppendUint16(kept, uint16(len(value)))
			kept = append(kept, value...)
		}
	}
	return kept, true
}

// wanted says whether a key is in the value of mandatory.
func wanted(mandatory []byte, key uint16) bool {
	for i := 0; i+1 < len(mandatory); i += 2 {
		if binary.BigEndian.Uint16(mandatory[i:]) == key {
			return true
		}
	}
	return false
}

// publicHints are the hints without private addresses.
func publicHints(value []byte, key uint16) (kept []byte, ok bool) {
	size := 4
	if key == svcIPv6Hint {
		size = 16
	}
	if len(value)%size != 0 {
		return nil, false
	}
	for one := range slices.Chunk(value, size) {
		if a, _ := netip.AddrFromSlice(one); !isPrivate(a) {
			kept = append(kept, one...)
		}
	}
	return kept, true
}
