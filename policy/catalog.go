package policy

import (
	"fmt"
	"strings"
	"sync"
)

// Built-in services that the rules speak of.
const (
	Connectivity  = "connectivity"   // by which systems find out whether they are online
	CertifiedMail = "pec"            // of the providers of certified mail (R10)
	Signature     = "firma-digitale" // that comes with every grant of mail (R4)
)

// builtin is a built-in service as catalog_data.go writes it down. How to add one: an entry there, in order of ids; stores
// of towns take it up at the next start.
type builtin struct {
	id, title string // title: Italian, as office staff see it
	channel   Channel
	entries   []cited
}

// cited are domain rules, parted by spaces, with the source they share. date is the source's own, or the month in which it
// was seen; what is not checked has none.
type cited struct {
	source, date string
	rules        string
}

// catalog is the built-in services, by id. The slice is shared: it must not be written to.
var catalog = sync.OnceValue(func() []Service {
	out := make([]Service, len(builtins))
	for i, b := range builtins {
		out[i] = Service{ID: b.id, Title: b.title, Channel: b.channel, PEC: b.id == CertifiedMail, Builtin: true}
		for _, c := range b.entries {
			for text := range strings.FieldsSeq(c.rules) {
				rule, _, err := ParseRule(text)
				if err != nil {
					panic(fmt.Sprintf("built-in service %s: %v", b.id, err)) // a mistake in catalog_data.go
				}
				out[i].Rules = append(out[i].Rules, ServiceRule{Rule: rule, Source: c.source, Date: c.date})
			}
		}
	}
	return out
})
