package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"usciere/cmd/usciere/settings"
	"usciere/resolver/blocklist"
)

func firewallCommand() *cobra.Command {
	return group("firewall", "The firewall between workstations and the Internet", firewallNft())
}

func firewallNft() *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use:   "nft",
		Short: "Print a ruleset for nftables that leaves workstations no other DNS than this resolver",
		Long: "Print a ruleset for nftables that leaves workstations no other DNS than this resolver: questions that go elsewhere\n" +
			"on port 53 come to it, port 853 is closed, and so is port 443 of known public DNS services. It is for the router\n" +
			"between the workstations' networks and the others, the resolver's among them.",
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&o.config, "config", "", "settings `FILE` of the daemon")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := o.settings()
		if err != nil {
			return err
		}
		text, err := nftRuleset(s)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(c.OutOrStdout(), text)
		return err
	}
	return c
}

// nftRuleset is a table of its own: it can be loaded again, and taken out, without touching others (nft(8)).
func nftRuleset(s settings.Settings) (string, error) {
	own, err := reachable(s, s.Listen, 53)
	if err != nil {
		return "", err
	}
	if len(own) == 0 {
		return "", errors.New("no address of listen is one that workstations reach: it needs one of the site, with port 53\n" +
			"write it into the settings, such as listen: [\"10.20.0.53:53\"], and give them with --config")
	}
	free := slices.Clone(own) // who may ask whom it likes
	for _, f := range s.Forwards {
		for _, server := range f.Servers {
			if a := server.Addr().Unmap().WithZone(""); !slices.Contains(free, a) {
				free = append(free, a)
			}
		}
	}
	var out strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	line("# nft -f FILE; `nft delete table inet usciere` takes it out.")
	line("# The resolver must be in another network than the workstations, or its answers would not come back this way.")
	line("table inet usciere")
	line("delete table inet usciere")
	line("table inet usciere {")
	family := map[bool]string{true: "4", false: "6"}
	for _, v4 := range []bool{true, false} {
		site := ofFamily(s.Town.Site, v4)
		public := ofFamily(blocklist.PublicAddrs, v4)
		var may []netip.Prefix
		for _, a := range free {
			if a.Is4() == v4 {
				may = append(may, netip.PrefixFrom(a, a.BitLen()))
			}
		}
		kind := map[bool]string{true: "ipv4_addr", false: "ipv6_addr"}[v4]
		for _, set := range []struct {
			name, about string
			of          []netip.Prefix
		}{{"site", "the town's own networks (town.site)", site}, {"free", "the resolver, and the servers of its forwards", may}, {"public", "public DNS services", public}} {
			line("\t# %s", set.about)
			line("\tset %s%s {", set.name, family[v4])
			line("\t\ttype %s", kind)
			line("\t\tflags interval")
			line("\t\tauto-merge")
			if len(set.of) > 0 {
				line("\t\telements = { %s }", texts(set.of))
			}
			line("\t}")
		}
	}
	line("\tchain stray {")
	line("\t\ttype nat hook prerouting priority dstnat; policy accept;")
	v4, v6 := families(own)
	for _, f := range []struct {
		is, n string
		to    []netip.Addr
	}{{"ip", "4", v4}, {"ip6", "6", v6}} {
		if len(f.to) > 0 {
			line("\t\t%s saddr @site%s %s saddr != @free%s %s daddr != @free%s meta l4proto { tcp, udp } th dport 53 counter dnat %s to %s", f.is, f.n, f.is, f.n, f.is, f.n, f.is, f.to[0])
		}
	}
	line("\t}")
	line("\tchain around {")
	line("\t\ttype filter hook forward priority filter; policy accept;")
	for _, f := range []struct{ is, n string }{{"ip", "4"}, {"ip6", "6"}} {
		line("\t\t%s saddr @free%s accept", f.is, f.n)
		line("\t\t%s saddr @site%s jump closed", f.is, f.n)
	}
	line("\t}")
	line("\tchain closed {")
	for _, f := range []struct{ is, n string }{{"ip", "4"}, {"ip6", "6"}} {
		line("\t\t%s daddr @free%s accept", f.is, f.n)
		line("\t\t%s daddr @public%s tcp dport 443 counter reject with tcp reset", f.is, f.n)
		line("\t\t%s daddr @public%s udp dport 443 counter reject", f.is, f.n)
	}
	line("\t\ttcp dport { 53, 853 } counter reject with tcp reset")
	line("\t\tudp dport { 53, 853 } counter reject")
	line("\t}")
	line("}")
	return out.String(), nil
}

func ofFamily(all []netip.Prefix, v4 bool) (out []netip.Prefix) {
	for _, p := range all {
		if p.Addr().Is4() == v4 && !p.Addr().IsLoopback() {
			out = append(out, p)
		}
	}
	return out
}
