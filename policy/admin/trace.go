package admin

import (
	"time"

	"usciere/policy"
)

// Trace is what a question comes to now, alias by alias.
type Trace struct {
	Rcode   string      `json:"rcode,omitempty"`
	Links   []TraceLink `json:"links,omitempty"`
	Records []string    `json:"records,omitempty"` // at the end, in presentation form
	Problem string      `json:"problem,omitempty"` // why there is no answer
}

// TraceLink is an alias.
type TraceLink struct {
	Name   policy.Name `json:"name"`
	Target policy.Name `json:"target"`
	TTL    uint32      `json:"ttl"`             // seconds
	Owner  string      `json:"owner,omitempty"` // of the target: its registrable domain
	Leaves bool        `json:"leaves"`          // the owner is another than the name's
}

// trace asks what the name comes to; a failure is part of the answer.
func (c *call) trace(who *policy.Client, name policy.Name, t policy.Type, at time.Time) *Trace {
	out, err := c.cfg.Resolver.Trace(c.rules, who, name, t, at)
	if err != nil {
		out.Problem = err.Error()
	}
	for i := range out.Links {
		l := &out.Links[i]
		l.Owner = l.Target.Owner()
		l.Leaves = l.Owner != l.Name.Owner()
	}
	return &out
}
