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
	// Problems are what is wrong with something that was given whole, each with its place.
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is one thing that is wrong, or worth a warning, in a document.
type Problem struct {
	Path    string `json:"path"` // such as grants[3].until
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "\n  " + e.Hint
}

// Refusef refuses a change: code, what to do about it, and what is wrong.
func Refusef(code Code, hint, format string, args ...any) *Error {
	return refuse(code, hint, format, args...)
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

// ChangeError is why one of several changes was not made; it wraps what its Change said.
type ChangeError struct {
	Index int // of the change, from 0
	Err   error
}

func (e *ChangeError) Error() string { return e.Err.Error() }

// Unwrap returns what the change said.
func (e *ChangeError) Unwrap() error { return e.Err }

// IsCode says whether err is, or wraps, a refusal with this code.
func IsCode(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
