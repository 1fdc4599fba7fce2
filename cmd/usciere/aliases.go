package main

import (
	"context"
	"fmt"
	"time"

	"usciere/resolver/owners"
)

// keepAliasesEvery is how often what was learnt of aliases is written.
const keepAliasesEvery = time.Minute

// openAliases gives the resolver what it knew of to whom granted names lead.
func (d *daemon) openAliases() error {
	kept, err := d.rules.Aliases()
	if err != nil {
		return fmt.Errorf("read where aliases lead: %w", err)
	}
	d.resolver.RememberOwners(owners.New(owners.MaxNames, kept))
	return nil
}

// keepAliases writes what the resolver learns of them, until ctx ends.
func (d *daemon) keepAliases(ctx context.Context) {
	ticker := time.NewTicker(keepAliasesEvery)
	defer ticker.Stop()
	for over := false; !over; {
		select {
		case <-ctx.Done():
			over = true
		case <-ticker.C:
		case <-d.resolver.Owners().Changed():
		}
		if err := d.resolver.Owners().Keep(d.rules.Learn); err != nil {
			d.log.Warn("what was learnt of aliases cannot be written, and is tried again", "error", err)
		}
	}
}

// aliasProblems says when granted names lead to owners that nobody has said are right.
func (d *daemon) aliasProblems() []string {
	all, err := d.rules.Aliases()
	if err != nil {
		return []string{"where aliases lead cannot be read: " + err.Error()}
	}
	n := 0
	for i := range all {
		if len(all[i].News()) > 0 {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s to an owner not seen before: see `usciere alias list`", leads(n))}
}

func leads(n int) string {
	if n == 1 {
		return "a granted name leads"
	}
	return fmt.Sprintf("%d granted names lead", n)
}
