package main

import (
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
	var also []string
	c := &cobra.Command{
		Use:   "nft",
		Short: "Print a ruleset for nftables that leaves workstations no other DNS than this resolver",
		Long: "Print a ruleset for nftables that leaves workstations no other DNS than this resolver: questions that go elsewhere\n" +
			"on port 53 come to it, port 853 is closed, and so is port 443 of known public DNS services. It is for the router\n" +
			"between the workstations' networks and the others, the resolver's among them.",
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&o.config, "config", "", "settings `FILE` of the daemon")
	c.Flags().StringSliceVar(&also, "also", nil, "`ADDR` of another resolver that workstations may ask, such as the second server; may be repeated")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := o.settings()
		if err != nil {
			return err
		}
		var others []netip.Addr
		for _, text := range also {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return usageError(fmt.Sprintf("--also %q is no address; give one such as 10.20.0.54", text))
			}
			others = append(others, a)
		}
		text, err := nftRuleset(s, others)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(c.OutOrStdout(), text)
		return err
	}
	return c
}

// family is what of an installation concerns IPv4 or IPv6, in the words of nft(8).
type family struct {
	ip, kind     string
	own, free    []netip.Addr   // of the resolver; with other resolvers and the servers of its forwards, which may ask whom they like
	site, public []netip.Prefix // the town's; of public DNS services
}

// nftRuleset is a table of its own: it can be loaded again, and taken out, without touching others (nft(8)).
func nftRuleset(s settings.Settings, others []netip.Addr) (string, error) {
	own, err := ownAddresses(s)
	if err != nil {
		return "", err
	}
	for _, f := range s.Forwards {
		for _, server := range f.Servers {
			others = append(others, server.Addr())
		}
	}
	free := slices.Clone(own)
	for _, a := range others {
		if a = a.Unmap().WithZone(""); !slices.Contains(free, a) {
			free = append(free, a)
		}
	}
	four, six := family{ip: "ip", kind: "ipv4_addr"}, family{ip: "ip6", kind: "ipv6_addr"}
	four.own, six.own = families(own)
	four.free, six.free = families(free)
	four.site, six.site = networks(s.Town.Site)
	four.public, six.public = networks(blocklist.PublicAddrs)
	both := []family{four, six}

	var out strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	line("# nft -f FILE; `nft delete table inet usciere` takes it out.")
	line("# The resolver must be in another network than the workstations, or its answers would not come back this way.")
	line("table inet usciere")
	line("delete table inet usciere")
	line("table inet usciere {")
	for _, f := range both {
		line("\t# the town's own networks (town.site)\n%s", f.set("site", texts(f.site)))
		line("\t# the resolver, others beside it (--also), and the servers of its forwards\n%s", f.set("free", texts(f.free)))
		line("\t# public DNS services\n%s", f.set("public", texts(f.public)))
	}
	line("\tchain stray {")
	line("\t\ttype nat hook prerouting priority dstnat; policy accept;")
	for _, f := range both {
		if len(f.own) > 0 {
			line("\t\t%[1]s saddr @site_%[1]s %[1]s saddr != @free_%[1]s %[1]s daddr != @free_%[1]s meta l4proto { tcp, udp } th dport 53 counter dnat %[1]s to %[2]s", f.ip, f.own[0])
		}
	}
	line("\t}")
	line("\tchain around {")
	line("\t\ttype filter hook forward priority filter; policy accept;")
	for _, f := range both {
		line("\t\t%[1]s saddr @free_%[1]s accept", f.ip)
		line("\t\t%[1]s saddr @site_%[1]s jump closed", f.ip)
	}
	line("\t}")
	line("\tchain closed {")
	for _, f := range both {
		line("\t\t%[1]s daddr @free_%[1]s accept", f.ip)
		line("\t\t%[1]s daddr @public_%[1]s tcp dport 443 counter reject with tcp reset", f.ip)
		line("\t\t%[1]s daddr @public_%[1]s udp dport 443 counter reject", f.ip)
	}
	line("\t\ttcp dport { 53, 853 } counter reject with tcp reset")
	line("\t\tudp dport { 53, 853 } counter reject")
	line("\t}")
	line("}")
	return out.String(), nil
}

// set is a set of addresses and networks.
func (f family) set(name, elements string) string {
	text := fmt.Sprintf("\tset %s_%s {\n\t\ttype %s\n\t\tflags interval\n\t\tauto-merge\n", name, f.ip, f.kind)
	if elements != "" {
		text += "\t\telements = { " + elements + " }\n"
	}
	return text + "\t}"
}

// networks are those of IPv4 and those of IPv6, but for the machine's own.
func networks(all []netip.Prefix) (v4, v6 []netip.Prefix) {
	for _, p := range all {
		switch {
		case p.Addr().IsLoopback():
		case p.Addr().Is4():
			v4 = append(v4, p)
		default:
			v6 = append(v6, p)
		}
	}
	return v4, v6
}
