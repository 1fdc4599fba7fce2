package tap

import (
	"strings"

	"github.com/miekg/dns"
)

// Shown is what an exchange was about, in presentation form.
type Shown struct {
	Name, Type, Rcode string
	Answer            []string
}

// Show reads an exchange's messages. What cannot be read is left empty.
func (e *Exchange) Show() (out Shown) {
	var m dns.Msg
	if m.Unpack(e.Reply) != nil {
		return out
	}
	out.Rcode = dns.RcodeToString[m.Rcode]
	if len(m.Question) == 1 {
		out.Name, out.Type = m.Question[0].Name, dns.Type(m.Question[0].Qtype).String()
	}
	for _, rr := range m.Answer {
		out.Answer = append(out.Answer, strings.ReplaceAll(rr.String(), "\t", " "))
	}
	return out
}
