package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usciere/policy/admin"
)

func reviewCommand() *cobra.Command {
	var all bool
	c := online(&cobra.Command{
		Use:   "review OFFICE|--all",
		Short: "Show what an office has: by which letter, since when, until when; and what ends within 60 days",
		Long: "Show what an office has, for the yearly look at it: each grant in force or to come with the letter it rests on and who\n" +
			"signed it, its seats, the requests that wait, and what ends within 60 days. With --all, every office in turn.",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: first(offices),
	}, func(s *session, args []string) error {
		switch {
		case all == (len(args) == 1):
			return usageError("name one office, or give --all")
		case all:
			return s.reviewAll()
		}
		r, err := s.Review(s.ctx, args[0])
		if err != nil {
			return err
		}
		return s.show(r, func() {
			s.review(r)
			s.common(r.Common)
		})
	})
	c.Flags().BoolVar(&all, "all", false, "every office in turn")
	return c
}

// reviewAll prints each review as it comes; as JSON they are one document.
func (s *session) reviewAll() error {
	var document struct {
		Offices []*admin.Review       `json:"offices"`
		Common  []admin.ReviewedGrant `json:"common"`
	}
	document.Offices = []*admin.Review{}
	end, err := s.ReviewAll(s.ctx, func(r *admin.Review) error {
		if s.asJSON {
			document.Offices = append(document.Offices, r)
			return nil
		}
		s.review(r)
		_, err := io.WriteString(s.w, "\n")
		return err
	})
	if err != nil {
		return err
	}
	document.Common = end.Common
	return s.show(document, func() { s.common(end.Common) })
}

// review prints what an office has.
func (s screen) review(r *admin.Review) {
	s.line("review", r.Office.ID, r.Office.Name, "on "+string(r.Day))
	for _, seat := range r.Seats {
		text := fmt.Sprintf("%s (%s): ", seat.ID, seat.Role)
		if seat.Seat.Name != "" {
			text = fmt.Sprintf("%s %q (%s): ", seat.ID, seat.Seat.Name, seat.Role)
		}
		if seat.Holder == nil {
			text += "nobody"
		} else {
			text += seat.Holder.Name + span(seat.Holder.From, seat.Holder.Until)
		}
		if on := workstations(seat.Hosts, seat.Devices); on != "" {
			text += " on " + on
		}
		s.detail("seat", text)
	}
	for _, a := range r.Led {
		for _, o := range a.News() {
			s.detail("alias", fmt.Sprintf("%s leads to %s since %s: usciere alias accept %[1]s, if that is right", a.Name, o.Owner, o.Since.Format(time.DateOnly)))
		}
	}
	for _, t := range r.Tokens {
		s.detail("token", fmt.Sprintf("%s, for the %s (%s)%s", t.ID, t.Of(), t.Role, span("", t.Until)))
	}
	if len(r.Grants) == 0 {
		s.detail("grants", "none of its own")
	}
	for _, g := range r.Grants {
		s.reviewed(g)
	}
	for _, q := range r.Open {
		s.detail("waits", fmt.Sprintf("%s, %s: %s", label(q), q.State, strings.Join(q.Asked, ", ")))
		s.detail("", fmt.Sprintf("%q", q.Reason))
	}
	for _, id := range r.Ending {
		i := slices.IndexFunc(r.Grants, func(g admin.ReviewedGrant) bool { return g.Grant.ID == id })
		if i >= 0 {
			g := r.Grants[i]
			s.detail("ends", fmt.Sprintf("%s on %s, %s: %s", id, g.Grant.Until, left(*g.DaysLeft), g.Grant.Opens()))
		}
	}
}

func label(q admin.OpenRequest) string {
	if q.Protocol == "" {
		return q.ID.String() + " of " + string(q.Date)
	}
	return fmt.Sprintf("%s, %s of %s", q.ID, q.Protocol, q.Date)
}

func left(days int) string {
	switch days {
	case 0:
		return "today"
	case 1:
		return "1 day left"
	}
	return fmt.Sprintf("%d days left", days)
}

// reviewed prints a grant, then the letter that it rests on.
func (s screen) reviewed(g admin.ReviewedGrant) {
	opens := g.Grant.Opens()
	if g.Title != "" && g.Title != g.Grant.Service {
		opens += fmt.Sprintf(" (%s)", g.Title)
	}
	until := "no end date"
	if g.Grant.Until != "" {
		until = fmt.Sprintf("until %s (%s)", g.Grant.Until, left(*g.DaysLeft))
	}
	if limits := g.Grant.Limits(); limits != "" {
		until += ", " + limits
	}
	if g.State == admin.ToCome {
		until += ", to come"
	}
	s.detail(g.Grant.ID.String(), opens, string(g.Grant.Channel), fmt.Sprintf("since %s, %s", g.Since, until))
	if g.Grant.Office == "" {
		s.detail("", "for "+g.Grant.Subject.String())
	}
	q := g.Request
	text := "request " + q.Label
	if q.Seat != "" {
		seat := q.Seat
		if q.SeatName != "" {
			seat = fmt.Sprintf("%q", q.SeatName)
		}
		text += fmt.Sprintf(", signed by %s (held by %s)", seat, q.Holder)
	}
	for _, n := range g.Notices {
		text += ", decision " + n
	}
	s.detail("", text)
	s.detail("", fmt.Sprintf("%q", q.Reason))
}

// common prints what an office has with all others.
func (s screen) common(grants []admin.ReviewedGrant) {
	if len(grants) == 0 {
		return
	}
	s.line("common", "what roles and everyone have")
	for _, g := range grants {
		s.reviewed(g)
	}
}
