package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// status is a line on the terminal that says how far something has come. Where there is no terminal, it says nothing.
type status struct {
	w  io.Writer
	on bool
}

func newStatus() status { return status{os.Stderr, isTerminal(os.Stderr)} }

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// worthShowing is how much has to be done, in octets, before its progress is shown.
const worthShowing = 256 << 10

// show says how much of a whole is done, in octets.
func (s status) show(doing string, done, of int64) {
	if of >= worthShowing {
		s.say(fmt.Sprintf("%s %d %%", doing, 100*min(done, of)/of))
	}
}

func (s status) say(text string) {
	if s.on {
		fmt.Fprintf(s.w, "\r\x1b[K%s", text)
	}
}

func (s status) clear() { s.say("") }
