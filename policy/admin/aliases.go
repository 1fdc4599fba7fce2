package admin

import "usciere/policy"

// AliasList are where the aliases of granted names lead, by name.
type AliasList struct {
	Aliases []Alias `json:"aliases"`
}

// Alias is where the aliases of a name lead, and who may ask it.
type Alias struct {
	policy.Alias
	Granted []string `json:"granted,omitempty"` // to which subjects, some of them
}

// maxAliasSubjects are named of one alias.
const maxAliasSubjects = 3

// listAliases shows the names that lead to somebody new, or all that are remembered.
func listAliases(c *call) (any, error) {
	q, err := params(c.r, "all")
	if err != nil {
		return nil, err
	}
	kept, err := c.cfg.Rules.Aliases()
	if err != nil {
		return nil, err
	}
	out := AliasList{Aliases: []Alias{}}
	for _, a := range kept {
		if q.Get("all") == "" && len(a.News()) == 0 {
			continue
		}
		shown := Alias{Alias: a}
		for _, v := range c.rules.Nearby([]byte(a.Name), policy.TypeA, c.now, maxAliasSubjects) {
			shown.Granted = append(shown.Granted, v.Subject.String())
		}
		out.Aliases = append(out.Aliases, shown)
	}
	return out, nil
}
