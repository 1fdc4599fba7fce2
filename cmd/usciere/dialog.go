package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"usciere/policy"
	"usciere/policy/request"
)

// dialog asks a person on the terminal, one thing after the other. An answer that cannot be is asked for again.
type dialog struct {
	*session
	screen // for the questions; what the command prints is apart from them
	in     *bufio.Reader
}

var errNoTerminal = errors.New("there is nobody to ask: this is no terminal\n  give everything with flags; see --help")

func newDialog(s *session) (*dialog, error) {
	if !isTerminal(os.Stdin) {
		return nil, errNoTerminal
	}
	return &dialog{s, screen{os.Stderr}, bufio.NewReader(os.Stdin)}, nil
}

// ask asks until check has nothing against the answer; an empty answer is the preset.
func (d *dialog) ask(question, preset string, check func(string) error) (string, error) {
	for {
		if preset != "" {
			d.print(fmt.Sprintf("%s [%s]: ", printable(question), printable(preset)))
		} else {
			d.print(printable(question) + ": ")
		}
		answer, err := d.readLine()
		if err != nil {
			return "", err
		}
		if answer == "" {
			answer = preset
		}
		if err = check(answer); err == nil {
			return answer, nil
		}
		message, hint, _ := strings.Cut(err.Error(), "\n")
		d.note("  " + message)
		if hint = strings.TrimSpace(hint); hint != "" {
			d.note("  " + hint)
		}
	}
}

// readLine reads one line; the end of the input and Ctrl-C end the dialog, with nothing done.
func (d *dialog) readLine() (string, error) {
	const most = 4096 // octets of a line, as a terminal has it
	text, err := lineFrom(d.ctx, d.in)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, errBrokenOff):
		d.note("")
		return "", errBrokenOff
	case err != nil:
		return "", fmt.Errorf("read the answer: %w", err)
	case len(text) > most:
		return "", fmt.Errorf("a line has more than %d octets", most)
	}
	return strings.TrimSpace(text), nil
}

// lines asks for one line after the other, until an empty one.
func (d *dialog) lines(question string, check func(string) error) (all []string, err error) {
	d.note(question + " (one a line; an empty line ends)")
	for {
		text, err := d.ask(fmt.Sprintf("  %d", len(all)+1), "", func(text string) error {
			switch {
			case text != "":
				return check(text)
			case len(all) == 0:
				return errors.New("one at least")
			}
			return nil
		})
		if err != nil || text == "" {
			return all, err
		}
		all = append(all, text)
	}
}

// letter asks for what a letter says.
func (d *dialog) letter(c *request.Submit) (err error) {
	none := func(string) error { return nil }
	for _, q := range []struct {
		question, preset string
		into             *string
		check            func(string) error
	}{
		{"Office", c.Office, &c.Office, func(id string) error { _, err := d.Office(d.ctx, id); return err }},
		{"Protocol number in (N/YYYY)", c.Protocol, &c.Protocol, func(text string) error { _, err := policy.ParseProtocol(text); return err }},
		{"Date of the letter (YYYY-MM-DD)", string(c.Date), (*string)(&c.Date), func(text string) error { _, err := policy.ParseDay(text); return err }},
		{"Seat that signed (empty: the office's only manager's)", c.Seat, &c.Seat, none},
		{"Channel (web or mail)", "web", (*string)(&c.Channel), func(text string) error { return new(policy.Channel).UnmarshalText([]byte(text)) }},
	} {
		if *q.into, err = d.ask(q.question, q.preset, q.check); err != nil {
			return err
		}
	}
	c.Names, err = d.lines("Addresses or services, as the letter has them", func(text string) error {
		if policy.CheckID("a service", text) == nil {
			_, err := d.Service(d.ctx, text)
			return err
		}
		_, _, err := request.ParseAsked(text)
		return err
	})
	if err != nil {
		return err
	}
	reasons, err := d.lines("Reasons, in full", none)
	if err != nil {
		return err
	}
	c.Reason = strings.Join(reasons, "\n")
	moment := func(text string) error { return new(policy.Moment).UnmarshalText([]byte(text)) }
	if *(*string)(&c.Until), err = d.ask("Until (YYYY-MM-DD; empty: no end)", string(c.Until), moment); err != nil {
		return err
	}
	d.line("request", c.Office, "protocol "+c.Protocol+" of "+string(c.Date), string(c.Channel))
	d.detail("asks", strings.Join(c.Names, ", "))
	d.detail("reasons", fmt.Sprintf("%q", c.Reason))
	sure, err := d.ask("Enter it? (yes or no)", "yes", func(text string) error {
		if text != "yes" && text != "no" {
			return errors.New("yes or no")
		}
		return nil
	})
	if err == nil && sure == "no" {
		err = errBrokenOff
	}
	return err
}
