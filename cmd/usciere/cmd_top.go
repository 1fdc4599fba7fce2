package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"usciere/policy/admin"
)

const (
	topOffices = 20 // busiest ones shown
	leastTop   = 200 * time.Millisecond
)

// sample is what the daemon counts at one moment.
type sample struct {
	At        time.Time                    `json:"at"`
	Status    *admin.Status                `json:"status"`
	Cache     *admin.CacheStats            `json:"cache"`
	Offices   map[string]admin.OfficeCount `json:"offices"`
	Upstreams []admin.Upstream             `json:"upstreams"`
}

func topCommand() *cobra.Command {
	var every time.Duration
	var once bool
	c := online(&cobra.Command{
		Use:   "top",
		Short: "Watch what is asked now: verdicts by office, the cache, how long clients wait, the upstream servers",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		if every < leastTop {
			return usageError(fmt.Sprintf("--every %s: at least %s", every, leastTop))
		}
		before, err := s.sample()
		if err != nil {
			return err
		}
		for live := !once && !s.asJSON && isTerminal(os.Stdout); ; {
			select {
			case <-s.ctx.Done():
				return nil
			case <-time.After(every):
			}
			now, err := s.sample()
			if err != nil {
				return err
			}
			if s.asJSON {
				return s.json(now)
			}
			var page bytes.Buffer
			screen{&page}.top(before, now)
			if !live {
				s.print(page.String())
				return nil
			}
			s.print("\x1b[H\x1b[2J" + page.String())
			before = now
		}
	})
	c.Flags().DurationVar(&every, "every", 2*time.Second, "`TIME` between two looks")
	c.Flags().BoolVar(&once, "once", false, "look once and end, as without a terminal")
	return c
}

func (s *session) sample() (out sample, err error) {
	out.At = time.Now()
	if out.Status, err = s.Status(s.ctx); err != nil {
		return out, err
	}
	if out.Cache, err = s.CacheStats(s.ctx); err != nil {
		return out, err
	}
	counts, err := s.OfficeCounts(s.ctx)
	if err != nil {
		return out, err
	}
	out.Offices = counts.Offices
	servers, err := s.Upstreams(s.ctx)
	if err == nil {
		out.Upstreams = servers.Upstreams
	}
	return out, err
}

// top prints what happened between two moments.
func (s screen) top(before, now sample) {
	seconds := now.At.Sub(before.At).Seconds()
	rate := func(was, is uint64) float64 { return float64(is-min(was, is)) / seconds } // a daemon that was started anew counts from 0
	is, was := now.Status.Counters, before.Status.Counters
	s.line("usciere", now.Status.Daemon.Town, fmt.Sprintf("%.1f replies a second", rate(was.Replies, is.Replies)),
		"up "+(time.Duration(now.Status.Uptime)*time.Second).String())
	s.detail("asked", fmt.Sprintf("%.1f allowed, %.1f sinkholed, %.1f local, %.1f refused, %.1f malformed a second",
		rate(was.Allowed, is.Allowed), rate(was.Sinkholed, is.Sinkholed), rate(was.Local, is.Local), rate(was.Refused, is.Refused), rate(was.Malformed, is.Malformed)))
	s.detail("failed", fmt.Sprintf("%.1f without an answer upstream, %.1f shed, %.1f held back a second",
		rate(was.Failures, is.Failures), rate(was.Shed, is.Shed), rate(was.HeldBack, is.HeldBack)))
	if waited := waitsBetween(before.Status.Waits, now.Status.Waits); waited != "" {
		s.detail("waited", waited)
	}
	hits, misses := rate(before.Cache.Hits, now.Cache.Hits), rate(before.Cache.Misses, now.Cache.Misses)
	share := "nothing was looked up"
	if hits+misses > 0 {
		share = fmt.Sprintf("%.1f %% found", 100*hits/(hits+misses))
	}
	s.detail("cache", share, counted(now.Cache.Entries, "answer"))
	for _, p := range now.Status.Daemon.Problems {
		s.detail("problem", p)
	}
	s.print("\n")
	s.table("no office asked anything yet", []string{"OFFICE", "A SECOND", "ALLOWED", "SINKHOLED", "LOCAL"}, officeRows(before.Offices, now.Offices, rate))
	s.print("\n")
	asked := map[string]admin.Upstream{}
	for _, u := range before.Upstreams {
		asked[u.Group+u.Addr.String()] = u
	}
	var rows [][]string
	for _, u := range now.Upstreams {
		b := asked[u.Group+u.Addr.String()]
		rows = append(rows, []string{u.Group, serverText(u.Addr, u.Over, u.Name), u.State, u.Smoothed.Round(100 * time.Microsecond).String(),
			fmt.Sprintf("%.1f", rate(b.Queries, u.Queries)), fmt.Sprintf("%.1f", rate(b.Failures, u.Failures))})
	}
	s.table("no upstream servers", []string{"GROUP", "SERVER", "STATE", "RTT", "A SECOND", "FAILED"}, rows)
}

// waitsBetween says how long the clients waited who were answered from upstream between two moments; empty: there were none.
func waitsBetween(before, now admin.Waits) string {
	counts := slices.Clone(now.Counts)
	all := uint64(0)
	for i := range counts {
		if i < len(before.Counts) {
			counts[i] -= min(before.Counts[i], counts[i])
		}
		all += counts[i]
	}
	if all == 0 {
		return ""
	}
	until := func(share uint64) string { // in a hundred
		sum := uint64(0)
		for i, n := range counts {
			if sum += n; 100*sum >= share*all && i < len(now.Bounds) {
				return "up to " + time.Duration(now.Bounds[i]*float64(time.Second)).String()
			}
		}
		return "longer"
	}
	return fmt.Sprintf("%d for the upstream: half of them %s, 99 in a hundred %s", all, until(50), until(99))
}

// officeRows are the busiest offices, by questions a second.
func officeRows(before, now map[string]admin.OfficeCount, rate func(was, is uint64) float64) (rows [][]string) {
	type busy struct {
		id                        string
		allowed, sinkholed, local float64
	}
	var all []busy
	for _, id := range slices.Sorted(maps.Keys(now)) {
		is, was := now[id], before[id]
		all = append(all, busy{id, rate(was.Allowed, is.Allowed), rate(was.Sinkholed, is.Sinkholed), rate(was.Local, is.Local)})
	}
	total := func(b busy) float64 { return b.allowed + b.sinkholed + b.local }
	slices.SortStableFunc(all, func(a, b busy) int { return cmp.Compare(total(b), total(a)) })
	for _, b := range all[:min(len(all), topOffices)] {
		name := b.id
		if name == "" {
			name = "(in no office)"
		}
		row := []string{name}
		for _, n := range []float64{total(b), b.allowed, b.sinkholed, b.local} {
			row = append(row, fmt.Sprintf("%.1f", n))
		}
		rows = append(rows, row)
	}
	return rows
}
