package dnstest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// Reply is a reply to q with these records, given as zone-file lines, in the answer section. A line that does not parse
// is an error of the test's script, so it panics.
func Reply(q Query, answer ...string) *dns.Msg {
	m := new(dns.Msg).SetReply(q.Msg)
	m.RecursionAvailable = true
	m.Compress = true
	m.Answer = parse(answer)
	return m
}

// ReplyNegative is a reply to q with this RCODE and these zone-file lines in the authority section.
func ReplyNegative(q Query, rcode int, authority ...string) *dns.Msg {
	m := Reply(q)
	m.Rcode = rcode
	m.Ns = parse(authority)
	return m
}

// Records is the honest handler: it answers from zone-file lines as a recursive server would. CNAMEs are followed within the
// lines; what is not there is NXDOMAIN or NODATA with the first SOA of the lines that encloses the name. A reply over the
// client's UDP size is truncated.
func Records(lines ...string) Handler {
	rrs := parse(lines)
	return func(q Query) []Send {
		m := Reply(q)
		lookUp(m, rrs, q.Name(), q.Msg.Question[0].Qtype)
		size := dns.MinMsgSize
		if opt := q.Msg.IsEdns0(); opt != nil {
			m.SetEdns0(dns.DefaultMsgSize, opt.Do())
			size = int(opt.UDPSize())
		}
		if q.Transport == UDP {
			m.Truncate(size)
		}
		return []Send{Message(m)}
	}
}

// lookUp fills m with what the records say of a name.
func lookUp(m *dns.Msg, rrs []dns.RR, name string, qtype uint16) {
	for range len(rrs) + 1 { // a chain is at most every record once
		exists, target := false, ""
		found := len(m.Answer)
		for _, rr := range rrs {
			h := rr.Header()
			exists = exists || dns.IsSubDomain(name, h.Name)
			if !strings.EqualFold(h.Name, name) {
				continue
			}
			if cname, ok := rr.(*dns.CNAME); ok && qtype != dns.TypeCNAME {
				target = cname.Target
			}
			if h.Rrtype == qtype || h.Rrtype == dns.TypeCNAME {
				m.Answer = append(m.Answer, dns.Copy(rr))
			}
		}
		if target != "" {
			name = target
			continue
		}
		if len(m.Answer) > found {
			return
		}
		if !exists {
			m.Rcode = dns.RcodeNameError
		}
		break
	}
	for _, rr := range rrs {
		if rr.Header().Rrtype == dns.TypeSOA && dns.IsSubDomain(rr.Header().Name, name) {
			m.Ns = []dns.RR{dns.Copy(rr)}
			return
		}
	}
}

// ParseRecord reads one zone-file line, whose names are relative to the root.
func ParseRecord(line string) (dns.RR, error) {
	rr, err := dns.NewRR(line)
	if err == nil && rr == nil {
		err = errors.New("there is no record")
	}
	if err != nil {
		return nil, fmt.Errorf("record %q: %w", line, err)
	}
	return rr, nil
}

func parse(lines []string) []dns.RR {
	var rrs []dns.RR
	for _, line := range lines {
		rr, err := ParseRecord(line)
		if err != nil {
			panic("dnstest: " + err.Error())
		}
		rrs = append(rrs, rr)
	}
	return rrs
}
