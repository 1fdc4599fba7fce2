package dnstest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Show is a reply in lines: the RCODE with the flags aa, tc and ad; the records, as "owner TTL TYPE data" without the dots at
// the end of names, those of the authority and additional sections with the section in front; the Extended DNS Errors as
// "ede 15" and a text in quotes if they have one; other EDNS options by their number.
func Show(m *dns.Msg) []string {
	head := dns.RcodeToString[m.Rcode]
	if m.Rcode == dns.RcodeBadVers { // of a query's reply, never TSIG's BADSIG, which has the same number
		head = "BADVERS"
	}
	for _, flag := range []struct {
		set  bool
		name string
	}{{m.Authoritative, " aa"}, {m.Truncated, " tc"}, {m.AuthenticatedData, " ad"}} {
		if flag.set {
			head += flag.name
		}
	}
	lines := []string{head}
	for i, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if opt, ok := rr.(*dns.OPT); ok {
				lines = append(lines, showOptions(opt)...)
				continue
			}
			lines = append(lines, [...]string{"", "authority ", "additional "}[i]+showRecord(rr))
		}
	}
	return lines
}

func showRecord(rr dns.RR) string {
	fields := strings.SplitN(rr.String(), "\t", 5) // owner, TTL, class, type, data
	if len(fields) < 5 {
		return rr.String()
	}
	out := []string{undotted(fields[0]), fields[1], fields[3]}
	quoted := false
	for _, word := range strings.Split(fields[4], " ") {
		if !quoted && !strings.HasPrefix(word, `"`) {
			word = undotted(word)
		}
		quoted = quoted != ((strings.Count(word, `"`)-strings.Count(word, `\"`))%2 != 0)
		out = append(out, word)
	}
	return strings.Join(out, " ")
}

func undotted(name string) string {
	if name == "." {
		return name
	}
	return strings.TrimSuffix(name, ".")
}

func showOptions(opt *dns.OPT) (lines []string) {
	for _, o := range opt.Option {
		switch e, ok := o.(*dns.EDNS0_EDE); {
		case !ok:
			lines = append(lines, fmt.Sprintf("option %d %s", o.Option(), o))
		case e.ExtraText == "":
			lines = append(lines, fmt.Sprintf("ede %d", e.InfoCode))
		default:
			lines = append(lines, fmt.Sprintf("ede %d %q", e.InfoCode, e.ExtraText))
		}
	}
	return lines
}

// CheckReply holds what is true of every reply to a well-formed query of one question, whatever it says: its ID, QR, opcode, RD,
// CD and question are the query's, in its case; RA is set; there is an OPT record exactly if the query had one (RFC 6891
// §6.1.1), and over UDP no more octets than the client takes, and never more than 1232. It returns the reply.
func CheckReply(query *dns.Msg, network string, raw []byte) (*dns.Msg, error) {
	m := new(dns.Msg)
	if err := m.Unpack(raw); err != nil {
		return nil, fmt.Errorf("the reply %x does not parse: %w", raw, err)
	}
	sent := new(dns.Msg) // the question as it looks after the wire, whatever escapes it was written with
	if pkt, err := query.Pack(); err != nil || sent.Unpack(pkt) != nil {
		return m, fmt.Errorf("the query does not pack: %w", err)
	}
	limit := dns.MaxMsgSize
	asked := query.IsEdns0()
	if network == "udp" {
		if limit = dns.MinMsgSize; asked != nil {
			limit = min(max(limit, int(asked.UDPSize())), 1232)
		}
	}
	switch {
	case m.Id != query.Id || !m.Response || m.Opcode != query.Opcode:
		return m, errors.New("the reply is not to this query")
	case len(m.Question) != 1 || m.Question[0] != sent.Question[0]:
		return m, fmt.Errorf("the reply repeats the question as %v", m.Question)
	case m.RecursionDesired != query.RecursionDesired || m.CheckingDisabled != query.CheckingDisabled:
		return m, errors.New("the reply does not repeat RD and CD")
	case !m.RecursionAvailable:
		return m, errors.New("the reply is without RA")
	case (m.IsEdns0() != nil) != (asked != nil):
		return m, errors.New("the reply has EDNS and the query has none, or the other way round")
	case len(raw) > limit:
		return m, fmt.Errorf("the reply has %d octets over %s, more than %d", len(raw), network, limit)
	}
	return m, nil
}

// String is a query as a server saw it: the name in lower case, the type, and what is special about it: do, cd, ad, noedns, tcp.
func (q Query) String() string {
	question, opt := q.Msg.Question[0], q.Msg.IsEdns0()
	out := undotted(strings.ToLower(question.Name)) + " " + dns.Type(question.Qtype).String()
	for _, mark := range []struct {
		set  bool
		name string
	}{
		{opt != nil && opt.Do(), " do"}, {q.Msg.CheckingDisabled, " cd"}, {q.Msg.AuthenticatedData, " ad"},
		{opt == nil, " noedns"}, {q.Transport == TCP, " tcp"},
	} {
		if mark.set {
			out += mark.name
		}
	}
	return out
}

// Match says whether lines are as expected, in that order. In an expected line … stands for any text; alone it stands for
// any lines; "40 × LINE" stands for as many lines.
func Match(expected, lines []string) bool {
	if len(expected) == 0 {
		return len(lines) == 0
	}
	first := expected[0]
	if first == "…" {
		for i := range len(lines) + 1 {
			if Match(expected[1:], lines[i:]) {
				return true
			}
		}
		return false
	}
	times := 1
	if count, line, ok := strings.Cut(first, " × "); ok {
		if n, err := strconv.Atoi(count); err == nil {
			first, times = line, n
		}
	}
	if times < 0 || len(lines) < times {
		return false
	}
	for _, line := range lines[:times] {
		if !matchLine(first, line) {
			return false
		}
	}
	return Match(expected[1:], lines[times:])
}

func matchLine(expected, line string) bool {
	parts := strings.Split(expected, "…")
	if len(parts) == 1 {
		return expected == line
	}
	last := len(parts) - 1
	rest, ok := strings.CutPrefix(line, parts[0])
	for _, part := range parts[1:last] {
		_, after, found := strings.Cut(rest, part)
		rest, ok = after, ok && found
	}
	return ok && strings.HasSuffix(rest, parts[last])
}
