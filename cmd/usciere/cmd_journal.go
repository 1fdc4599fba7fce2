package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"usciere/policy/admin"
	"usciere/policy/journal"
	"usciere/policy/store"
)

func journalCommand() *cobra.Command {
	c := journalList("journal")
	c.Short = "The journal: every change, who made it and on which request"
	c.AddCommand(journalList("list"), journalVerify(), journalExport())
	return c
}

func journalList(use string) *cobra.Command {
	var from uint64
	var limit int
	c := online(&cobra.Command{
		Use:   use,
		Short: "List the newest entries, or those from a number on",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		page, err := s.Journal(s.ctx, from, limit)
		if err != nil {
			return err
		}
		return s.show(page, func() {
			var rows [][]string
			for _, e := range page.Entries {
				rows = append(rows, []string{fmt.Sprint(e.Seq), e.Time.Format(time.RFC3339), e.Actor.Name, e.Actor.Via, e.Kind, e.Office, e.Request})
			}
			s.table("no entries", []string{"ENTRY", "TIME", "WHO", "VIA", "WHAT", "OFFICE", "REQUEST"}, rows)
			if page.Next != 0 {
				s.note(fmt.Sprintf("more with `usciere journal --from %d`", page.Next))
			}
		})
	})
	c.Flags().Uint64Var(&from, "from", 0, "number `N` of the first entry")
	c.Flags().IntVar(&limit, "limit", admin.DefaultEntries, "`N` entries at most")
	return c
}

func journalVerify() *cobra.Command {
	var file, state, head string
	c := online(&cobra.Command{
		Use:   "verify",
		Short: "Check that no entry was changed, cut out or reordered",
		Long: "Check the journal of the daemon, of a state folder that no daemon uses (--state), or of an export (--file).\n" +
			"With --head, which the daemon's log has for every day, a cut tail and a rewritten history are seen too.",
		Args: cobra.NoArgs,
	}, func(s *session, _ []string) (err error) {
		var found *admin.Verification
		switch {
		case file != "":
			found, err = verifyFile(file, head)
		case state != "":
			found, err = verifyState(state, head)
		default:
			found, err = s.VerifyJournal(s.ctx, admin.VerifyRequest{Head: head})
		}
		if err != nil {
			return err
		}
		if !found.Sound && !s.asJSON {
			return fmt.Errorf("the journal does not verify: %s\n  %d entries before that are sound, up to %s", found.Problem, found.Entries, found.Head)
		}
		err = s.show(found, func() {
			s.line("sound", fmt.Sprintf("%d entries", found.Entries))
			s.detail("head", found.Head.String())
		})
		if err == nil && !found.Sound {
			err = exitCode(1)
		}
		return err
	})
	f := c.Flags()
	f.StringVar(&file, "file", "", "check this `EXPORT`; needs no daemon")
	f.StringVar(&state, "state", "", "check the store in this `DIR`; the daemon must be stopped")
	f.StringVar(&head, "head", "", "`SEQ:HASH` noted before, as the daemon's log has it")
	c.MarkFlagsMutuallyExclusive("file", "state")
	return c
}

// parseHead reads a head noted before; the empty text is none.
func parseHead(text string) (journal.Head, error) {
	if text == "" {
		return journal.Head{}, nil
	}
	return journal.ParseHead(text)
}

func verifyFile(path, noted string) (*admin.Verification, error) {
	want, err := parseHead(noted)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the export: %w", err)
	}
	defer f.Close()
	head, n, err := journal.VerifyStream(f, want)
	out := &admin.Verification{Sound: err == nil, Head: head, Entries: n}
	if errors.As(err, new(*journal.BadEntryError)) {
		out.Problem, err = err.Error(), nil
	}
	return out, err
}

func verifyState(dir, noted string) (*admin.Verification, error) {
	want, err := parseHead(noted)
	if err != nil {
		return nil, err
	}
	st, err := store.Open(dir, store.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer st.Close()
	out, err := admin.Verify(st, want)
	return &out, err
}

func journalExport() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "export [FILE]",
		Short: "Write the whole journal, an entry a line, for keeping and for `journal verify --file`",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client := admin.Dial(socketOf(c))
			defer client.Close()
			if len(args) == 0 {
				_, err := client.ExportJournal(c.Context(), c.OutOrStdout())
				return err
			}
			n, err := writeWhole(args[0], force, func(w io.Writer) (int64, error) { return client.ExportJournal(c.Context(), w) })
			if err == nil {
				screen{c.OutOrStdout()}.line("exported", args[0], counted(uint64(n), "octet"))
			}
			return err
		},
	}
	c.Flags().BoolVar(&force, "force", false, "put it in the place of a file that is there")
	addSocketFlag(c)
	return c
}
