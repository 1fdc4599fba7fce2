package policy

import (
	"sort"
	"strconv"
	"strings"
)

// Type is a DNS record type (RFC 1035 §3.2.2) as a rule or an explanation names it.
type Type uint16

// The types that the policy itself has to know.
const (
	TypeA     Type = 1
	TypeMX    Type = 15
	TypeAAAA  Type = 28
	TypeSRV   Type = 33
	TypeSVCB  Type = 64
	TypeHTTPS Type = 65
)

// typeNames are the mnemonics of the IANA registry that a town may meet; any other type is written TYPE123 (RFC 3597 §5).
var typeNames = map[Type]string{
	TypeA: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 13: "HINFO", TypeMX: "MX", 16: "TXT", 18: "AFSDB", TypeAAAA: "AAAA",
	29: "LOC", TypeSRV: "SRV", 35: "NAPTR", 37: "CERT", 39: "DNAME", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG",
	47: "NSEC", 48: "DNSKEY", 50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA", 59: "CDS", 60: "CDNSKEY",
	61: "OPENPGPKEY", TypeSVCB: "SVCB", TypeHTTPS: "HTTPS", 99: "SPF", 255: "ANY", 256: "URI", 257: "CAA",
}

var typeNumbers = func() map[string]Type {
	m := make(map[string]Type, len(typeNames))
	for t, name := range typeNames {
		m[name] = t
	}
	return m
}()

// String is the mnemonic of the type, or TYPE123.
func (t Type) String() string {
	if s, ok := typeNames[t]; ok {
		return s
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// ParseType reads a mnemonic, in any case, or TYPE123.
func ParseType(text string) (Type, error) {
	up := strings.ToUpper(strings.TrimSpace(text))
	if t, ok := typeNumbers[up]; ok {
		return t, nil
	}
	if digits, ok := strings.CutPrefix(up, "TYPE"); ok {
		if n, err := strconv.ParseUint(digits, 10, 16); err == nil && n > 0 {
			return Type(n), nil
		}
	}
	return 0, invalid("types are written A, AAAA, HTTPS, TXT, … or TYPE123", "%q is no record type", shorten(text))
}

// MarshalText writes the mnemonic.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads a mnemonic.
func (t *Type) UnmarshalText(text []byte) (err error) {
	*t, err = ParseType(string(text))
	return err
}

// sortTypes orders types and drops repetitions.
func sortTypes(types []Type) []Type {
	sort.Slice(types, func(i, j int) bool { return types[i] < types[j] })
	out := types[:0]
	for i, t := range types {
		if i == 0 || t != types[i-1] {
			out = append(out, t)
		}
	}
	return out
}
