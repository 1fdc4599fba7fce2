package main

import (
	"bufio"
	"context"
	"errors"
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

// errBrokenOff ends a dialog before anything was done.
var errBrokenOff = errors.New("broken off: nothing was entered")

// lineFrom reads a line of a person's; Ctrl-C, which ends ctx, ends the reading. The goroutine that reads cannot be called off, and
// ends with the process.
func lineFrom(ctx context.Context, in *bufio.Reader) (string, error) {
	type answer struct {
		text string
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		text, err := in.ReadString('\n')
		read <- answer{text, err}
	}()
	select {
	case a := <-read:
		return a.text, a.err
	case <-ctx.Done():
		return "", errBrokenOff
	}
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
