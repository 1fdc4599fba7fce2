package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"usciere/cmd/usciere/townfile"
	"usciere/policy"
	"usciere/policy/admin"
)

func exportCommand() *cobra.Command {
	var force bool
	c := online(&cobra.Command{
		Use:   "export [FILE]",
		Short: "Write the whole policy in force as town.yaml",
		Long: "Write offices, seats, hosts, the town's own services and the grants with their requests as one file, for `usciere apply`.\n" +
			"Revoked and past grants are not in it: they stay in the store and its journal, which `usciere backup` copies.",
		Args: cobra.MaximumNArgs(1),
	}, func(s *session, args []string) error {
		t, err := s.Town(s.ctx)
		if err != nil {
			return err
		}
		if len(args) == 0 {
			if s.asJSON {
				return s.json(t)
			}
			return townfile.Write(s.w, t.Document)
		}
		_, err = writeWhole(args[0], force, func(w io.Writer) (int64, error) { return 0, townfile.Write(w, t.Document) })
		if err != nil {
			return err
		}
		s.line("exported", args[0], counted(len(t.Document.Offices), "office"), counted(len(t.Document.Grants), "grant"), fmt.Sprintf("version %d", t.Version))
		return nil
	})
	c.Flags().BoolVar(&force, "force", false, "put it in the place of a file that is there")
	return c
}

func applyCommand() *cobra.Command {
	var path string
	var change admin.TownChange
	c := online(&cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make the policy what town.yaml says, in one step or not at all",
		Long: "Compare the file with the policy in force, print the difference, an object a line (+ made, - removed, ~ changed),\n" +
			"and make it, all or nothing. What is not in the file is removed, grants are revoked. The file is only read.",
		Args: cobra.NoArgs,
	}, func(s *session, _ []string) error {
		file, err := readTown(path, s.status)
		if err != nil {
			return err
		}
		change.Document, change.File = file.Document, filepath.Base(path)
		if path == "-" {
			change.File = "standard input"
		}
		done, err := s.applyTown(change)
		var refusal *policy.Error
		if errors.As(err, &refusal) && len(refusal.Problems) > 0 {
			return file.Place(refusal.Problems)
		}
		if err != nil {
			return err
		}
		for _, w := range file.Place(done.Warnings) {
			screen{os.Stderr}.note("warning: " + w.Error())
		}
		return s.show(done, func() { s.changes(done) })
	})
	f := c.Flags()
	f.StringVarP(&path, "file", "f", "", "`FILE` to apply; - for standard input")
	f.BoolVar(&change.DryRun, "dry-run", false, "only print the difference")
	f.BoolVar(&change.KeepUnlisted, "keep-unlisted", false, "leave what is not in the file")
	f.Uint64Var(&change.BaseVersion, "if-version", 0, "only if the policy is still at `VERSION`")
	if err := c.MarkFlagRequired("file"); err != nil {
		panic(err) // the flag is not there: a fault of the program
	}
	return c
}

// applyTown sends a document; the time it takes is shown on a terminal.
func (s *session) applyTown(change admin.TownChange) (*admin.TownChanged, error) {
	defer s.status.clear()
	var progress func(sent, of int64)
	if s.status.on && len(change.Document.Grants) > manyGrants {
		progress = func(sent, of int64) {
			s.status.show("sending", sent, of)
			if sent == of {
				s.status.say("comparing")
			}
		}
	}
	return s.ApplyTown(s.ctx, change, progress)
}

// manyGrants take long enough to be worth a word.
const manyGrants = 1000

// changes prints how the policy differed from a document.
func (s screen) changes(done *admin.TownChanged) {
	for _, d := range done.Differences {
		s.print(fmt.Sprintf("%s %-8s%s\n", d.Op, d.Kind, joined([]string{d.ID, d.Text})))
	}
	switch {
	case len(done.Differences) == 0:
		s.note("no difference")
	case done.Applied:
		s.line("applied", counted(len(done.Differences), "difference")+"; version "+fmt.Sprint(done.Version))
		s.line("in force", "from the next query; workstations may keep what they were told for up to cache.client_ttl, 5 minutes by default")
	}
}

// readTown reads a file; of a large one, the progress is shown on a terminal.
func readTown(path string, status status) (*townfile.File, error) {
	in, size := os.Stdin, int64(0)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read the town: %w", err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			size = info.Size()
		}
		in = f
	}
	defer status.clear()
	return townfile.Read(in, path, func(octets int64) { status.show("reading", octets, size) })
}

func schemaCommand() *cobra.Command {
	return group("schema", "JSON schemas of files, for editors", &cobra.Command{
		Use:   "town",
		Short: "Print the JSON schema of town.yaml",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(townfile.Schema)
			return err
		},
	})
}
