package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"usciere/policy/portal/authority"
)

func caCommand() *cobra.Command {
	return group("ca", "The root of the page's certificates, for portal.https", caInit(), caShow(), caExport())
}

// offlineCA makes a command that works on the state folder of the settings, with or without a daemon.
func offlineCA(c *cobra.Command, run func(out rootScreen, folder, town string, args []string) error) *cobra.Command {
	var o serveOptions
	var output string
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkOutput(output); err != nil {
			return err
		}
		s, err := o.settings()
		if err != nil {
			return err
		}
		folder, err := s.StateFolder()
		if err != nil {
			return err
		}
		return run(rootScreen{screen{c.OutOrStdout()}, output == "json"}, folder, s.Town.Name, args)
	}
	outputFlag(c, &output)
	c.Flags().StringVar(&o.config, "config", "", "settings `FILE` (YAML)")
	c.Flags().StringVar(&o.state, "state", "", "`DIR` of rules and journal; before the settings")
	return c
}

func caInit() *cobra.Command {
	return offlineCA(&cobra.Command{
		Use:   "init",
		Short: "Make a root, in the state folder; one that is there stays",
		Args:  cobra.NoArgs,
	}, func(out rootScreen, folder, town string, _ []string) error {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("make the state folder: %w", err)
		}
		if err := becomeOwner(folder); err != nil {
			return err
		}
		a, err := authority.Create(folder, town, time.Now())
		if err != nil {
			return err
		}
		return out.show(a, func() {
			out.line("next", "`usciere ca export FILE`, roll FILE out to the workstations, set portal.https, and restart the daemon")
		})
	})
}

func caShow() *cobra.Command {
	return offlineCA(&cobra.Command{
		Use:   "show",
		Short: "Show the root",
		Args:  cobra.NoArgs,
	}, func(out rootScreen, folder, _ string, _ []string) error {
		a, err := openRoot(folder)
		if err != nil {
			return err
		}
		return out.show(a, func() {})
	})
}

func caExport() *cobra.Command {
	var force bool
	c := offlineCA(&cobra.Command{
		Use:   "export FILE",
		Short: "Write the root's certificate, without its key, for the workstations",
		Args:  cobra.ExactArgs(1),
	}, func(out rootScreen, folder, _ string, args []string) error {
		a, err := openRoot(folder)
		if err != nil {
			return err
		}
		if _, err := writeWhole(args[0], force, func(w io.Writer) (int64, error) {
			n, err := w.Write(a.PEM())
			return int64(n), err
		}); err != nil {
			return err
		}
		if err := os.Chmod(args[0], 0o644); err != nil {
			return fmt.Errorf("write %s: %w", args[0], err)
		}
		return out.show(a, func() { out.line("exported", args[0]) })
	})
	c.Flags().BoolVar(&force, "force", false, "put it in the place of a file that is there")
	return c
}

func openRoot(folder string) (*authority.Authority, error) {
	a, err := authority.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no root in %s\n  make one with `usciere ca init`", folder)
	}
	return a, err
}

// root is what an administrator compares when trusting a root.
type root struct {
	Subject string `json:"subject"`
	From    string `json:"from"` // days
	Until   string `json:"until"`
	SHA256  string `json:"sha256"` // of the certificate
}

// rootScreen shows a root as JSON, or to a person.
type rootScreen struct {
	screen
	asJSON bool
}

// show prints a root, and for a person what more has.
func (s rootScreen) show(a *authority.Authority, more func()) error {
	sum := sha256.Sum256(a.Root.Raw)
	r := root{
		a.Root.Subject.String(), a.Root.NotBefore.UTC().Format(time.DateOnly), a.Root.NotAfter.UTC().Format(time.DateOnly), hex.EncodeToString(sum[:]),
	}
	if s.asJSON {
		return s.json(r)
	}
	s.line("root", r.Subject)
	s.detail("from", r.From)
	s.detail("until", r.Until)
	s.detail("sha256", r.SHA256)
	more()
	return nil
}
