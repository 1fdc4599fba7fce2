package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"usciere/cmd/usciere/ipa"
	"usciere/policy/admin"
)

func importCommand() *cobra.Command {
	return group("import", "Offices from elsewhere", importIPA())
}

// imported is what an import would make, or made.
type imported struct {
	Applied bool      `json:"applied"`
	Units   []ipa.Row `json:"units"`
}

func importIPA() *cobra.Command {
	var body string
	var yes bool
	c := online(&cobra.Command{
		Use:   "ipa FILE.csv",
		Short: "Make offices of the units of a body in the national index (indicepa.gov.it)",
		Long: "Make offices of the data set \"unità organizzative\" of indicepa.gov.it. An office's mailbox is the unit's own: neither\n" +
			"certified mail nor that of the person in charge. A second import brings them up to date, by their code in the index.\n" +
			"Nothing is changed before you have seen what would be.",
		Args: cobra.ExactArgs(1),
	}, func(s *session, args []string) error {
		f, err := os.Open(args[0])
		if err != nil {
			return fmt.Errorf("read the data set: %w", err)
		}
		defer f.Close()
		units, err := ipa.Read(f, body)
		if err != nil {
			return err
		}
		now, err := s.Town(s.ctx)
		if err != nil {
			return err
		}
		out := imported{Units: ipa.Merge(now.Document, units)}
		change := admin.TownChange{BaseVersion: now.Version, KeepUnlisted: true, File: filepath.Base(args[0]), Document: now.Document}
		if !s.asJSON {
			s.preview(out.Units)
		}
		if yes || !s.asJSON && s.confirmed() {
			if _, err := s.applyTown(change); err != nil {
				return err
			}
			out.Applied = true
		}
		return s.show(out, func() {
			if out.Applied {
				s.line("imported", ipaSummary(out.Units))
				return
			}
			s.line("not done", "repeat it with --yes to make it so")
		})
	})
	c.Flags().StringVar(&body, "ente", "", "only the units of the body with this `CODICE_IPA`")
	c.Flags().BoolVar(&yes, "yes", false, "do it without asking")
	return c
}

// preview prints what becomes of each unit.
func (s screen) preview(units []ipa.Row) {
	var rows [][]string
	for _, u := range units {
		rows = append(rows, []string{string(u.State), u.Office, u.Code, u.Name, u.Mailbox, u.Why})
	}
	s.table("no units", []string{"STATE", "OFFICE", "CODE", "NAME", "MAILBOX", "WHY"}, rows)
	s.note(ipaSummary(units))
}

func ipaSummary(units []ipa.Row) string {
	count := map[ipa.State]int{}
	for _, u := range units {
		count[u.State]++
	}
	return fmt.Sprintf("%d new, %d changed, %d unchanged, %d skipped", count[ipa.New], count[ipa.Changed], count[ipa.Unchanged], count[ipa.Skipped])
}

// confirmed asks on the terminal; where there is none, the answer is no.
func (s *session) confirmed() bool {
	if !isTerminal(os.Stdin) {
		return false
	}
	s.print("make it so? (yes/no) ")
	answer, _ := lineFrom(s.ctx, bufio.NewReader(os.Stdin)) // what cannot be read is no yes
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes", "s", "si", "sì":
		return true
	}
	return false
}
