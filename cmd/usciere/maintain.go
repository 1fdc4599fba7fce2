package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"usciere/cmd/usciere/settings"
	"usciere/policy"
	"usciere/policy/journal"
	"usciere/policy/store"
	"usciere/resolver"
)

// checkCommand looks at settings and store without serving.
func checkCommand() *cobra.Command {
	var o serveOptions
	var system bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Check settings, zones, security lists, certificate and root, leases and, if no daemon uses it, the store",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := o.settings()
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			fmt.Fprintf(out, "settings  %s  ok\n", orDefault(o.config, "(defaults)"))
			zones, err := loadZones(s)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "zones     %d  ok\n", len(zones))
			lists, err := checkSecurity(c.Context(), s.Security)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "security  %s  ok\n", lists)
			encrypted, err := checkTLS(s.TLS)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "tls       %s\n", encrypted)
			if _, err := secureServers(s.Upstream.Secure); err != nil {
				return err
			}
			if _, err := cookieSecret(s.Identity, resolver.CookieSecret{}); err != nil {
				return err
			}
			for _, line := range checkLeases(s.DHCP) {
				fmt.Fprintf(out, "leases    %s\n", line)
			}
			if _, err := mailServerOf(s); err != nil {
				return err
			}
			fmt.Fprintf(out, "mail      %s  ok\n", orDefault(s.Mail.Server, "(none: letters are printed)"))
			folder, err := s.StateFolder()
			if err != nil {
				return err
			}
			if s.Portal.Enabled && len(s.Portal.HTTPS) > 0 {
				if _, err := pageRoot(folder); err != nil {
					return err
				}
			}
			var mend error
			if system {
				mend = checkSystem(out, s, folder)
			}
			report, err := store.Check(folder)
			switch {
			case errors.Is(err, store.ErrNone), errors.Is(err, fs.ErrNotExist):
				fmt.Fprintf(out, "store     %s  none yet: the first start makes it\n", folder)
				return mend
			case errors.Is(err, store.ErrInUse):
				fmt.Fprintf(out, "store     %s  not looked at: the daemon is using it (`usciere journal verify` asks it)\n", folder)
				return mend
			case err != nil:
				return err
			}
			fmt.Fprintf(out, "store     %s  ok: format %d, %d KiB, %d grants, %d requests\n",
				report.Path, report.Format, report.Size>>10, report.Records[policy.TableGrants], report.Records[policy.TableRequests])
			fmt.Fprintf(out, "journal   %d entries  ok: head %s\n", report.Entries, report.Head)
			return mend
		},
	}
	c.Flags().StringVar(&o.config, "config", "", "settings `FILE` (YAML)")
	c.Flags().StringVar(&o.state, "state", "", "`DIR` of rules and journal; before the settings")
	c.Flags().BoolVar(&system, "system", false, "look at the machine too: ports, buffers, files, clock and disk; exit 1 when something is to be mended")
	return c
}

// checkSystem prints what a look at the machine came to; the error says that something is to be mended.
func checkSystem(out io.Writer, s settings.Settings, folder string) error {
	faults := 0
	for _, f := range lookAtSystem(s, folder) {
		if f.fault != "" {
			faults++
			fmt.Fprintf(out, "%-9s %s\n", f.about, f.fault)
			continue
		}
		fmt.Fprintf(out, "%-9s %s  ok\n", f.about, f.fine)
	}
	if faults > 0 {
		return fmt.Errorf("%s of the machine to be mended, see above", counted(faults, "matter"))
	}
	return nil
}

func orDefault(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

// becomeOwner makes root the user who owns a state folder, whom the daemon runs as, for the rest of the command: what is made there is that
// user's, and no link that lies there leads to what that user may not write.
func becomeOwner(folder string) error {
	var is syscall.Stat_t
	err := syscall.Stat(folder, &is)
	switch {
	case os.Getuid() != 0 || errors.Is(err, fs.ErrNotExist) || err == nil && is.Uid == 0:
		return nil
	case err == nil:
		gid, uid := int(is.Gid), int(is.Uid)
		err = cmp.Or(syscall.Setgroups([]int{gid}), syscall.Setresgid(gid, gid, gid), syscall.Setresuid(uid, uid, uid))
	}
	if err != nil {
		return fmt.Errorf("become the owner of %s: %w", folder, err)
	}
	return nil
}

// restoreCommand puts a backup in the place of the store.
func restoreCommand() *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of the store (the daemon must be stopped)",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := o.settings()
			if err != nil {
				return err
			}
			folder, err := s.StateFolder()
			if err != nil {
				return err
			}
			backup, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer backup.Close()
			by := myself()
			if err := becomeOwner(folder); err != nil {
				return err
			}
			restored, err := store.Restore(folder, backup, by, time.Now())
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			fmt.Fprintf(out, "restored  %s into %s; its journal, head %s, goes on with this restore\n", args[0], folder, restored.Head)
			if restored.Kept != "" {
				fmt.Fprintf(out, "kept      what was there as %s\n", restored.Kept)
			}
			return nil
		},
	}
	c.Flags().StringVar(&o.config, "config", "", "settings `FILE` (YAML)")
	c.Flags().StringVar(&o.state, "state", "", "`DIR` of rules and journal; before the settings")
	return c
}

// myself is who runs this process.
func myself() policy.Actor {
	a := policy.Actor{UID: uint32(os.Getuid()), PID: int32(os.Getpid()), Via: journal.ViaRestore}
	if u, err := user.Current(); err == nil {
		a.Name = u.Username
	}
	return a
}
