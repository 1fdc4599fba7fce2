package policy

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/idna"
)

// Name is a domain name in canonical wire form (RFC 1035 §3.1, RFC 4034 §6.2): labels prefixed with their length, not
// compressed, ASCII upper case folded to lower, ending in the zero octet of the root; 1 to 255 octets. As text it is
// written in presentation form without the final dot ("www.inps.it", the root as ".").
type Name string

// Root is the name with no labels.
const Root Name = "\x00"

const maxName = 255         // octets, RFC 1035 §3.1
const maxText = 4 * maxName // of a name as text: each octet may be written \DDD, or take four in UTF-8
const maxLabel = 63         // octets, RFC 1035 §3.1

var errEmptyName = errors.New("the name is empty")

// hostProfile maps what a person types to what is asked of the DNS (UTS 46, non-transitional); underscores pass, since
// service names (_imaps._tcp) are names too, and so do hyphens in the third and fourth place (r3---sn-4g5e.googlevideo.com).
var hostProfile = idna.New(idna.MapForLookup(), idna.CheckHyphens(false), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(false))

// ParseName reads a name in presentation form (RFC 1035 §5.1): `\.` and `\DDD` stand for any octet, a final dot is
// optional, letters beyond ASCII are mapped by IDNA. Its errors say what is wrong with the name.
func ParseName(text string) (Name, error) {
	if text == "" {
		return "", errEmptyName
	}
	if text == "." {
		return Root, nil
	}
	if !isASCII(text) {
		mapped, err := mapHost(text)
		if err != nil {
			return "", fmt.Errorf("%q is not a valid internationalised name: %w", shorten(text), err)
		}
		text = mapped
	}
	out := make([]byte, 1, len(text)+2)
	start := 0 // where the length octet of the current label stands
	closeLabel := func() error {
		n := len(out) - start - 1
		if n == 0 {
			return fmt.Errorf("%q has an empty label", shorten(text))
		}
		if n > maxLabel {
			return fmt.Errorf("a label of %q is %d octets long: 63 are the most (RFC 1035)", shorten(text), n)
		}
		out[start] = byte(n)
		start = len(out)
		out = append(out, 0)
		return nil
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '.':
			if err := closeLabel(); err != nil {
				return "", err
			}
			continue
		case c == '\\':
			octet, used, err := unescape(text[i:])
			if err != nil {
				return "", fmt.Errorf("%q: %w", shorten(text), err)
			}
			c, i = octet, i+used-1
		}
		out = append(out, lower(c))
	}
	if len(out)-start > 1 { // no final dot
		if err := closeLabel(); err != nil {
			return "", err
		}
	}
	if len(out) > maxName {
		return "", fmt.Errorf("%q is %d octets long: 255 are the most (RFC 1035)", shorten(text), len(out))
	}
	return Name(out), nil
}

// mapHost maps what a person types to the ASCII form. What does not map to itself again, as broken UTF-8 does not, is no name.
// Longer texts than any name's are not mapped at all, since punycode takes the square of their length.
func mapHost(text string) (string, error) {
	if len(text) > maxText {
		return "", fmt.Errorf("it is %d octets long: 255 are the most (RFC 1035)", len(text))
	}
	ascii, err := hostProfile.ToASCII(text)
	if err != nil {
		return "", err
	}
	if again, err := hostProfile.ToASCII(ascii); err != nil || again != ascii {
		return "", errors.New("it has a character that no name can have")
	}
	return ascii, nil
}

// unescape reads the escape at the start of s and how long it is.
func unescape(s string) (octet byte, used int, err error) {
	if len(s) < 2 {
		return 0, 0, errors.New(`a "\" stands at the end`)
	}
	if s[1] < '0' || s[1] > '9' {
		return s[1], 2, nil
	}
	if len(s) < 4 {
		return 0, 0, errors.New(`a "\" is followed by fewer than three digits`)
	}
	n := 0
	for _, d := range []byte(s[1:4]) {
		if d < '0' || d > '9' {
			return 0, 0, errors.New(`a "\" is followed by fewer than three digits`)
		}
		n = n*10 + int(d-'0')
	}
	if n > 255 {
		return 0, 0, fmt.Errorf(`\%03d is no octet`, n)
	}
	return byte(n), 4, nil
}

// String is the presentation form; octets that are not printable ASCII, and the dot, the backslash, the quote and the
// like inside a label, are escaped, so that the text is safe in a line of a log or terminal.
func (n Name) String() string {
	if n == Root || n == "" {
		return "."
	}
	var b strings.Builder
	for i := 0; i < len(n) && n[i] != 0; {
		if i > 0 {
			b.WriteByte('.')
		}
		end := min(i+1+int(n[i]), len(n))
		for _, c := range []byte(n[i+1 : end]) {
			switch {
			case c <= ' ' || c > '~':
				fmt.Fprintf(&b, `\%03d`, c)
			case strings.IndexByte(`.\"();@$<>&'`, c) >= 0:
				b.WriteByte('\\')
				b.WriteByte(c)
			default:
				b.WriteByte(c)
			}
		}
		i = end
	}
	return b.String()
}

// Labels is how many labels the name has; the root has none.
func (n Name) Labels() int {
	count := 0
	for i := 0; i < len(n) && n[i] != 0; i += 1 + int(n[i]) {
		count++
	}
	return count
}

// Parent is the name without its first label; the root's parent is the root.
func (n Name) Parent() Name {
	if len(n) <= 1 {
		return Root
	}
	return n[1+int(n[0]):]
}

// Under says whether n is other or a name below it.
func (n Name) Under(other Name) bool {
	for ; len(n) > len(other); n = n.Parent() {
		continue
	}
	return n == other
}

// MarshalText writes the presentation form.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads the presentation form.
func (n *Name) UnmarshalText(text []byte) (err error) {
	*n, err = ParseName(string(text))
	return err
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func shorten(s string) string {
	if len(s) <= 80 {
		return s
	}
	return s[:77] + "..."
}
