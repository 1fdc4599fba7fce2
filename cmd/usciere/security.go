package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"usciere/cmd/usciere/settings"
	"usciere/policy"
	"usciere/policy/admin"
	"usciere/resolver"
	"usciere/resolver/blocklist"
)

// securityOf is what the settings say of the security lists; the lists themselves are read beside the query path.
func securityOf(s settings.Security, lists *blocklist.Lists) resolver.Security {
	out := resolver.Security{Lists: lists, Mode: policy.Mode(s.Mode)}
	for _, role := range s.Roles {
		out.Roles = append(out.Roles, policy.Role(role))
	}
	return out
}

// securitySources are the files of the security lists.
func securitySources(s settings.Security) (out []blocklist.Source, err error) {
	format, err := blocklist.ParseFormat(s.Format)
	if err != nil {
		return nil, fmt.Errorf("security.format: %w", err)
	}
	for _, path := range s.Files {
		out = append(out, blocklist.Source{Path: path, Format: format})
	}
	if s.PublicDNS {
		out = append(out, blocklist.Source{Path: blocklist.PublicPath, Public: true})
	}
	return out, nil
}

// identityOf is what the settings let the server tell of itself.
func identityOf(s settings.Identity) resolver.Identity {
	out := resolver.Identity{NSID: s.NSID}
	if s.Version {
		out.Version = "usciere " + Version
	}
	return out
}

// openSecurity reads the security lists, and looks after their files until ctx ends. A list that cannot be read does not keep
// the town from being served: it is logged, and a problem of the status.
func (d *daemon) openSecurity(ctx context.Context, s settings.Security) error {
	sources, err := securitySources(s)
	if err != nil {
		return err
	}
	d.lists = blocklist.New(d.log)
	d.lists.Load(ctx, sources)
	go func() {
		ticker := time.NewTicker(blocklist.PollEvery)
		defer ticker.Stop()
		d.lists.Watch(ctx, ticker.C)
	}()
	return nil
}

// checkSecurity reads the security lists once, and returns what to say of them.
func checkSecurity(ctx context.Context, s settings.Security) (string, error) {
	sources, err := securitySources(s)
	if err != nil {
		return "", err
	}
	lists := blocklist.New(slog.New(slog.DiscardHandler))
	lists.Load(ctx, sources)
	names := 0
	for _, state := range lists.State() {
		if state.Problem != "" {
			return "", fmt.Errorf("security list %s", state.Problem)
		}
		names += state.Names
	}
	return fmt.Sprintf("%s, %s", counted(len(sources), "list"), counted(names, "name")), nil
}

// SecurityLists are the security lists.
func (d shown) SecurityLists() []admin.SecurityList {
	var out []admin.SecurityList
	for _, s := range d.lists.State() {
		out = append(out, admin.SecurityList{
			File: s.Path, Format: s.Format.String(), Names: s.Names, Exceptions: s.Exceptions, Skipped: s.Skipped, Hits: s.Hits,
			Modified: s.Modified, Problem: s.Problem,
		})
	}
	return out
}

func securityCommand() *cobra.Command {
	list := online(&cobra.Command{
		Use:   "list",
		Short: "List the security lists, in the order in which they decide",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		lists, err := s.SecurityLists(s.ctx)
		if err != nil {
			return err
		}
		return s.show(lists, func() {
			var rows [][]string
			for _, l := range lists.Lists {
				modified := ""
				if !l.Modified.IsZero() {
					modified = l.Modified.Local().Format("2006-01-02 15:04")
				}
				rows = append(rows, []string{
					l.File, l.Format, strconv.Itoa(l.Names), strconv.Itoa(l.Exceptions), strconv.Itoa(l.Skipped),
					strconv.FormatUint(l.Hits, 10), modified, l.Problem,
				})
			}
			s.table("no security lists: roles without limits reach every name (security.files in the settings)",
				[]string{"FILE", "FORMAT", "NAMES", "EXCEPTIONS", "SKIPPED", "HITS", "OF", "PROBLEM"}, rows)
		})
	})
	return group("security", "The names that roles without limits do not reach either", list)
}
