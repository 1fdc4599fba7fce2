package dnstest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// asking is what the options of ParseQuestion change.
type asking struct {
	msg     *dns.Msg
	network string
}

// options are those of dig, by the names that dig has for them.
var options = map[string]func(a *asking, n int){
	"tcp":       func(a *asking, _ int) { a.network = "tcp" },
	"noedns":    func(a *asking, _ int) { a.msg.Extra = nil },
	"bufsize":   func(a *asking, n int) { a.opt().SetUDPSize(uint16(n)) },
	"edns":      func(a *asking, n int) { a.opt().SetVersion(uint8(n)) },
	"dnssec":    func(a *asking, _ int) { a.opt().SetDo() },
	"cdflag":    func(a *asking, _ int) { a.msg.CheckingDisabled = true },
	"adflag":    func(a *asking, _ int) { a.msg.AuthenticatedData = true },
	"norecurse": func(a *asking, _ int) { a.msg.RecursionDesired = false },
	"opcode":    func(a *asking, n int) { a.msg.Opcode = n & 15 },
	"qr":        func(a *asking, _ int) { a.msg.Response = true },
	"ednsopt": func(a *asking, n int) {
		a.opt().Option = append(a.opt().Option, &dns.EDNS0_LOCAL{Code: uint16(n), Data: []byte("x")})
	},
}

func (a *asking) opt() *dns.OPT {
	if a.msg.IsEdns0() == nil {
		a.msg.SetEdns0(1232, false)
	}
	return a.msg.IsEdns0()
}

// ParseQuestion makes a query of words as dig has them: a name, with escapes, in its case; a type; then a class or options
// such as +tcp or +bufsize=512, in any order. A query has RD set and EDNS of 1232 octets unless an option says otherwise.
// network is "udp" or "tcp".
func ParseQuestion(words []string) (m *dns.Msg, network string, err error) {
	if len(words) < 2 {
		return nil, "", errors.New("a question has a name and a type")
	}
	name, rest := dns.Fqdn(words[0]), words[2:]
	if _, ok := dns.IsDomainName(name); !ok {
		return nil, "", fmt.Errorf("%q is no name", words[0])
	}
	qtype, ok := number(words[1], "TYPE", dns.StringToType)
	if !ok {
		return nil, "", fmt.Errorf("%q is no type", words[1])
	}
	a := &asking{new(dns.Msg).SetQuestion(name, qtype), "udp"}
	a.msg.SetEdns0(1232, false)
	for _, word := range rest {
		option, isOption := strings.CutPrefix(word, "+")
		if !isOption {
			if a.msg.Question[0].Qclass, ok = number(word, "CLASS", dns.StringToClass); !ok {
				return nil, "", fmt.Errorf("%q is no class and no option", word)
			}
			continue
		}
		option, value, hasValue := strings.Cut(option, "=")
		set, n := options[option], 0
		if hasValue {
			n, err = strconv.Atoi(value)
		}
		if set == nil || err != nil || n < 0 || n > 65535 {
			return nil, "", fmt.Errorf("%q is no option", word)
		}
		set(a, n)
	}
	return a.msg, a.network, nil
}

// number is a type's or class's, by its name or as TYPE65280 (RFC 3597 §5).
func number(text, prefix string, known map[string]uint16) (uint16, bool) {
	if n, ok := known[text]; ok {
		return n, true
	}
	digits, ok := strings.CutPrefix(text, prefix)
	n, err := strconv.ParseUint(digits, 10, 16)
	return uint16(n), ok && err == nil
}
