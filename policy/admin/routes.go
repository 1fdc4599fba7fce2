package admin

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"usciere/policy"
	"usciere/policy/letter"
	"usciere/policy/request"
)

// call is one command on its way to its reply.
type call struct {
	*Server
	w     http.ResponseWriter
	r     *http.Request
	peer  *peer
	who   policy.Actor
	mine  permit
	rules *policy.Snapshot
	now   time.Time
}

// route is one command of the API: its reply is a value to be sent as JSON, or a stream.
type route struct {
	method string
	path   string
	permit permit
	serve  func(*call) (any, error)
}

// routes are all commands. Their paths mirror those of the command line.
var routes = []route{
	{"GET", "/v1/status", read, status},

	{"POST", "/v1/office/add", change, apply[policy.AddOffice]},
	{"POST", "/v1/office/change", change, apply[policy.ChangeOffice]},
	{"POST", "/v1/office/remove", change, apply[policy.RemoveOffice]},
	{"GET", "/v1/office/list", read, listOffices},
	{"GET", "/v1/office/show", read, showOffice},
	{"GET", "/v1/office/counts", read, countOffices},

	{"POST", "/v1/network/add", change, apply[policy.AddNetwork]},
	{"POST", "/v1/network/remove", change, apply[policy.RemoveNetwork]},
	{"GET", "/v1/network/list", read, listNetworks},

	{"POST", "/v1/host/add", change, apply[policy.AddHost]},
	{"POST", "/v1/host/remove", change, apply[policy.RemoveHost]},
	{"GET", "/v1/host/list", read, listHosts},

	{"POST", "/v1/device/add", change, apply[policy.AddDevice]},
	{"POST", "/v1/device/remove", change, apply[policy.RemoveDevice]},
	{"GET", "/v1/device/list", read, listDevices},
	{"GET", "/v1/lease/list", read, listLeases},

	{"POST", "/v1/token/add", change, apply[policy.AddToken]},
	{"POST", "/v1/token/rotate", change, apply[policy.RotateToken]},
	{"POST", "/v1/token/revoke", change, apply[policy.RevokeToken]},
	{"GET", "/v1/token/list", read, listTokens},

	{"POST", "/v1/seat/add", change, apply[policy.AddSeat]},
	{"POST", "/v1/seat/assign", change, apply[policy.AssignSeat]},
	{"POST", "/v1/seat/remove", change, apply[policy.RemoveSeat]},
	{"GET", "/v1/seat/list", read, listSeats},
	{"GET", "/v1/seat/history", read, seatHistory},

	{"POST", "/v1/service/add", change, addService},
	{"POST", "/v1/service/remove", change, apply[policy.RemoveService]},
	{"GET", "/v1/service/list", read, listServices},
	{"GET", "/v1/service/show", read, showService},

	{"POST", "/v1/grant/add", decide, apply[policy.AddGrants]},
	{"POST", "/v1/grant/preview", decide, previewGrants},
	{"POST", "/v1/grant/revoke", change, apply[policy.RevokeGrants]},
	{"GET", "/v1/grant/list", read, listGrants},
	{"GET", "/v1/grant/show", read, showGrant},

	{"POST", "/v1/request/submit", change, apply[request.Submit]},
	{"POST", "/v1/request/endorse", change, apply[request.Endorse]},
	{"POST", "/v1/request/approve", decide, applyAs(func(a *request.Approve, s letter.Style) { a.Style = s })},
	{"POST", "/v1/request/deny", decide, applyAs(func(d *request.Deny, s letter.Style) { d.Style = s })},
	{"POST", "/v1/request/withdraw", change, apply[request.Withdraw]},
	{"GET", "/v1/request/list", read, listRequests},
	{"GET", "/v1/request/show", read, showRequest},

	{"POST", "/v1/letter/register", change, registerLetter},
	{"POST", "/v1/letter/resend", change, resendLetter},
	{"GET", "/v1/letter/list", read, listLetters},
	{"GET", "/v1/letter/show", read, showLetter},
	{"GET", "/v1/outbox", read, showOutbox},

	{"GET", "/v1/register", read, listRegister},
	{"GET", "/v1/review", read, reviewOffice},

	{"GET", "/v1/town", read, showTown},
	{"POST", "/v1/town/apply", change, applyTown},

	{"GET", "/v1/explain", read, explain},

	{"GET", "/v1/asked", read, listAsked},

	{"POST", "/v1/trace/start", decide, startTrace},
	{"GET", "/v1/trace/show", change, showTrace},
	{"GET", "/v1/trace/export", change, exportTrace},
	{"POST", "/v1/trace/stop", change, stopTrace},

	{"GET", "/v1/alias/list", read, listAliases},
	{"POST", "/v1/alias/accept", change, apply[policy.AcceptAliases]},

	{"GET", "/v1/journal", read, listJournal},
	{"GET", "/v1/journal/export", read, exportJournal},
	{"GET", "/v1/journal/head", read, journalHead},
	{"POST", "/v1/journal/verify", read, verifyJournal},

	{"GET", "/v1/cache/stats", read, cacheStats},
	{"GET", "/v1/cache/show", read, showCache},
	{"POST", "/v1/cache/flush", change, flushCache},
	{"GET", "/v1/upstream/list", read, listUpstreams},
	{"GET", "/v1/security/list", read, listSecurity},

	{"GET", "/v1/backup", change, backup},
	{"GET", "/v1/profile", change, profile},
}

// apply makes a change of the rules, which is journalled with the peer as its author; the reply is what the change made.
func apply[T policy.Change](c *call) (any, error) {
	return applyAs(func(*T, letter.Style) {})(c)
}

// applyAs is apply for a change that writes a letter: style is told how letters look.
func applyAs[T policy.Change](style func(*T, letter.Style)) func(*call) (any, error) {
	return func(c *call) (any, error) {
		wanted, err := body[T](c.w, c.r)
		if err != nil {
			return nil, err
		}
		style(&wanted, c.cfg.Letters())
		return c.apply(wanted)
	}
}

func (c *call) apply(wanted policy.Change) (any, error) {
	made, err := c.cfg.Rules.Apply(c.who, wanted)
	if err != nil {
		return nil, err
	}
	return made[0], nil
}

// stream is a reply that is written as it comes, however long that takes, as long as the peer keeps reading.
type stream struct {
	contentType string
	write       func(io.Writer) error
}

// ServeHTTP finds the command, sees whether the peer may give it, and answers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := r.Context().Value(peerKey{}).(*peer)
	s.identify(p)
	reply, err := s.command(w, r, p)
	control := http.NewResponseController(w)
	if out, ok := reply.(stream); ok && err == nil {
		w.Header().Set("Content-Type", out.contentType)
		if err := out.write(&steady{w, control}); err != nil {
			s.cfg.Log.Warn("admin command broke off", "command", r.URL.Path, "user", p.actor.Name, "error", err)
			panic(http.ErrAbortHandler) // the peer sees that the end is missing
		}
		return
	}
	_ = control.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err != nil {
		s.refuse(w, r, p, err)
		return
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(reply); err != nil {
		s.refuse(w, r, p, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text.Bytes()) // fails when the peer has gone: nobody is left to be told
}

func (s *Server) command(w http.ResponseWriter, r *http.Request, p *peer) (any, error) {
	if p.permit == none {
		return nil, s.refusal(p, read)
	}
	found := false
	for i := range routes {
		row := &routes[i]
		if row.path != r.URL.Path || r.URL.RawPath != "" {
			continue
		}
		if found = true; row.method != r.Method {
			continue
		}
		if p.permit < row.permit {
			return nil, s.refusal(p, row.permit)
		}
		return row.serve(&call{Server: s, w: w, r: r, peer: p, who: p.actor, mine: p.permit, rules: s.cfg.Rules.Snapshot(), now: s.cfg.Now()})
	}
	if found {
		return nil, &policy.Error{Code: badMethod, Message: r.Method + " is not how this command is given", Hint: "what shows is a GET, what changes a POST"}
	}
	return nil, &policy.Error{Code: policy.NotFound, Message: "there is no such command in version 1 of this API", Hint: "see the README on the socket, or use the command line"}
}

// steady gives every write its own time, so that a stream may be long but its reader not dead.
type steady struct {
	w       io.Writer
	control *http.ResponseController
}

func (s *steady) Write(p []byte) (int, error) {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return s.w.Write(p)
}
