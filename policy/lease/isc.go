package lease

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// readISC reads dhcpd.leases: blocks "lease ADDRESS { … }" and, of DHCPv6, "ia-na IDENTIFIER { iaaddr ADDRESS { … } }"; the last
// block of an address is what holds. A block that has not ended is being written still, and is left out; so is all that is not known.
func readISC(r io.Reader, into *leases) error {
	var open []iscBlock
	return iscStatements(r, func(words []string, end byte) error {
		switch end {
		case '{':
			if len(open) >= maxDepth {
				return errors.New("its blocks are too deep: it is no lease file of ISC DHCP")
			}
			open = append(open, iscBlock{head: words})
		case '}':
			if len(open) == 0 {
				return nil
			}
			b := open[len(open)-1]
			open = open[:len(open)-1]
			if len(b.head) != 2 || b.head[0] != "lease" && b.head[0] != "iaaddr" {
				return nil
			}
			var outer iscBlock
			if len(open) > 0 {
				outer = open[len(open)-1]
			}
			return b.enter(outer, into)
		default:
			if len(open) > 0 {
				open[len(open)-1].take(words)
			}
		}
		return nil
	})
}

// maxDepth is how deep blocks are in one another at most, and maxWords how many words a statement has: dhcpd writes fewer.
const (
	maxDepth = 8
	maxWords = 64
)

// iscBlock is what one says so far.
type iscBlock struct {
	head   []string
	lease  Lease
	active bool
	wrong  bool // a time that cannot be read
}

func (b *iscBlock) take(w []string) {
	switch {
	case len(w) == 3 && w[0] == "binding" && w[1] == "state":
		b.active = w[2] == "active"
	case len(w) == 3 && w[0] == "hardware" && w[1] == "ethernet":
		b.lease.MAC = macOf(w[2])
	case len(w) == 2 && w[0] == "client-hostname":
		b.lease.Host = hostOf(w[1])
	case len(w) > 1 && w[0] == "cltt":
		b.lease.Since, _ = iscTime(w[1:])
	case len(w) > 1 && w[0] == "ends":
		var ok bool
		if b.lease.Until, ok = iscTime(w[1:]); !ok {
			b.wrong = true
		}
	}
}

// enter ends the block of an address.
func (b *iscBlock) enter(outer iscBlock, into *leases) error {
	addr, ok := addrOf(b.head[1])
	if !ok {
		return nil
	}
	l := b.lease
	l.Addr = addr
	if len(outer.head) == 2 && outer.head[0] == "ia-na" && len(outer.head[1]) > 4 {
		l.MAC, l.Since = macOfDUID([]byte(outer.head[1])[4:]), outer.lease.Since // after the identity's number
	}
	if !b.active || b.wrong {
		delete(into.by, l.Addr)
		return nil
	}
	return into.log(l)
}

// iscTime reads "4 2026/11/26 10:00:00", which is UTC, "epoch 1790000000" and "never", which is the zero time.
func iscTime(w []string) (time.Time, bool) {
	switch {
	case len(w) == 1 && w[0] == "never":
		return time.Time{}, true
	case len(w) == 2 && w[0] == "epoch":
		n, err := strconv.ParseInt(w[1], 10, 64)
		if err != nil {
			return time.Time{}, false
		}
		return seconds(n)
	case len(w) == 3:
		t, err := time.Parse("2006/01/02 15:04:05", w[1]+" "+w[2])
		return t, err == nil
	default:
		return time.Time{}, false
	}
}

// iscStatements calls fn with the words of each statement and what ends it: a semicolon, or a brace. Words in quotes lose them and
// their escapes.
func iscStatements(r io.Reader, fn func(words []string, end byte) error) error {
	var words []string
	return eachLine(r, func(line string) error {
		for len(line) > 0 {
			switch c := line[0]; c {
			case ' ', '\t':
				line = line[1:]
			case '#':
				return nil
			case ';', '{', '}':
				line = line[1:]
				if err := fn(words, c); err != nil {
					return err
				}
				words = nil
			default:
				var word string
				if c == '"' {
					word, line = iscQuoted(line[1:])
				} else {
					n := strings.IndexAny(line, " \t;{}")
					if n < 0 {
						n = len(line)
					}
					word, line = line[:n], line[n:]
				}
				if len(words) < maxWords {
					words = append(words, word)
				}
			}
		}
		return nil
	})
}

// iscQuoted reads a text up to its closing quote, or to the end of the line; octets are escaped as \ and three octal digits.
func iscQuoted(s string) (word, rest string) {
	var out []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return string(out), s[i+1:]
		case s[i] == '\\' && i+3 < len(s):
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out, i = append(out, byte(n)), i+3
				continue
			}
			fallthrough
		case s[i] == '\\' && i+1 < len(s):
			i++
			out = append(out, s[i])
		default:
			out = append(out, s[i])
		}
	}
	return string(out), ""
}
