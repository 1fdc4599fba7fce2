package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"usciere/policy"
)

// The codes of errors beside those of policy. Every error is sent as the JSON of a policy.Error.
const (
	Forbidden   policy.Code = "forbidden"   // the peer may not do this
	Fault       policy.Code = "fault"       // the daemon could not do it: a full disk, a damaged store
	Unreachable policy.Code = "unreachable" // made by the client: no daemon answers
	badMethod   policy.Code = "bad-method"
)

// statuses are the HTTP status of each code.
var statuses = map[policy.Code]int{
	policy.Invalid:  http.StatusBadRequest,
	policy.NotFound: http.StatusNotFound,
	policy.Conflict: http.StatusConflict,
	Forbidden:       http.StatusForbidden,
	Fault:           http.StatusInternalServerError,
	badMethod:       http.StatusMethodNotAllowed,
}

func invalid(hint, message string) *policy.Error {
	return &policy.Error{Code: policy.Invalid, Message: message, Hint: hint}
}

// advised is what to do about faults of the machine.
var advised = []struct {
	fault error
	hint  string
}{
	{syscall.ENOSPC, "free some space on the disk of the state folder, and repeat the command; the rules in force stay"},
	{syscall.EDQUOT, "the quota of the state folder's owner is used up: raise it, and repeat the command; the rules in force stay"},
	{syscall.EROFS, "the disk of the state folder is read-only: mount it for writing, and repeat the command; the rules in force stay"},
	{syscall.EIO, "the disk of the state folder fails: see the kernel's log (dmesg); `usciere backup` while it still can be read"},
}

// typed is any error as it is sent: a refusal as it is, everything else as a fault of the daemon.
func typed(err error) *policy.Error {
	var refusal *policy.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	message, hint, _ := strings.Cut(err.Error(), "\n  ")
	out := &policy.Error{Code: Fault, Message: message, Hint: hint}
	for _, a := range advised {
		if out.Hint == "" && errors.Is(err, a.fault) {
			out.Hint = a.hint
		}
	}
	if out.Hint == "" {
		out.Hint = "see the daemon's log"
	}
	return out
}

// throttle lets one log line a second through, so that somebody without rights cannot fill the disk with refusals.
type throttle struct{ last atomic.Int64 }

func (t *throttle) allow(now time.Time) bool {
	last := t.last.Load()
	return now.Unix() != last && t.last.CompareAndSwap(last, now.Unix())
}

// refuse answers with an error.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, p *peer, err error) {
	e := typed(err)
	status, ok := statuses[e.Code]
	if !ok {
		status = http.StatusBadRequest
	}
	switch {
	case e.Code == Fault:
		s.cfg.Log.Error("admin command failed", "command", r.URL.Path, "user", p.actor.Name, "error", err)
	case e.Code == Forbidden && s.refusals.allow(s.cfg.Now()):
		s.cfg.Log.Warn("admin command refused", "command", r.URL.Path, "user", p.actor.Name, "uid", p.uid, "pid", p.pid)
		w.Header().Set("Connection", "close") // whoever may do nothing holds no connection
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
	}
	writeJSON(w, status, e)
}

// writeJSON sends a value as one line of JSON.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // fails when the peer has gone: nobody is left to be told
}
