package main

import (
	"fmt"
	"io"
	"strings"

	"usciere/cmd/usciere/settings"
)

// announce says where the daemon answers and, of a demo, what to try.
func (d *daemon) announce(out io.Writer, s settings.Settings) {
	fmt.Fprintf(out, "usciere %s  %s\n", Version, s.Town.Name)
	var addrs []string
	for _, a := range d.dns.Addrs() {
		addrs = append(addrs, a.String())
	}
	fmt.Fprintf(out, "  dns       %s udp+tcp\n", strings.Join(addrs, " "))
	if encrypted := d.encrypted(); len(encrypted) > 0 {
		fmt.Fprintf(out, "  tls       %s\n", strings.Join(encrypted, ", "))
	}
	if page := d.pages.addresses(); len(page) > 0 {
		fmt.Fprintf(out, "  page      %s\n", strings.Join(page, " "))
	}
	if figures := d.metrics.addresses(); len(figures) > 0 {
		fmt.Fprintf(out, "  metrics   %s\n", strings.Join(figures, " "))
	}
	fmt.Fprintf(out, "  socket    %s\n", d.socket.Addr())
	if d.demo != nil {
		fmt.Fprintf(out, "  upstream  built-in demo names (give --upstream for real ones)\n")
	} else {
		var servers []string
		for _, s := range d.inForce.Load().groups[0].Servers() {
			servers = append(servers, serverText(s.Addr, string(s.Over), s.Name))
		}
		fmt.Fprintf(out, "  upstream  %s\n", strings.Join(servers, " "))
	}
	if !d.options.demo {
		counts := d.rules.Snapshot().Counts()
		fmt.Fprintf(out, "  rules     %s, %s, %s\n", counted(counts.Offices, "office"), counted(counts.Seats, "seat"), counted(counts.Grants, "grant"))
		return
	}
	var offices []string
	for _, o := range demoOffices {
		offices = append(offices, o.id+" "+o.network)
	}
	fmt.Fprintf(out, "  offices   %s\ntry\n", strings.Join(offices, " · "))
	at := d.dns.Addrs()[0]
	for _, try := range []struct{ client, shows string }{
		{"127.10.1.5", "anagrafe: granted by 12/2026"},
		{"127.10.2.5", "tributi: not granted, leads to the page"},
		{"127.10.2.9", "the manager's seat: no limits"},
		{"127.99.0.1", "outside the site: refused"},
	} {
		fmt.Fprintf(out, "  dig -b %-11s @%s -p %d www.inps.it    %s\n", try.client, at.Addr(), at.Port(), try.shows)
	}
	if page := d.pages.addresses(); len(page) > 0 {
		fmt.Fprintf(out, "  curl --interface 127.10.2.5 -H 'Host: www.inps.it' %s    the page itself\n", page[0])
	}
}
