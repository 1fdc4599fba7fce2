package policy

import "golang.org/x/net/publicsuffix"

// Browsable says whether a name could be a site that a person opens, for which a block page makes sense: two labels or
// more, under a top-level domain of the public DNS. Service names (an underscore), proxy and tunnel discovery (wpad,
// isatap), reverse and special-use names are none.
func Browsable(name []byte) bool {
	if hasLabel(name, "\x04wpad") || hasLabel(name, "\x06isatap") {
		return false
	}
	labels, last := 0, 0
	for i := 0; name[i] != 0; i += 1 + int(name[i]) {
		if name[i+1] == '_' {
			return false
		}
		last = i
		labels++
	}
	if labels < 2 {
		return false
	}
	return string(name[last:]) != "\x04arpa\x00" && isPublic(name[last:])
}

// isPublic says whether a single label, in wire form, is a top-level domain of the public DNS (publicsuffix.org).
func isPublic(label []byte) bool {
	_, icann := publicsuffix.PublicSuffix(string(label[1 : 1+int(label[0])]))
	return icann
}
