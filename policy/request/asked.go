package request

import (
	"fmt"
	"slices"
	"strings"

	"usciere/policy"
)

// Asked is one thing that a request asks for, as it is understood: a domain rule, or a service.
type Asked struct {
	Text    string          // as the letter has it
	Rule    policy.Rule     // with Service: none
	Service *policy.Service // nil: a rule
	Channel policy.Channel
}

// Opens is what it opens, as a grant says it.
func (a *Asked) Opens() string {
	if a.Service != nil {
		return "service " + a.Service.ID
	}
	return a.Rule.String()
}

// Rules are the domain rules that it opens.
func (a *Asked) Rules() []policy.Rule {
	if a.Service == nil {
		return []policy.Rule{a.Rule}
	}
	var out []policy.Rule
	for _, r := range a.Service.Rules {
		out = append(out, r.Rule)
	}
	return out
}

// withSubtree are the words after an address that ask for all names below it, in the languages of the request form.
var withSubtree = []string{
	"e sottodomini", "e tutti i sottodomini", "e i sottodomini", "con sottodomini", "con tutti i sottodomini", "con i sottodomini",
	"and subdomains", "and all subdomains", "with subdomains", "with all subdomains", "and all names below",
	"und subdomains", "und alle subdomains", "mit subdomains", "mit allen subdomains", "und unterdomänen", "mit unterdomänen",
}

// ParseAsked reads an address as a letter has it: a name or the address of a page, of which the host counts, is exactly that
// name; all names below it only when the words say so ("inps.it e sottodomini"), or as a domain rule (.inps.it). Errors are
// of type *policy.Error.
func ParseAsked(text string) (policy.Rule, string, error) {
	text = strings.TrimSpace(text)
	for _, words := range withSubtree {
		address, ok := cutFold(text, words)
		if !ok {
			continue
		}
		rule, _, err := policy.ParseRule(address)
		if err != nil {
			return policy.Rule{}, "", err
		}
		if rule.Kind == policy.Exact {
			if rule, _, err = policy.ParseRule("." + rule.Name.String()); err != nil {
				return policy.Rule{}, "", err
			}
		}
		return rule, "", nil
	}
	return policy.ParseRule(text)
}

// cutFold cuts words, and a comma or space before them, off the end of a text, whatever their case.
func cutFold(text, words string) (rest string, ok bool) {
	i := len(text) - len(words)
	if i <= 0 || !strings.EqualFold(text[i:], words) || !strings.ContainsAny(text[i-1:i], " ,\t") {
		return "", false
	}
	return strings.TrimRight(text[:i], " ,\t"), true
}

// Understand reads what a request asks for. What cannot be read any more, such as a service that is gone, is an error.
func Understand(rules *policy.Snapshot, q *policy.Request) ([]Asked, error) {
	return understand(rules, append(slices.Clone(q.Addresses), q.Services...), q.Channel)
}

func understand(rules *policy.Snapshot, names []string, channel policy.Channel) ([]Asked, error) {
	if channel == "" {
		channel = policy.Web
	}
	out := make([]Asked, 0, len(names))
	for _, text := range names {
		if sv, ok := rules.Service(text); ok {
			out = append(out, Asked{Text: text, Service: sv, Channel: sv.Channel})
			continue
		}
		rule, _, err := ParseAsked(text)
		if err != nil {
			return nil, err
		}
		out = append(out, Asked{Text: text, Rule: rule, Channel: channel})
	}
	return out, nil
}

// covered says whether one of all opens everything that a does, on the same channel.
func (a *Asked) covered(all []Asked) bool {
	for _, r := range a.Rules() {
		if !slices.ContainsFunc(all, func(o Asked) bool {
			return o.Channel == a.Channel && slices.ContainsFunc(o.Rules(), func(outer policy.Rule) bool { return r.Within(outer) })
		}) {
			return false
		}
	}
	return true
}

// Beyond says what opening a would open beyond what was asked for; empty: nothing.
func (a *Asked) Beyond(asked []Asked) string {
	if a.covered(asked) {
		return ""
	}
	var wider []string
	for _, r := range a.Rules() {
		if one := (Asked{Rule: r, Channel: a.Channel}); !one.covered(asked) {
			wider = append(wider, r.String())
		}
	}
	const shown = 8
	if n := len(wider); n > shown {
		wider = append(wider[:shown:shown], fmt.Sprintf("and %d more", n-shown))
	}
	return strings.Join(wider, ", ")
}
