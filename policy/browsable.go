package policy

import (
	"hash/maphash"
	"sync/atomic"

	"golang.org/x/net/publicsuffix"
)

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

// Inward says whether a question is one that machines mean for the network they are in, so that nobody outside is to be asked: the
// address of a name of one label, which the public DNS does not give (SSAC 053), and names of automatic proxy configuration and of ISATAP
// tunnels, whoever's domain they are tried in: who registered it would get the town's traffic.
func Inward(name []byte, t Type) bool {
	if name[0] == 0 {
		return false
	}
	first := name[:1+int(name[0])]
	if string(first) == "\x04wpad" || string(first) == "\x06isatap" {
		return true
	}
	return name[len(first)] == 0 && (t == TypeA || t == TypeAAAA)
}

// isPublic says whether a single label, in wire form, is a top-level domain of the public DNS (publicsuffix.org). The list
// takes a string, which would have to be made anew for every question: what it said of the labels asked last is kept.
func isPublic(label []byte) bool {
	text := label[1 : 1+int(label[0])]
	place := &topLevel[maphash.Bytes(seedLo, text)%uint64(len(topLevel))]
	known := place.Load()
	if known == nil || known.label != string(text) {
		known = &topLabel{label: string(text)}
		_, known.public = publicsuffix.PublicSuffix(known.label)
		place.Store(known)
	}
	return known.public
}

type topLabel struct {
	label  string
	public bool
}

// topLevel holds what isPublic found out, each label in the place its hash gives, the newest of those that share one. A town
// meets some tens of them.
var topLevel [1 << 10]atomic.Pointer[topLabel]
