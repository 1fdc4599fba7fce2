package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usciere/policy"
	"usciere/policy/admin"
)

// completionTime is how long a shell waits for the daemon.
const completionTime = time.Second

// complete registers what completes a flag.
func complete(c *cobra.Command, flag string, with cobra.CompletionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, with); err != nil {
		panic(err) // the flag is not there: a fault of the program
	}
}

// completing asks the daemon for the words that fit; without one there are none.
func completing(words func(context.Context, *admin.Client) ([]cobra.Completion, error)) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(context.Background(), completionTime)
		defer cancel()
		client := admin.Dial(socketOf(c))
		defer client.Close()
		all, err := words(ctx, client)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var fit []cobra.Completion
		for _, w := range all {
			if strings.HasPrefix(w, prefix) {
				fit = append(fit, w)
			}
		}
		return fit, cobra.ShellCompDirectiveNoFileComp
	}
}

var offices = completing(func(ctx context.Context, c *admin.Client) (out []cobra.Completion, err error) {
	list, err := c.Offices(ctx)
	if err != nil {
		return nil, err
	}
	for _, o := range list.Offices {
		out = append(out, cobra.CompletionWithDesc(o.ID, printable(o.Name)))
	}
	return out, nil
})

var seats = completing(func(ctx context.Context, c *admin.Client) (out []cobra.Completion, err error) {
	list, err := c.Seats(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range list.Seats {
		out = append(out, cobra.CompletionWithDesc(s.ID, printable(s.Name)))
	}
	return out, nil
})

var tokens = completing(func(ctx context.Context, c *admin.Client) (out []cobra.Completion, err error) {
	list, err := c.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range list.Tokens {
		out = append(out, cobra.CompletionWithDesc(t.ID, t.Of()))
	}
	return out, nil
})

var aliases = completing(func(ctx context.Context, c *admin.Client) (out []cobra.Completion, err error) {
	list, err := c.Aliases(ctx, false)
	if err != nil {
		return nil, err
	}
	for _, a := range list.Aliases {
		out = append(out, a.Name.String())
	}
	return out, nil
})

var services = completing(func(ctx context.Context, c *admin.Client) (out []cobra.Completion, err error) {
	list, err := c.Services(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range list.Services {
		out = append(out, cobra.CompletionWithDesc(s.ID, printable(s.Title)))
	}
	return out, nil
})

var grants = completing(func(ctx context.Context, c *admin.Client) (out []cobra.Completion, err error) {
	list, err := c.Grants(ctx, admin.GrantFilter{Limit: admin.MaxGrants})
	if err != nil {
		return nil, err
	}
	for _, g := range list.Grants {
		out = append(out, cobra.CompletionWithDesc(g.Grant.ID.String(), printable(g.Grant.Subject.String()+" "+g.Grant.Opens())))
	}
	return out, nil
})

var requests = completing(func(ctx context.Context, c *admin.Client) (out []cobra.Completion, err error) {
	list, err := c.Requests(ctx, admin.RequestFilter{Limit: admin.MaxRequests})
	if err != nil {
		return nil, err
	}
	for _, q := range list.Requests {
		out = append(out, cobra.CompletionWithDesc(q.ID.String(), printable(q.Office+" "+string(q.State)+" "+q.Protocol)))
	}
	return out, nil
})

// fixed completes one of a few words.
func fixed[T ~string](words []T) cobra.CompletionFunc {
	out := make([]cobra.Completion, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return cobra.FixedCompletions(out, cobra.ShellCompDirectiveNoFileComp)
}

var channels = fixed([]policy.Channel{policy.Web, policy.Mail})

// first completes the first argument only.
func first(with cobra.CompletionFunc) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return with(c, args, prefix)
	}
}
