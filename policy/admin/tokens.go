package admin

import (
	"usciere/policy"
)

// TokenList are all tokens, by id, without what is shown, which nobody keeps.
type TokenList struct {
	Tokens []Token `json:"tokens"`
}

// Token is a token and whom who shows it is taken for now.
type Token struct {
	*policy.Token
	Office string      `json:"office,omitempty"` // empty: in none
	Role   policy.Role `json:"role,omitempty"`   // empty: it is nobody's now
}

func listTokens(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	out := TokenList{Tokens: []Token{}}
	for _, t := range c.rules.Tokens() {
		out.Tokens = append(out.Tokens, c.token(t))
	}
	return out, nil
}

func (c *call) token(t *policy.Token) Token {
	out := Token{Token: t}
	if who, ok := c.rules.Bearer(t.ID, t.Host, c.now); ok {
		if out.Role = who.Role; who.Office != nil {
			out.Office = who.Office.ID
		}
	}
	return out
}
