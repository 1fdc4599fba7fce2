package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usciere/policy"
	"usciere/policy/admin"
)

func traceCommand() *cobra.Command {
	return group("trace", "Look on for a while: what an office or one machine asks, and is told", traceStart(), traceShow(), traceStop())
}

func traceStart() *cobra.Command {
	var wanted policy.StartTrace
	var client string
	c := online(&cobra.Command{
		Use:   "start",
		Short: "Keep what an office's clients, or one machine, ask and are told, for so many minutes",
		Long: "Keep what an office's clients, or one machine, ask and are told, with their addresses, for so many minutes: in memory alone, and all\n" +
			"of it is deleted when they are over. Who traces whom and what for is in the journal for good, and who looked. Everybody else's\n" +
			"questions are kept nowhere; prefer --client to --office, and tell those concerned.",
		Args: cobra.NoArgs,
	}, func(s *session, _ []string) (err error) {
		if client != "" {
			if wanted.Client, err = netip.ParseAddr(client); err != nil {
				return usageError(fmt.Sprintf("--client %q is no address; give one such as 10.20.1.9", client))
			}
		}
		t, err := s.StartTrace(s.ctx, wanted)
		if err != nil {
			return err
		}
		return s.show(t, func() {
			s.line("trace", describeTrace(*t)...)
			s.detail("look", "usciere trace show --follow")
		})
	})
	f := c.Flags()
	f.StringVar(&wanted.Office, "office", "", "all clients of this `OFFICE`")
	f.StringVar(&client, "client", "", "only the machine at this `ADDR`")
	f.IntVar(&wanted.Minutes, "minutes", 10, "`N` minutes, then all is deleted")
	f.StringVar(&wanted.Purpose, "purpose", "", "`TEXT`: what it is to find out")
	c.MarkFlagsOneRequired("office", "client")
	c.MarkFlagsMutuallyExclusive("office", "client")
	_ = c.MarkFlagRequired("purpose")
	complete(c, "office", offices)
	return c
}

// describeTrace is whom a trace is of, by whom and what for, and when it is deleted.
func describeTrace(t policy.Tracing) []string {
	of := t.Office
	if t.Client.IsValid() {
		of = t.Client.String()
	}
	return []string{of, "by " + t.By, "deleted at " + t.Until.Local().Format(time.TimeOnly), t.Purpose}
}

func traceShow() *cobra.Command {
	var follow, force bool
	var file string
	c := online(&cobra.Command{
		Use:   "show",
		Short: "Show what the trace kept, or write it as a dnstap file, which kdig -G, dnstap-read and Wireshark read",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		if file != "" {
			n, err := writeWhole(file, force, func(w io.Writer) (int64, error) { return s.ExportTrace(s.ctx, w) })
			if err == nil {
				s.line("trace", file, counted(int(n), "octet"), "it has clients' addresses: delete it when it has served")
			}
			return err
		}
		if s.asJSON {
			return s.traceJSON(follow)
		}
		return s.traceLines(follow)
	})
	c.Flags().BoolVar(&follow, "follow", false, "go on showing what comes, until the trace is over")
	c.Flags().StringVar(&file, "dnstap", "", "write a dnstap `FILE`")
	c.Flags().BoolVar(&force, "force", false, "put it in the place of a file that is there")
	c.MarkFlagsMutuallyExclusive("follow", "dnstap")
	return c
}

// traceLines shows a trace, a line for each question.
func (s *session) traceLines(follow bool) error {
	next, head := uint64(1), true
	over, err := s.tracePages(follow, func(page *admin.TracePage) error {
		if head {
			s.line("trace", describeTrace(page.Tracing)...)
		}
		head = false
		for _, q := range page.Questions {
			if q.Number > next {
				s.note(fmt.Sprintf("… %s forgotten for want of room", counted(q.Number-next, "question")))
			}
			next = q.Number + 1
			s.question(q)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case over:
		s.note("the trace is over, and what it kept deleted")
	case next == 1 && !follow:
		s.note("nothing was asked yet")
	}
	return nil
}

// traceJSON shows a trace as one page, with follow as one after the other.
func (s *session) traceJSON(follow bool) error {
	var whole *admin.TracePage
	over, err := s.tracePages(follow, func(page *admin.TracePage) error {
		switch {
		case follow:
			return s.json(page)
		case whole == nil:
			whole = page
		default:
			whole.Questions = append(whole.Questions, page.Questions...)
		}
		return nil
	})
	switch {
	case err != nil || follow:
		return err
	case over:
		return errors.New("the trace ended while it was read, and what it kept is deleted")
	}
	return s.json(whole)
}

// tracePages gives the first page of a trace, and those after it that have questions: up to what was asked by the first, with follow until the
// trace is over.
func (s *session) tracePages(follow bool, each func(*admin.TracePage) error) (over bool, err error) {
	page, err := s.Trace(s.ctx, 1)
	if err != nil {
		return false, err
	}
	if err := each(page); err != nil {
		return false, err
	}
	begun, all, next := page.Begun, page.Seen, uint64(1)
	for {
		if n := len(page.Questions); n > 0 {
			next = page.Questions[n-1].Number + 1
		} else if !follow {
			return false, nil
		}
		if !follow && next > all {
			return false, nil
		}
		if next > page.Seen {
			select {
			case <-s.ctx.Done():
				return false, nil
			case <-time.After(time.Second):
			}
		}
		switch page, err = s.Trace(s.ctx, next); {
		case policy.IsCode(err, policy.NotFound) || err == nil && !page.Begun.Equal(begun):
			return true, nil
		case err != nil:
			return false, err
		case len(page.Questions) > 0:
			if err := each(page); err != nil {
				return false, err
			}
		}
	}
}

// question is one line of a trace.
func (s screen) question(q admin.TracedQuestion) {
	var data []string
	for _, record := range q.Answer {
		if f := strings.SplitN(record, " ", 5); len(f) == 5 { // owner, TTL, class, type, data
			data = append(data, f[3]+" "+f[4])
		}
	}
	line := fmt.Sprintf("%s  %-15s  %-5s  %-9s  %-8s  %8.1f ms  %s  %s", q.Asked.Local().Format("15:04:05.000"), q.Client, q.Over, q.Verdict, q.Rcode, q.Took,
		strings.TrimSpace(q.Type+" "+q.Name), strings.Join(data, ", "))
	s.note(strings.TrimSpace(line))
}

func traceStop() *cobra.Command {
	return online(&cobra.Command{
		Use:   "stop",
		Short: "End the trace before its time, and delete what it kept",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		t, err := s.StopTrace(s.ctx)
		if err != nil {
			return err
		}
		return s.show(t, func() { s.line("deleted", counted(t.Questions, "question")) })
	})
}
