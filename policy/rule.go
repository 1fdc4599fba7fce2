package policy

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// RuleKind says which names a domain rule covers, seen from the rule's own name.
type RuleKind uint8

// The kinds of domain rule (R7: a bare name implies nothing). How to add one: a constant here, its sign in kindSigns, the
// depths it covers in covers; Decide and the index know no kinds.
const (
	Exact RuleKind = iota // www.inps.it   exactly that name
	Below                 // *.inps.it     every name below it
	Tree                  // .inps.it      the name and all below
)

var kindSigns = [...]string{Exact: "", Below: "*.", Tree: "."}

// covers says whether a rule of this kind covers a name depth labels below the rule's own.
func (k RuleKind) covers(depth int) bool {
	switch k {
	case Below:
		return depth > 0
	case Tree:
		return true
	default:
		return depth == 0
	}
}

// Rule is a domain rule: a name and the names around it that it covers.
type Rule struct {
	Kind RuleKind
	Name Name
}

// String writes the rule as ParseRule reads it.
func (r Rule) String() string { return kindSigns[r.Kind] + r.Name.String() }

// Covers says whether the rule covers the name.
func (r Rule) Covers(n Name) bool {
	return n.Under(r.Name) && r.Kind.covers(n.Labels()-r.Name.Labels())
}

// MarshalText writes the rule as ParseRule reads it.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a rule as String writes it. It does not judge it: whoever changes the rules does, with ParseRule. A
// rule once granted must not keep all others from being read when a later list of public suffixes has its name.
func (r *Rule) UnmarshalText(text []byte) error {
	kind, rest := cutSign(string(text))
	name, err := ParseName(rest)
	if err == nil && name == Root {
		err = errEmptyName
	}
	if err != nil {
		return invalid("write www.inps.it, *.inps.it or .inps.it", "%q is no domain rule: %v", shorten(string(text)), err)
	}
	*r = Rule{kind, name}
	return nil
}

// cutSign takes the sign of its kind off a rule.
func cutSign(text string) (kind RuleKind, name string) {
	for _, kind := range []RuleKind{Below, Tree} {
		if rest, ok := strings.CutPrefix(text, kindSigns[kind]); ok {
			return kind, rest
		}
	}
	return Exact, text
}

// ParseRule reads a domain rule as a person writes it: a name, "*.name", ".name", or the address of a page, of which only
// the host counts; note then says so. It refuses a public suffix, since such a rule would open what anybody registers
// below it, and everything that is no host name. Errors are of type *Error.
func ParseRule(text string) (rule Rule, note string, err error) {
	host, isURL, err := hostOf(strings.TrimSpace(text))
	if err != nil {
		return Rule{}, "", err
	}
	kind, rest := Exact, host
	if !isURL && host != "." {
		kind, rest = cutSign(host)
	}
	if strings.Contains(rest, "*") {
		return Rule{}, "", invalid("a star may only stand first: *.inps.it is every name below, .inps.it the name and all below",
			"%q has a star where none can be", shorten(text))
	}
	name, err := parseHost(rest)
	if err != nil {
		return Rule{}, "", err
	}
	rule = Rule{Kind: kind, Name: name}
	if err := guardSuffix(rule); err != nil {
		return Rule{}, "", err
	}
	if isURL {
		note = fmt.Sprintf("using the host of the address: %s (that name only; .%s would open all below it)", name, name.Owner())
	}
	return rule, note, nil
}

// hostOf cuts the host out of the address of a page; a text that is no such address is returned as it is.
func hostOf(text string) (host string, isURL bool, err error) {
	if text == "" {
		return "", false, invalid("give a name (www.inps.it), everything below one (*.inps.it), both (.inps.it) or the address of a page", "the name is empty")
	}
	candidate := text
	switch {
	case strings.Contains(text, "://"):
	case strings.ContainsAny(text, "/?#"), hasPort(text):
		candidate = "https://" + text
	default:
		return text, false, nil
	}
	u, err := url.Parse(candidate)
	if err != nil || u.Hostname() == "" {
		return "", false, invalid("give the host alone, such as www.inps.it", "%q is no address of a page", shorten(text))
	}
	return u.Hostname(), true, nil
}

func hasPort(text string) bool {
	i := strings.LastIndexByte(text, ':')
	if i <= 0 || strings.Count(text, ":") > 1 || i == len(text)-1 {
		return false
	}
	return strings.Trim(text[i+1:], "0123456789") == ""
}

// parseHost reads a host name: letters, digits, hyphens and underscores, after IDNA.
func parseHost(text string) (Name, error) {
	isAddr := func(text string) bool { _, err := netip.ParseAddr(text); return err == nil }
	if isAddr(strings.Trim(text, "[]")) {
		return "", notName(text)
	}
	ascii, err := mapHost(text)
	if err != nil {
		return "", invalid("write it as in the browser's address bar", "%q is not a valid name: %v", shorten(text), err)
	}
	for _, c := range []byte(ascii) {
		if !isHostOctet(c) {
			return "", invalid("a name has letters, digits, hyphens and dots", "%q is not a valid name: it has %q", shorten(text), rune(c))
		}
	}
	name, err := ParseName(ascii)
	if err != nil {
		return "", invalid("check the name for typing errors", "not a valid name: %v", err)
	}
	if isAddr(name.String()) { // with a final dot, or in full-width digits
		return "", notName(name.String())
	}
	for n := name; n != Root; n = n.Parent() {
		label := string(n[1 : 1+int(n[0])])
		if strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return "", invalid("check the name for typing errors", "%q: a label cannot begin or end with a hyphen", shorten(text))
		}
	}
	return name, nil
}

func notName(addr string) error {
	return invalid("Usciere opens names; an address is a matter for the firewall", "%s is an address, not a name", addr)
}

func isHostOctet(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// Within says whether every name that r covers is covered by outer.
func (r Rule) Within(outer Rule) bool {
	if !r.Name.Under(outer.Name) {
		return false
	}
	switch outer.Kind {
	case Tree:
		return true
	case Below:
		return r.Name != outer.Name || r.Kind == Below
	default:
		return r == outer
	}
}

// guardSuffix refuses rules on public suffixes (publicsuffix.org). A single host that is a suffix of the list's private
// part (github.io) may be opened by itself, a subtree of it never; nor a subtree of a name whose children are all suffixes
// (*.kawasaki.jp).
func guardSuffix(r Rule) error {
	text := r.Name.String()
	suffix, icann := publicsuffix.PublicSuffix(text)
	if r.Name.Labels() < 2 && !icann {
		return invalid("give the whole name, such as www.inps.it; names without a dot belong to the local network", "%s is a single label", r.Name)
	}
	child := "x." + text
	suffixes, _ := publicsuffix.PublicSuffix(child)
	if suffix != text && (r.Kind == Exact || suffixes != child) || r.Kind == Exact && !icann {
		return nil
	}
	return invalid("ask the office for the addresses it needs, or see `usciere service list` (agenzia-entrate, inps, anpr, …)",
		"%s is a public suffix: it would open every site registered below it", r)
}

// Owner is the domain that the name's owner registered (www.inps.it: inps.it), or the name itself.
func (n Name) Owner() string {
	if d, err := publicsuffix.EffectiveTLDPlusOne(n.String()); err == nil {
		return d
	}
	return n.String()
}
