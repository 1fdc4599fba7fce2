package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usciere/policy/admin"
)

func statusCommand() *cobra.Command {
	return online(&cobra.Command{
		Use:   "status",
		Short: "Show how the daemon is",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		st, err := s.Status(s.ctx)
		if err != nil {
			return err
		}
		return s.show(st, func() {
			d, r, n := st.Daemon, st.Rules, st.Counters
			up := time.Duration(st.Uptime) * time.Second
			s.line("usciere", st.Version, d.Town, "up "+up.String())
			for _, field := range [][2]string{
				{"dns", strings.Join(d.Listen, ", ")}, {"tls", strings.Join(d.Encrypted, ", ")}, {"page", strings.Join(d.Page, ", ")}, {"metrics", strings.Join(d.Metrics, ", ")},
				{"socket", d.Socket}, {"state", d.State}, {"settings", d.Config},
			} {
				if field[1] != "" {
					s.detail(field[0], field[1])
				}
			}
			s.detail("rules", fmt.Sprintf("%s, %s, %s, %s, %s, %s", counted(r.Offices, "office"), counted(r.Networks, "network"),
				counted(r.Hosts, "host"), counted(r.Seats, "seat"), counted(r.Services, "service"), counted(r.Grants, "grant")))
			s.detail("journal", "head "+st.Journal.String())
			s.detail("asked", fmt.Sprintf("%d allowed, %d sinkholed, %d local, %d refused, %d malformed, %d dropped",
				n.Allowed, n.Sinkholed, n.Local, n.Refused, n.Malformed, n.Dropped))
			s.detail("failed", fmt.Sprintf("%d without an answer upstream, %d shed under load", n.Failures, n.Shed))
			if n.HeldBack > 0 {
				s.detail("strangers", fmt.Sprintf("%d held back, too many to a network outside the site", n.HeldBack))
			}
			s.detail("letters", st.Letters.String())
			s.detail("you", fmt.Sprintf("%s (uid %d), may %s", st.You.Name, st.You.UID, st.You.Permit))
			if d.Trace != nil {
				s.detail("trace", describeTrace(*d.Trace)...)
			}
			for _, p := range d.Problems {
				s.detail("problem", p)
			}
		})
	})
}

func cacheCommand() *cobra.Command {
	return group("cache", "The answer cache", cacheStats(), cacheShow(), cacheFlush())
}

func cacheStats() *cobra.Command {
	return online(&cobra.Command{
		Use:   "stats",
		Short: "Show the figures of the cache",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		st, err := s.CacheStats(s.ctx)
		if err != nil {
			return err
		}
		return s.show(st, func() {
			s.line("cache", fmt.Sprintf("%d answers, about %d KiB", st.Entries, st.Bytes>>10))
			s.detail("hits", fmt.Sprintf("%d (%.1f %%)", st.Hits, 100*st.HitRatio))
			s.detail("misses", fmt.Sprintf("%d, of which %d got a stale answer and %d a failure known already", st.Misses, st.Stale, st.Failed))
			s.detail("failing", counted(st.Failing, "question"))
			s.detail("prefetch", fmt.Sprintf("%d refreshed before their end", st.Prefetches))
			s.detail("kept", fmt.Sprintf("%d, of which %d were pushed out for want of room", st.Puts, st.Evictions))
		})
	})
}

func cacheShow() *cobra.Command {
	return online(&cobra.Command{
		Use:               "show NAME",
		Short:             "Show the answers that are kept for a name",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}, func(s *session, args []string) error {
		page, err := s.Cache(s.ctx, args[0])
		if err != nil {
			return err
		}
		return s.show(page, func() {
			var rows [][]string
			for _, e := range page.Entries {
				flags := ""
				for _, f := range []struct {
					name string
					set  bool
				}{{" DO", e.DO}, {" CD", e.CD}, {" AD", e.AD}} {
					if f.set {
						flags += f.name
					}
				}
				remaining := fmt.Sprintf("%d s", e.Remaining)
				if e.Stale {
					remaining = "stale, " + remaining
				}
				rows = append(rows, []string{e.Type.String(), e.Rcode, remaining, e.From, strings.TrimSpace(flags), strings.Join(e.Records, " · ")})
			}
			s.table("nothing is kept for "+page.Name.String(), []string{"TYPE", "RCODE", "FOR", "FROM", "FLAGS", "RECORDS"}, rows)
		})
	})
}

func cacheFlush() *cobra.Command {
	var all bool
	c := online(&cobra.Command{
		Use:               "flush NAME|--all",
		Short:             "Forget the answers and failures that are kept for a name, or all",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}, func(s *session, args []string) error {
		if all == (len(args) == 1) {
			return usageError("what is to be forgotten? give a name, or --all")
		}
		asked := admin.FlushRequest{All: all}
		if len(args) == 1 {
			asked.Name = args[0]
		}
		done, err := s.FlushCache(s.ctx, asked)
		if err != nil {
			return err
		}
		return s.show(done, func() { s.line("flushed", counted(done.Answers, "answer")) })
	})
	c.Flags().BoolVar(&all, "all", false, "forget everything")
	return c
}

func backupCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a copy of rules, requests and journal while the daemon runs",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client := admin.Dial(socketOf(c))
			defer client.Close()
			status, err := client.Status(c.Context())
			if err != nil {
				return err
			}
			n, err := writeWhole(args[0], force, func(w io.Writer) (int64, error) { return client.Backup(c.Context(), w) })
			if err == nil {
				out := screen{c.OutOrStdout()}
				out.line("backup", args[0], fmt.Sprintf("%d KiB", n>>10))
				out.line("restore", "stop the daemon, then `usciere restore "+args[0]+" --state "+status.Daemon.State+"`")
			}
			return err
		},
	}
	c.Flags().BoolVar(&force, "force", false, "put it in the place of a file that is there")
	addSocketFlag(c)
	return c
}

func profileCommand() *cobra.Command {
	var force bool
	var seconds int
	c := &cobra.Command{
		Use:       "profile " + strings.Join(admin.Profiles, "|") + " FILE",
		Short:     "Write what the program is doing, for who mends it: `go tool pprof` reads it",
		Args:      cobra.ExactArgs(2),
		ValidArgs: admin.Profiles,
		RunE: func(c *cobra.Command, args []string) error {
			client := admin.Dial(socketOf(c))
			defer client.Close()
			n, err := writeWhole(args[1], force, func(w io.Writer) (int64, error) { return client.Profile(c.Context(), args[0], seconds, w) })
			if err == nil {
				screen{c.OutOrStdout()}.line("profile", args[1], counted(int(n), "octet"))
			}
			return err
		},
	}
	c.Flags().IntVar(&seconds, "seconds", 0, fmt.Sprintf("`N` seconds of processor time to look at (%d)", admin.DefaultProfile))
	c.Flags().BoolVar(&force, "force", false, "put it in the place of a file that is there")
	addSocketFlag(c)
	return c
}

// writeWhole writes a file that is there complete or not at all, and is never half the one it replaces. Only its owner may
// read it.
func writeWhole(path string, force bool, write func(io.Writer) (int64, error)) (n int64, err error) {
	if _, err := os.Lstat(path); err == nil && !force {
		return 0, fmt.Errorf("%s is there already\n  give another name, or --force to replace it", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
			_ = f.Close() // nobody wants it any more
		}
	}()
	if n, err = write(f); err != nil {
		return n, err
	}
	if err := f.Sync(); err != nil {
		return n, fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return n, fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return n, fmt.Errorf("write %s: %w", path, err)
	}
	return n, syncFolder(filepath.Dir(path))
}

// syncFolder makes a new name in a folder survive a power cut.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open the folder %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("write the folder %s: %w", dir, err)
	}
	return nil
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			screen{c.OutOrStdout()}.note(fmt.Sprintf("usciere %s (%s, %s/%s)", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH))
			return nil
		},
	}
}
