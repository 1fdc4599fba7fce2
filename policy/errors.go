package policy

import (
	"errors"
	"fmt"
)

// Code says what kind of refusal an Error is; the admin socket maps it to an HTTP status and the commands to an exit code.
type Code string

// The codes of refusal.
const (
	Invalid  Code = "invalid"   // the change itself is wrong: a malformed name, missing paperwork
	NotFound Code = "not-found" // it names something that is not there
	Conflict Code = "conflict"  // it clashes with what is there, or was based on an old version
)

// Error refuses a change: what is wrong, and what to do about it. The rules stay as they were.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "\n  " + e.Hint
}

func refuse(code Code, hint, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func invalid(hint, format string, args ...any) *Error { return refuse(Invalid, hint, format, args...) }
func notFound(hint, format string, args ...any) *Error {
	return refuse(NotFound, hint, format, args...)
}
func conflict(hint, format string, args ...any) *Error {
	return refuse(Conflict, hint, format, args...)
}

// IsCode says whether err is, or wraps, a refusal with this code.
func IsCode(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
