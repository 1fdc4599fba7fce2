package store

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// guard runs fn and turns the panics of a damaged database into an ErrDamaged: bbolt asserts, and a file that was cut while
// it is mapped makes the kernel send SIGBUS. Other panics, which are faults of the program, pass.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if _, fault := cause.(interface{ Addr() uintptr }); !fault && !panickedIn("go.etcd.io/bbolt") {
			panic(cause)
		}
		err = damaged("reading its pages failed (%v)", cause)
	}()
	return fn()
}

// panickedIn says, within a deferred function that recovered from a panic, whether a function of this package (given by its
// import path) raised it.
func panickedIn(pkg string) bool {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	inPanic := false
	for {
		frame, more := frames.Next()
		switch inRuntime := strings.HasPrefix(frame.Function, "runtime."); {
		case frame.Function == "runtime.gopanic":
			inPanic = true
		case inPanic && !inRuntime:
			return strings.HasPrefix(frame.Function, pkg)
		}
		if !more {
			return false
		}
	}
}
