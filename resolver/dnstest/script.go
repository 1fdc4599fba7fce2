package dnstest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Forged is the address in every answer that a script makes up.
const Forged = "203.0.113.66"

// telling is what a line of a script works with: the query, the honest answer, and a forged one.
type telling struct {
	q             Query
	truth, forged *dns.Msg
	n             int    // the line's number, or its default
	record        dns.RR // the line's record
}

// lies are the lines of a script besides RCODEs. How to add one: an entry here, and its name in the comment of Script.
var lies = map[string]struct {
	n    int // default of the line's number; 0: it has none
	tell func(t telling) []Send
}{
	"truth":          {0, func(t telling) []Send { return []Send{Message(t.truth)} }},
	"nothing":        {0, func(telling) []Send { return nil }},
	"wrong-id":       {1, func(t telling) []Send { return Message(t.forged).WrongID().Times(t.n) }},
	"wrong-question": {0, func(t telling) []Send { return []Send{Message(t.forged).WrongQuestion()} }},
	"wrong-case":     {0, func(t telling) []Send { return []Send{Message(t.forged).WrongCase()} }},
	"other-port":     {0, func(t telling) []Send { return []Send{Message(t.forged).FromOtherPort()} }},
	"not-a-response": {0, func(t telling) []Send { return []Send{Message(t.forged).NotAResponse()} }},
	"truncated":      {0, func(t telling) []Send { return []Send{Message(t.truth).Truncated()} }},
	"cut":            {40, func(t telling) []Send { return []Send{Message(t.forged).Cut(t.n)} }},
	"hang-up":        {0, func(telling) []Send { return []Send{HangUp()} }},
	"empty":          {0, func(telling) []Send { return []Send{Raw(nil)} }},
	"garbage":        {0, func(telling) []Send { return []Send{Raw([]byte("GET / HTTP/1.1\r\n\r\n"))} }},
	"header": {0, func(t telling) []Send {
		return []Send{Raw([]byte{byte(t.q.Msg.Id >> 8), byte(t.q.Msg.Id), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0})}
	}},
	"loop":      {3, func(t telling) []Send { return []Send{Message(aliases(t.q, t.n, true))} }},
	"chain":     {60, func(t telling) []Send { return []Send{Message(aliases(t.q, t.n, false))} }},
	"no-edns":   {0, func(t telling) []Send { return []Send{Message(withoutEDNS(t))} }},
	"stuffed":   {0, func(t telling) []Send { return []Send{Message(stuffed(t))} }},
	"authentic": {0, func(t telling) []Send { return []Send{Message(authentic(t.truth))} }},
}

// Script is a handler that sends, for each query, what these lines say, one after another:
//
//	truth               what the server's records say
//	nothing             silence
//	SERVFAIL            this RCODE, as any other, without records
//	wrong-id [N]        a forged answer with a wrong ID, N times
//	wrong-question      … to another question
//	wrong-case          … whose question has the case of its letters changed
//	other-port          … from another port
//	not-a-response      … with QR=0
//	cut [N]             … cut after N octets, over TCP too
//	truncated           TC=1 and no records
//	hang-up             the end of a TCP connection
//	empty               a datagram of no octets
//	garbage, header     octets that are no message; a header alone that promises more
//	loop [N]            a loop of N CNAMEs
//	chain [N]           a chain of N CNAMEs and an address at its end
//	no-edns             FORMERR to a query with EDNS, the truth to one without
//	stuffed RECORD      the truth, with a record in its answer section that does not belong there
//	authentic           the truth with AD=1
//
// No lines at all are the truth.
func Script(truth Handler, lines []string) (Handler, error) {
	type told struct {
		tell   func(t telling) []Send
		n      int
		record dns.RR
	}
	var script []told
	for _, line := range lines {
		word, rest, _ := strings.Cut(line, " ")
		if rcode, ok := dns.StringToRcode[word]; ok && rest == "" {
			script = append(script, told{tell: func(t telling) []Send { return []Send{Message(t.truth).Rcode(rcode)} }})
			continue
		}
		lie, ok := lies[word]
		next, err := told{tell: lie.tell, n: lie.n}, error(nil)
		switch {
		case !ok:
			err = errors.New("no such line of a script")
		case word == "stuffed":
			next.record, err = ParseRecord(rest)
		case rest != "" && lie.n > 0:
			next.n, err = strconv.Atoi(rest)
		case rest != "":
			err = errors.New("nothing follows that word")
		}
		if err == nil && (next.n < 0 || next.n > 1000) {
			err = errors.New("1000 are the most")
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		script = append(script, next)
	}
	if len(script) == 0 {
		return truth, nil
	}
	return func(q Query) (sends []Send) {
		t := telling{q: q, forged: Reply(q, q.Name()+" 3600 A "+Forged)}
		for _, honest := range truth(q) {
			t.truth = honest.msg
		}
		for _, next := range script {
			t.n, t.record = next.n, next.record
			sends = append(sends, next.tell(t)...)
		}
		return sends
	}, nil
}

// aliases is an answer of n CNAMEs, back to the question's name or to a forged address.
func aliases(q Query, n int, loop bool) *dns.Msg {
	var lines []string
	owner := q.Name()
	for i := range n {
		target := fmt.Sprintf("link%d.example.", i)
		if loop && i == n-1 {
			target = q.Name()
		}
		lines = append(lines, owner+" 60 CNAME "+target)
		owner = target
	}
	if !loop {
		lines = append(lines, owner+" 60 A "+Forged)
	}
	return Reply(q, lines...)
}

func stuffed(t telling) *dns.Msg {
	m := t.truth.Copy()
	m.Answer = append(m.Answer, dns.Copy(t.record))
	return m
}

func withoutEDNS(t telling) *dns.Msg {
	if t.q.Msg.IsEdns0() != nil {
		return ReplyNegative(t.q, dns.RcodeFormatError)
	}
	return t.truth
}

func authentic(truth *dns.Msg) *dns.Msg {
	m := truth.Copy()
	m.AuthenticatedData = true
	return m
}
