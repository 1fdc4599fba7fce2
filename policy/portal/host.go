package portal

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"usciere/policy"
)

// maxHost is the longest Host that is read, in octets: 253 of a name and a port, or the same beyond ASCII.
const maxHost = 1024

// readHost reads the value of a Host header (RFC 9110 §7.2): a name, or the literal address, with or without a port.
func readHost(host string) (name policy.Name, address netip.Addr, ok bool) {
	if len(host) > maxHost {
		return "", address, false
	}
	host, ok = cutPort(host)
	if !ok || host == "" {
		return "", address, false
	}
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return "", a.Unmap().WithZone(""), err == nil && a.Is6() && strings.HasSuffix(inner, "]")
	}
	if a, err := netip.ParseAddr(strings.TrimSuffix(host, ".")); err == nil {
		return "", a, a.Is4()
	}
	for i := range len(host) {
		if c := host[i]; c < 0x80 && !isNameOctet(c) {
			return "", address, false
		}
	}
	name, err := policy.ParseName(host)
	return name, address, err == nil && name != policy.Root
}

func isNameOctet(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// cutPort takes the port off, which must be one if it is there.
func cutPort(host string) (string, bool) {
	colon := strings.LastIndexByte(host, ':')
	if colon < 0 || strings.HasSuffix(host, "]") {
		return host, true
	}
	if port := host[colon+1:]; port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return "", false
		}
	}
	return host[:colon], true
}

// unicodeOf is the name as its owner writes it, where it has letters beyond ASCII and cannot be taken for another one: a label
// is of one script, and of one that shares its letters with Latin only where the whole name is. Else it is empty.
func unicodeOf(name policy.Name) string {
	ascii := name.String()
	if !strings.Contains(ascii, "xn--") {
		return ""
	}
	text, err := idna.Display.ToUnicode(ascii)
	if err != nil || text == ascii {
		return ""
	}
	if again, err := idna.Lookup.ToASCII(text); err != nil || again != ascii {
		return ""
	}
	labels := strings.Split(text, ".")
	foreignTop := !isLatin(labels[len(labels)-1])
	for _, label := range labels {
		if strings.HasPrefix(label, "xn--") || !isLatin(label) && !foreignTop && !isApart(label) {
			return ""
		}
		if !isLatin(label) && foreignTop && hasLatin(label) {
			return ""
		}
	}
	return text
}

// isLatin says whether all letters of a label are Latin ones.
func isLatin(label string) bool { return ofScripts(label, unicode.Latin) }

// isApart says whether a label is of a script that nobody takes for Latin.
func isApart(label string) bool {
	for _, together := range [][]*unicode.RangeTable{
		{unicode.Han, unicode.Hiragana, unicode.Katakana}, {unicode.Hangul}, {unicode.Arabic}, {unicode.Hebrew}, {unicode.Devanagari}, {unicode.Thai},
	} {
		if ofScripts(label, together...) {
			return true
		}
	}
	return false
}

func ofScripts(label string, scripts ...*unicode.RangeTable) bool {
	for _, c := range label {
		if !unicode.In(c, scripts...) && !unicode.In(c, unicode.Common, unicode.Inherited) {
			return false
		}
	}
	return true
}

func hasLatin(label string) bool {
	return strings.ContainsFunc(label, func(c rune) bool { return unicode.Is(unicode.Latin, c) })
}
