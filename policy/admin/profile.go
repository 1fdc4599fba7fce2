package admin

import (
	"bytes"
	"fmt"
	"io"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"usciere/policy"
)

// Profiles are what a profile can be of: processor time, or what runtime/pprof keeps.
var Profiles = []string{"cpu", "heap", "allocs", "goroutine"}

// maxProfile is how many seconds of processor time are looked at at most; DefaultProfile how many unless told otherwise.
const (
	maxProfile     = 30
	DefaultProfile = 10
)

// profile is what the program itself is doing, for who mends it, in the format of `go tool pprof`. It has names of functions, none that
// anybody asked.
func profile(c *call) (any, error) {
	q, err := params(c.r, "of", "seconds")
	if err != nil {
		return nil, err
	}
	of := q.Get("of")
	if !slices.Contains(Profiles, of) {
		return nil, invalid("there are "+strings.Join(Profiles, ", "), fmt.Sprintf("%q is no profile", of))
	}
	c.cfg.Log.Info("profile", "of", of, "user", c.who.Name, "uid", c.who.UID)
	var out bytes.Buffer
	if of != "cpu" {
		if err := pprof.Lookup(of).WriteTo(&out, 0); err != nil {
			return nil, err
		}
		return profileStream(&out), nil
	}
	seconds := DefaultProfile
	if text := q.Get("seconds"); text != "" {
		if seconds, err = strconv.Atoi(text); err != nil || seconds < 1 || seconds > maxProfile {
			return nil, invalid(fmt.Sprintf("give 1 to %d", maxProfile), fmt.Sprintf("%q seconds cannot be looked at", text))
		}
	}
	if err := pprof.StartCPUProfile(&out); err != nil {
		return nil, &policy.Error{Code: policy.Conflict, Message: "a profile of processor time is being made already", Hint: "try again in half a minute"}
	}
	select {
	case <-time.After(time.Duration(seconds) * time.Second):
	case <-c.r.Context().Done():
	}
	pprof.StopCPUProfile()
	return profileStream(&out), nil
}

func profileStream(from io.Reader) stream {
	return stream{"application/octet-stream", func(w io.Writer) error {
		_, err := io.Copy(w, from)
		return err
	}}
}
