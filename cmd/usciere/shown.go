package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"usciere/cmd/usciere/settings"
	"usciere/policy"
	"usciere/policy/admin"
	"usciere/policy/letter"
	"usciere/resolver/upstream"
)

// openAdmin opens the socket on what this daemon shows and lets change.
func (d *daemon) openAdmin(path string, groups settings.Admin) (err error) {
	if d.socket, err = admin.Listen(path); err != nil {
		return err
	}
	d.admin = admin.New(admin.Config{
		Rules: d.rules, Store: d.store, Resolver: shown{d}, Traces: &d.tracing,
		Groups:  admin.Groups{Admin: groups.Group, Viewer: groups.Viewers, Head: groups.Head},
		Version: Version, Started: d.started, Daemon: d.describe, Log: d.log,
		Leases:  d.leaseList,
		Letters: func() letter.Style { return styleOf(d.inForce.Load().settings) },
	})
	return nil
}

func (d *daemon) describe() admin.Daemon {
	s := d.inForce.Load().settings
	out := admin.Daemon{Town: s.Town.Name, Socket: d.socket.Addr().String(), State: d.folder, Config: d.options.config}
	for _, a := range d.dns.Addrs() {
		out.Listen = append(out.Listen, a.String())
	}
	out.Encrypted = d.encrypted()
	out.HTTPS, out.ServerName = d.named()
	out.Page = d.pages.addresses()
	out.Metrics = d.metrics.addresses()
	if t, under := d.tracing.state(); under {
		out.Trace = &t
	}
	out.Problems = d.problems()
	return out
}

// problems are what an administrator should look at: what settings and rules, each sound by itself, get wrong together, and what is amiss.
func (d *daemon) problems() []string {
	var out []string
	rules := d.rules.Snapshot()
	for _, p := range rules.NetworksOutside() {
		out = append(out, fmt.Sprintf("network %s lies outside the site: nobody in it is answered", p))
	}
	for _, z := range d.inForce.Load().settings.Zones {
		for _, v := range z.Offices {
			if _, ok := rules.Office(v.Office); !ok {
				out = append(out, fmt.Sprintf("zone %s is open to office %q, which is not there", z.Name, v.Office))
			}
		}
	}
	for _, l := range d.lists.State() {
		if l.Problem != "" {
			out = append(out, "security list "+l.Problem)
		}
	}
	if err := d.unsound.Load(); err != nil {
		out = append(out, "the journal does not verify: "+(*err).Error())
	}
	for _, g := range d.inForce.Load().groups {
		if !slices.ContainsFunc(g.Servers(), func(s upstream.ServerStatus) bool { return s.State == upstream.OK }) {
			out = append(out, "no server of "+g.Name()+" answers: what is not remembered is SERVFAIL, see `usciere upstream list`")
		}
	}
	out = append(append(out, d.encryptedProblems()...), d.leaseProblems()...)
	out = append(out, d.aliasProblems()...)
	return append(append(out, d.pages.problems()...), d.stuckLetters()...)
}

// stuckLetters are the problems of sending letters.
func (d *daemon) stuckLetters() []string {
	n, err := admin.CountLetters(d.rules, time.Now())
	if err != nil {
		return []string{"letters cannot be read: " + err.Error()}
	}
	var out []string
	if n.Refused > 0 {
		out = append(out, fmt.Sprintf("the mail server refused %s: see `usciere outbox`, and `usciere letter resend`", counted(n.Refused, "letter")))
	}
	if n.Failing > 0 {
		out = append(out, fmt.Sprintf("%s could not be sent for an hour or longer: see `usciere outbox`", counted(n.Failing, "letter")))
	}
	if n.Outbox > 0 && d.inForce.Load().settings.Mail.Server == "" {
		out = append(out, fmt.Sprintf("%s cannot be sent: no mail server is set (mail.server)", counted(n.Outbox, "letter")))
	}
	return out
}

// shown is the query path as the socket shows it.
type shown struct{ *daemon }

// Explain says where a question would go.
func (d shown) Explain(rules *policy.Snapshot, c *policy.Client, name policy.Name, t policy.Type, at time.Time) admin.Judgement {
	way := d.resolver.Route(rules, c, name, t, at)
	out := admin.Judgement{Verdict: way.Verdict, Local: way.Describe(), Mode: d.resolver.Mode(c, way), Forward: way.Forward != ""}
	if way.Through != "" {
		out.Through, out.By = way.Through.String(), way.By
	}
	if way.Closed != "" {
		out.Closed = way.Closed.String()
	}
	out.Inward = way.Inward
	if way.Listed.List != nil {
		out.Listed = way.Listed.Name
	}
	return out
}

// Trace asks the servers what a question comes to.
func (d shown) Trace(rules *policy.Snapshot, c *policy.Client, name policy.Name, t policy.Type, at time.Time) (out admin.Trace, err error) {
	way := d.resolver.Route(rules, c, name, t, at)
	if way.Group == nil {
		return out, errors.New("it goes to no server")
	}
	trace, err := d.resolver.Trace(way, name, t)
	out.Rcode, out.Records = trace.Rcode, trace.Records
	for _, l := range trace.Links {
		out.Links = append(out.Links, admin.TraceLink{Name: l.Name, Target: l.Target, TTL: l.TTL})
	}
	return out, err
}

// KeepAsked writes what was counted.
func (d shown) KeepAsked() error { return d.writeAsked(time.Now()) }

// Waits are the resolver's.
func (d shown) Waits() admin.Waits { return admin.Waits(d.resolver.Waits()) }

// Counters are the resolver's.
func (d shown) Counters() admin.Counters { return admin.Counters(d.resolver.Stats()) }

// OfficeCounts are the resolver's, by office.
func (d shown) OfficeCounts() map[string]admin.OfficeCount {
	out := map[string]admin.OfficeCount{}
	for id, n := range d.resolver.Offices() {
		out[id] = admin.OfficeCount(n)
	}
	return out
}

// CacheStats are the figures of the answer cache.
func (d shown) CacheStats() admin.CacheStats {
	s := d.resolver.CacheStats()
	return admin.CacheStats{
		Entries: s.Entries, Bytes: s.Bytes, Hits: s.Hits, Misses: s.Misses, Puts: s.Puts, Evictions: s.Evictions,
		HitRatio: s.HitRatio(), Stale: s.Stale, Failed: s.Failed, Failing: s.Failing, Prefetches: s.Prefetches,
	}
}

// CacheShow is what the cache has for a name.
func (d shown) CacheShow(name policy.Name) []admin.CacheEntry {
	var out []admin.CacheEntry
	for _, c := range d.resolver.Cached(name) {
		from := "upstream"
		if c.Forward != "" {
			from = "forward " + c.Forward.String()
		}
		out = append(out, admin.CacheEntry{
			Type: c.Type, DO: c.DO, CD: c.CD, AD: c.AD, From: from, Rcode: c.Rcode,
			Stale: c.Stale, Remaining: c.Remaining, Records: c.Records,
		})
	}
	return out
}

// CacheFlush forgets the answers for a name, or all.
func (d shown) CacheFlush(name policy.Name) int {
	if name == "" {
		return d.cache.Flush()
	}
	return d.cache.FlushName([]byte(name))
}

// Upstreams are the servers of all groups.
func (d shown) Upstreams() []admin.Upstream {
	var out []admin.Upstream
	for _, g := range d.inForce.Load().groups {
		for _, s := range g.Servers() {
			out = append(out, admin.Upstream{
				Group: g.Name(), Addr: s.Addr, Queries: s.Queries, Failures: s.Failures, Dropped: s.Dropped,
				LastError: s.LastError, RTT: s.RTT, Smoothed: s.Smoothed, Silent: s.State != upstream.OK,
				State: string(s.State), Since: s.Since, SameCase: s.SameCase, NoEDNS: s.NoEDNS, Over: string(s.Over), Name: s.Name,
			})
		}
	}
	return out
}
