package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usciere/policy"
	"usciere/policy/admin"
	"usciere/policy/audit"
	"usciere/policy/journal"
)

// exitPart is the exit code of audit for a name that could be reached in a part of the day; 0 and 3 are those of explain.
const exitPart exitCode = 5

// auditQuestion is what the flags of audit say.
type auditQuestion struct {
	office, name, typ, day, zone, file, head string
}

func auditCommand() *cobra.Command {
	var asked auditQuestion
	c := online(&cobra.Command{
		Use:   "audit --office ID --name NAME --on DAY",
		Short: "Say from the journal alone whether an office could reach a name on a day, and by which letter; exit 0 yes, 3 no, 5 in a part of the day",
		Long: "Say whether any employee of an office could reach a name on a day: through which rule, by which letter, and who held\n" +
			"the office's seats. The answer is worked out from the journal alone, every entry of it verified: from the daemon's,\n" +
			"or, with --file and no daemon, from an export. With --head, which the daemon's log has for every day, a cut tail and\n" +
			"a rewritten history are seen too. An entry that does not verify is named, and nothing is answered.\n" +
			"The settings are not in the journal: what local zones, forwards and security lists did is not said here.",
		Args: cobra.NoArgs,
	}, func(s *session, _ []string) error {
		q, noted, err := asked.read(time.Now())
		if err != nil {
			return err
		}
		var a *audit.Answer
		if asked.file != "" {
			a, err = auditFile(asked.file, noted, q)
		} else {
			a, err = s.auditDaemon(noted, q)
		}
		if err != nil {
			return err
		}
		if err := s.show(a, func() { s.audited(a) }); err != nil {
			return err
		}
		switch a.Reached {
		case audit.Never:
			return exitSinkholed
		case audit.PartOfDay:
			return exitPart
		}
		return nil
	})
	f := c.Flags()
	f.StringVar(&asked.office, "office", "", "`ID` of the office any of whose employees asks")
	f.StringVar(&asked.name, "name", "", "`NAME` asked for, or the address of a page")
	f.StringVar(&asked.day, "on", "", "`DAY` by the town's clock, such as 2026-05-04")
	f.StringVar(&asked.typ, "type", "A", "record `TYPE` asked for")
	f.StringVar(&asked.file, "file", "", "answer from this `EXPORT` of the journal; needs no daemon")
	f.StringVar(&asked.head, "head", "", "`SEQ:HASH` noted before, as the daemon's log has it")
	f.StringVar(&asked.zone, "timezone", "Europe/Rome", "IANA `NAME` of the town's time zone (town.timezone of the settings)")
	for _, flag := range []string{"office", "name", "on"} {
		if err := c.MarkFlagRequired(flag); err != nil {
			panic(err) // the flag is not there: a fault of the program
		}
	}
	complete(c, "office", offices)
	return c
}

// read reads the flags into a question.
func (asked *auditQuestion) read(now time.Time) (q audit.Question, noted journal.Head, err error) {
	q = audit.Question{Office: asked.office, Now: now}
	if strings.Contains(asked.name, "://") {
		rule, _, err := policy.ParseRule(asked.name)
		if err != nil {
			return q, noted, err
		}
		q.Name = rule.Name
	} else if q.Name, err = policy.ParseName(asked.name); err != nil {
		return q, noted, fmt.Errorf("--name: %w", err)
	}
	if q.Type, err = policy.ParseType(asked.typ); err != nil {
		return q, noted, err
	}
	if q.Day, err = policy.ParseDay(asked.day); err != nil {
		return q, noted, err
	}
	if q.Zone, err = time.LoadLocation(asked.zone); err != nil || asked.zone == "" || asked.zone == "Local" {
		return q, noted, fmt.Errorf("--timezone: there is no time zone %q\n  the names are those of IANA, such as Europe/Rome", asked.zone)
	}
	noted, err = parseHead(asked.head)
	return q, noted, err
}

func auditFile(path string, noted journal.Head, q audit.Question) (*audit.Answer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the export: %w", err)
	}
	defer f.Close()
	return audit.Ask(f, noted, q)
}

// auditDaemon answers from the daemon's journal as it comes over the socket.
func (s *session) auditDaemon(noted journal.Head, q audit.Question) (*audit.Answer, error) {
	export, w := io.Pipe()
	exported := make(chan error, 1)
	go func() {
		_, err := s.ExportJournal(s.ctx, w)
		w.CloseWithError(err)
		exported <- err
	}()
	a, err := audit.Ask(export, noted, q)
	export.CloseWithError(err)
	broke := <-exported
	if err == nil || broke == nil {
		return a, err
	}
	// The daemon breaks its export off at an entry that does not verify; which it is, it says when asked.
	if found, failed := s.VerifyJournal(s.ctx, admin.VerifyRequest{}); failed == nil && !found.Sound {
		return nil, fmt.Errorf("the journal does not verify: %s", found.Problem)
	}
	return nil, err
}

// audited prints the answer first, then by what, then who and what else.
func (s screen) audited(a *audit.Answer) {
	when := "on " + string(a.Day)
	if a.Reached == audit.AllDay {
		when = "all of " + string(a.Day)
	}
	s.line(string(a.Reached), fmt.Sprintf("%s %s for any employee of %s, %s", a.Name, a.Type, a.Office, when))
	if a.Called != "" {
		s.detail("office", a.Called)
	}
	if len(a.Stretches) == 1 && !a.Stretches[0].Reached {
		s.detail("why", a.Stretches[0].Why)
	} else if len(a.Stretches) > 1 {
		for _, t := range a.Stretches {
			s.detail(clockOf(t.From), "until "+endOf(t)+": "+decided(t))
		}
	}
	for _, b := range a.Grants {
		s.auditedGrant(a, b)
	}
	if a.Reached != audit.AllDay {
		for _, o := range a.Others {
			s.detail("other", fmt.Sprintf("grant %s, %s, for %s: %s", o.Grant.ID, o.Grant.Opens(), o.Grant.Subject, o.Why))
			if o.Request != nil {
				s.detail("", "request "+o.Request.Label+noticed(o.Notices))
			}
		}
	}
	for _, r := range a.Refused {
		s.detail("denied", fmt.Sprintf("%s, request %s: %q%s", r.What, r.Paper.Label, r.Why, noticed(r.Notices)))
	}
	for _, seat := range a.Seats {
		s.auditedSeat(a, seat)
	}
	for _, note := range a.Notes {
		s.detail("note", note)
	}
	for _, p := range a.Puzzles {
		s.detail("", fmt.Sprintf("entry %d, %s: %s", p.Seq, p.Kind, p.Why))
	}
	s.detail("journal", fmt.Sprintf("%d entries", a.Entries)+", all verified, up to "+a.Head.String())
}

// clockOf is an instant of a day, as exact as it has to be.
func clockOf(t time.Time) string {
	if t.Second() != 0 || t.Nanosecond() != 0 {
		return t.Format("15:04:05")
	}
	return t.Format("15:04")
}

func endOf(t audit.Stretch) string {
	if end := clockOf(t.Until); end != "00:00" {
		return end
	}
	return "24:00"
}

// decided is what decided in a part of the day.
func decided(t audit.Stretch) string {
	if !t.Reached {
		return "no: " + t.Why
	}
	return "yes: " + ruleOf(t) + ", grant " + t.Grant.String()
}

func ruleOf(t audit.Stretch) string {
	if t.Service != "" {
		return t.Rule + " (service " + t.Service + ")"
	}
	return t.Rule
}

// auditedGrant prints a grant that opened the name, and its paper.
func (s screen) auditedGrant(a *audit.Answer, b audit.Basis) {
	rule := b.Grant.Opens()
	for _, t := range a.Stretches {
		if t.Grant == b.Grant.ID {
			rule = ruleOf(t)
			break
		}
	}
	when := strings.ReplaceAll(terms(b.Grant), "  ", ", ")
	if b.Grant.Until == "" {
		when = strings.TrimPrefix(when+", no end date", ", ")
	}
	s.detail("rule", fmt.Sprintf("%s, grant %s for %s, %s, %s", rule, b.Grant.ID, b.Grant.Subject, b.Grant.Channel, when))
	if q := b.Request; q != nil {
		signed := ""
		if q.Seat != "" {
			seat := q.SeatName
			if seat == "" {
				seat = q.Seat
			}
			signed = fmt.Sprintf(", signed by the seat %q (held by %s)", seat, q.Holder)
		}
		s.detail("request", q.Label+signed)
		s.detail("", fmt.Sprintf("%q", q.Reason))
	}
	for _, n := range b.Notices {
		s.detail("notice", notice(n))
	}
	zone := a.Stretches[0].From.Location()
	s.detail("granted", b.Grant.Created.In(zone).Format("2006-01-02 15:04"))
	if r := b.Grant.Revoked; r != nil {
		why := ""
		if r.Reason != "" {
			why = fmt.Sprintf(": %q", r.Reason)
		}
		s.detail("revoked", r.At.In(zone).Format("2006-01-02 15:04")+" by "+r.By+why)
	}
}

func notice(n audit.Notice) string {
	if n.Protocol == "" {
		return fmt.Sprintf("%s %s, %s", n.Kind, n.Letter, n.State)
	}
	return fmt.Sprintf("%s %s, protocol out %s of %s, %s", n.Kind, n.Letter, n.Protocol, n.Date, n.State)
}

func noticed(all []audit.Notice) string {
	out := ""
	for _, n := range all {
		out += "; " + notice(n)
	}
	return out
}

// auditedSeat prints a seat, who held it, and which workstations had no limits by it.
func (s screen) auditedSeat(a *audit.Answer, seat audit.SeatThen) {
	text := fmt.Sprintf("%s (%s): ", seat.ID, seat.Role)
	if seat.Holder != nil {
		text += seat.Holder.Name + span(seat.Holder.From, seat.Holder.Until)
	} else {
		text += "nobody"
	}
	s.detail("seat", text)
	if l := seat.Later; l != nil {
		before := "nobody"
		if l.Before != "" {
			before = l.Before
		}
		s.detail("", fmt.Sprintf("entered later, on %s (entry %d); until then the journal named %s", l.At.Format("2006-01-02 15:04"), l.Entry, before))
	}
	for _, h := range seat.Hosts {
		when := ""
		day := a.Stretches
		if !h.From.Equal(day[0].From) || !h.Until.Equal(day[len(day)-1].Until) {
			when = fmt.Sprintf(" from %s until %s", clockOf(h.From), endOf(audit.Stretch{Until: h.Until}))
		}
		s.detail("", fmt.Sprintf("its workstation %s had no limits (Art. 8)%s", h.Addr, when))
	}
}
