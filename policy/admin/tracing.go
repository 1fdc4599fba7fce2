package admin

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"usciere/policy"
)

// Tracer keeps what some clients ask and are told, while a trace lasts.
type Tracer interface {
	// Start begins one, journalled; a refusal is a *policy.Error.
	Start(who policy.Actor, wanted policy.StartTrace) (*policy.Tracing, error)
	// Stop ends the one under way, journalled.
	Stop(who policy.Actor) (*policy.EndTrace, error)
	// Read returns what is kept, at most so many questions from a number on; that who looked is journalled.
	Read(who policy.Actor, from uint64, most int) (*TracePage, error)
	// Export returns what writes all that is kept as a dnstap file.
	Export(who policy.Actor) (func(io.Writer) error, error)
}

// TracePage is a trace, and some of the questions in it.
type TracePage struct {
	policy.Tracing
	Seen      uint64           `json:"seen"` // questions in all, those forgotten for want of room included
	Questions []TracedQuestion `json:"questions"`
}

// TracedQuestion is a question and what its client was told.
type TracedQuestion struct {
	Number  uint64    `json:"number"` // from 1, without gaps
	Asked   time.Time `json:"asked"`
	Took    float64   `json:"took_ms"`
	Client  string    `json:"client"`
	Over    string    `json:"over"` // udp, tcp, tls, https or quic
	Name    string    `json:"name"` // as asked
	Type    string    `json:"type"`
	Verdict string    `json:"verdict"` // local, sinkholed, allowed or refused
	Rcode   string    `json:"rcode"`
	Answer  []string  `json:"answer,omitempty"` // records in presentation form
}

// maxTraced is how many questions of a trace come at once.
const maxTraced = 1000

func startTrace(c *call) (any, error) {
	wanted, err := body[policy.StartTrace](c.w, c.r)
	if err != nil {
		return nil, err
	}
	return c.cfg.Traces.Start(c.who, wanted)
}

func stopTrace(c *call) (any, error) {
	if _, err := body[struct{}](c.w, c.r); err != nil {
		return nil, err
	}
	return c.cfg.Traces.Stop(c.who)
}

func showTrace(c *call) (any, error) {
	q, err := params(c.r, "from")
	if err != nil {
		return nil, err
	}
	from := uint64(1)
	if text := q.Get("from"); text != "" {
		if from, err = strconv.ParseUint(text, 10, 64); err != nil || from == 0 {
			return nil, invalid("questions are numbered from 1", fmt.Sprintf("%q is no number of a question", text))
		}
	}
	return c.cfg.Traces.Read(c.who, from, maxTraced)
}

func exportTrace(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	write, err := c.cfg.Traces.Export(c.who)
	return stream{"application/octet-stream", write}, err
}

// StartTrace begins a trace.
func (c *Client) StartTrace(ctx context.Context, wanted policy.StartTrace) (*policy.Tracing, error) {
	return post[*policy.Tracing](ctx, c, "/v1/trace/start", wanted)
}

// StopTrace ends the trace under way.
func (c *Client) StopTrace(ctx context.Context) (*policy.EndTrace, error) {
	return post[*policy.EndTrace](ctx, c, "/v1/trace/stop", struct{}{})
}

// Trace shows the trace under way, with a page of its questions from a number on.
func (c *Client) Trace(ctx context.Context, from uint64) (*TracePage, error) {
	return get[*TracePage](ctx, c, "/v1/trace/show", url.Values{"from": {strconv.FormatUint(from, 10)}})
}

// ExportTrace writes the trace under way as a dnstap file.
func (c *Client) ExportTrace(ctx context.Context, w io.Writer) (int64, error) {
	return c.pour(ctx, "/v1/trace/export", nil, w)
}
