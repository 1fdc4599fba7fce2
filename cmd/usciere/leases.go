package main

import (
	"fmt"
	"time"

	"usciere/cmd/usciere/settings"
	"usciere/policy"
	"usciere/policy/admin"
	"usciere/policy/lease"
)

// openLeases reads who is where, so that the rules know it before the first question.
func (d *daemon) openLeases(s settings.DHCP) {
	if len(s.Leases) == 0 && !s.Neighbours {
		return
	}
	d.leases = lease.New(d.rules, leaseSources(s), s.Neighbours, time.Now, d.log)
}

func leaseSources(s settings.DHCP) (sources []lease.Source) {
	for _, l := range s.Leases {
		sources = append(sources, lease.Source{Format: lease.Format(l.Format), Path: l.Path})
	}
	return sources
}

// checkLeases reads each source once, and returns a line for each. One that cannot be read keeps no daemon from its start.
func checkLeases(s settings.DHCP) (lines []string) {
	for _, source := range leaseSources(s) {
		if n, problem := source.Check(); problem != "" {
			lines = append(lines, fmt.Sprintf("%s  cannot be read: %s", source, problem))
		} else {
			lines = append(lines, fmt.Sprintf("%s  %s  ok", source, counted(n, "lease")))
		}
	}
	return lines
}

// leaseProblems are sources that cannot be read, and devices that no source could know.
func (d *daemon) leaseProblems() []string {
	if d.leases == nil {
		for _, seat := range d.rules.Snapshot().Seats() {
			if len(seat.Devices) > 0 {
				return []string{fmt.Sprintf("seat %s has devices, but no leases are read (dhcp.leases): nobody is known by them", seat.ID)}
			}
		}
		return nil
	}
	var out []string
	for _, s := range d.leases.State().Sources {
		if s.Problem != "" {
			out = append(out, fmt.Sprintf("leases of %s cannot be read: %s", s.Source, s.Problem))
		}
	}
	return out
}

// leaseList is what is known of leases, as the socket shows it.
func (d *daemon) leaseList() admin.LeaseList {
	if d.leases == nil {
		return admin.LeaseList{}
	}
	state, rules, now := d.leases.State(), d.rules.Snapshot(), time.Now()
	out := admin.LeaseList{Watched: true}
	for _, s := range state.Sources {
		out.Sources = append(out.Sources, admin.LeaseSource{Source: s.Source.String(), Leases: s.Leases, Problem: s.Problem})
	}
	for _, s := range state.Sights {
		l := admin.Lease{Addr: s.Addr, MAC: s.MAC, Host: s.Host, Until: s.Until, Source: s.Source, Against: s.Against}
		for _, id := range []policy.DeviceID{s.MAC, s.Host} {
			if seat, ok := rules.SeatOf(id); ok {
				l.Seat = seat.ID
				break
			}
		}
		if l.Seat != "" && l.Against == "" && rules.Who(s.Addr, now).Device == "" {
			l.Against = "the address has an entry of its own, which decides, or lies outside the site"
		}
		out.Leases = append(out.Leases, l)
	}
	return out
}
