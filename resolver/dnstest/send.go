package dnstest

import (
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Send is one message that a server sends, and how. Make one with Message or Raw and bend it with the methods, which
// return a bent copy: Message(m).WrongID().FromOtherPort().
type Send struct {
	msg       *dns.Msg
	raw       []byte
	after     <-chan struct{}
	drip      <-chan time.Time
	cut       int
	otherPort bool
	hangUp    bool
}

// Message sends a reply.
func Message(m *dns.Msg) Send { return Send{msg: m} }

// Raw sends these octets as they are (over TCP behind a length prefix).
func Raw(b []byte) Send { return Send{raw: b} }

// HangUp closes a TCP connection; over UDP it is silence.
func HangUp() Send { return Send{hangUp: true} }

// WrongID has an ID that is not the query's.
func (s Send) WrongID() Send {
	return s.bent(func(m *dns.Msg) { m.Id ^= 0x5a5a })
}

// WrongQuestion is a reply to another name, with all else right.
func (s Send) WrongQuestion() Send {
	return s.bent(func(m *dns.Msg) { m.Question[0].Name = "other." + m.Question[0].Name })
}

// WrongCase has the question's name with each letter's case changed (a query without letters stays as it is).
func (s Send) WrongCase() Send {
	return s.bent(func(m *dns.Msg) {
		m.Question[0].Name = strings.Map(func(r rune) rune {
			if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
				return r ^ 0x20
			}
			return r
		}, m.Question[0].Name)
	})
}

// NotAResponse has QR=0.
func (s Send) NotAResponse() Send {
	return s.bent(func(m *dns.Msg) { m.Response = false })
}

// Truncated has TC=1 and no records.
func (s Send) Truncated() Send {
	return s.bent(func(m *dns.Msg) { m.Truncated, m.Answer, m.Ns = true, nil, nil })
}

// Rcode has this RCODE and no records.
func (s Send) Rcode(rcode int) Send {
	return s.bent(func(m *dns.Msg) { m.Rcode, m.Answer, m.Ns = rcode, nil, nil })
}

// FromOtherPort comes from another port of the server's address (UDP only).
func (s Send) FromOtherPort() Send {
	s.otherPort = true
	return s
}

// After is held back until the channel is closed.
func (s Send) After(ch <-chan struct{}) Send {
	s.after = ch
	return s
}

// Drip is sent octet by octet over TCP, one for each value on the channel (a ticker's).
func (s Send) Drip(tick <-chan time.Time) Send {
	s.drip = tick
	return s
}

// Cut is only the first n octets, n > 0. Over TCP the length prefix promises the whole, and the connection is closed after it.
func (s Send) Cut(n int) Send {
	s.cut = n
	return s
}

// Times is the message n times over.
func (s Send) Times(n int) []Send {
	out := make([]Send, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func (s Send) bent(change func(m *dns.Msg)) Send {
	m := s.msg.Copy()
	change(m)
	s.msg = m
	return s
}

// bytes is the whole message. A message that cannot be packed is an error of the test's script, so it panics.
func (s Send) bytes() []byte {
	if s.msg == nil {
		return s.raw
	}
	b, err := s.msg.Pack()
	if err != nil {
		panic("dnstest: packing a scripted reply: " + err.Error())
	}
	return b
}

func (s Send) cutOff(b []byte) []byte {
	if s.cut > 0 && s.cut < len(b) {
		return b[:s.cut]
	}
	return b
}
