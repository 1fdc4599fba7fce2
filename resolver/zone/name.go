package zone

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/miekg/dns"
)

// maxName is the longest name on the wire in octets, the root's zero octet included (RFC 1035 §3.1).
const maxName = 255

// canonical turns a name in presentation form, relative to the root, into its canonical wire form (RFC 4034 §6.2).
func canonical(text string) ([]byte, error) {
	if text == "" {
		return nil, errors.New("the name is empty")
	}
	for i := range len(text) {
		if text[i] >= 0x80 {
			return nil, fmt.Errorf("the name %q is not ASCII: write its xn-- form, or \\DDD for a raw octet", text)
		}
	}
	if _, ok := dns.IsDomainName(text); !ok {
		return nil, fmt.Errorf("%q is not a domain name: labels have 1 to 63 octets, a name at most %d", text, maxName)
	}
	buf := make([]byte, maxName)
	n, err := dns.PackDomainName(dns.Fqdn(text), buf, 0, nil, false)
	if err != nil {
		return nil, fmt.Errorf("%q is not a domain name: %w", text, err)
	}
	name := buf[:n]
	for i, c := range name { // a label's length is at most 63, below 'A'
		if 'A' <= c && c <= 'Z' {
			name[i] = c + 'a' - 'A'
		}
	}
	return name, nil
}

// presentation is the fully qualified text of a name in wire form, with escapes (RFC 1035 §5.1, RFC 4343 §2.1).
func presentation(name []byte) string {
	text, _, err := dns.UnpackDomainName(name, 0)
	if err != nil {
		panic("zone: a name not in canonical wire form: " + err.Error())
	}
	return text
}

// parent is the name without its first label; name must not be the root.
func parent(name []byte) []byte { return name[1+int(name[0]):] }

// within tells whether name is origin or stands below it.
func within(name, origin []byte) bool {
	for len(name) > len(origin) {
		name = parent(name)
	}
	return bytes.Equal(name, origin)
}

// isWildcard tells whether the first label of name is a lone asterisk (RFC 4592 §2.1.1).
func isWildcard(name []byte) bool { return len(name) > 2 && name[0] == 1 && name[1] == '*' }
