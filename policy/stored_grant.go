package policy

import "bytes"

// storedGrant is what the rules need to know of a grant, read from the text it is stored as. Its octets are the text's.
type storedGrant struct {
	id       GrantID
	office   []byte // empty: for everyone
	rule     bool   // a rule rather than a service
	kind     RuleKind
	service  []byte
	terms    []byte // the members from channel to schedule as they are written: where they are alike, so are the terms
	revoked  bool
	nameLen  int
	nameText [maxName]byte
}

// name is the name of the rule, in wire form.
func (g *storedGrant) name() []byte { return g.nameText[:g.nameLen] }

// read reads a grant that is written member by member as Grant's are, for an office or for everyone, without allocating. It
// says false to any other text, of which it understands nothing: encoding/json is there for those. The text is as it was
// written (a sum is kept of it), so what the rules do not need is passed over.
func (g *storedGrant) read(text []byte) bool {
	p := plainJSON(text)
	ok := p.skip(`{"id":"g-`)
	id, isNumber := p.number()
	if g.id = GrantID(id); !ok || !isNumber || id == 0 || id>>32 != 0 || !p.skip(`"`) {
		return false
	}
	g.office = nil
	if p.skip(`,"office":"`) {
		if g.office, ok = p.text(); !ok || len(g.office) == 0 {
			return false
		}
	} else if !p.skip(`,"everyone":true`) {
		return false
	}
	if g.rule = p.skip(`,"rule":"`); g.rule {
		rule, ok := p.text()
		if !ok || !g.readRule(rule) {
			return false
		}
	} else if !p.skip(`,"service":"`) {
		return false
	} else if g.service, ok = p.text(); !ok {
		return false
	}
	// Within a string the quotes would be escaped.
	end := bytes.Index(p, []byte(`,"request":"r-`))
	if end < 0 || !bytes.HasPrefix(p, []byte(`,"channel":"`)) {
		return false
	}
	g.terms, p = p[:end], p[end:]
	p.skip(`,"request":"r-`)
	_, isNumber = p.number()
	if !isNumber || !p.skip(`","created":"`) {
		return false
	}
	if _, ok = p.text(); !ok {
		return false
	}
	if g.revoked = p.skip(`,"revoked":{`); g.revoked {
		return true
	}
	ok = p.skip(`,"version":`)
	_, isNumber = p.number()
	return ok && isNumber && string(p) == "}"
}

// readRule reads a rule of lower-case letters, digits, hyphens and underscores.
func (g *storedGrant) readRule(text []byte) bool {
	g.kind = Exact
	for kind := Tree; kind > Exact; kind-- {
		if sign := kindSigns[kind]; len(text) > len(sign) && string(text[:len(sign)]) == sign {
			g.kind, text = kind, text[len(sign):]
			break
		}
	}
	if len(text) == 0 || len(text)+2 > maxName {
		return false
	}
	start := 0 // where the length octet of the current label stands
	for i, c := range text {
		if c == '.' {
			if n := i - start; n == 0 || n > maxLabel {
				return false
			}
			g.nameText[start] = byte(i - start)
			start = i + 1
			continue
		}
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
		g.nameText[i+1] = c
	}
	n := len(text) - start
	if n == 0 || n > maxLabel {
		return false
	}
	g.nameText[start] = byte(n)
	g.nameText[len(text)+1] = 0
	g.nameLen = len(text) + 2
	return true
}

// plainJSON is what is left to read of a compact JSON text.
type plainJSON []byte

// skip steps over a text, if it is what comes next.
func (p *plainJSON) skip(text string) bool {
	if len(*p) < len(text) || string((*p)[:len(text)]) != text {
		return false
	}
	*p = (*p)[len(text):]
	return true
}

// number reads digits.
func (p *plainJSON) number() (n uint64, ok bool) {
	i := 0
	for ; i < len(*p) && i < 19 && '0' <= (*p)[i] && (*p)[i] <= '9'; i++ {
		n = n*10 + uint64((*p)[i]-'0')
	}
	*p = (*p)[i:]
	return n, i > 0
}

// text reads the rest of a string of printable ASCII without escapes, and its final quote.
func (p *plainJSON) text() ([]byte, bool) {
	for i, c := range *p {
		if c == '"' {
			out := (*p)[:i]
			*p = (*p)[i+1:]
			return out, true
		}
		if c == '\\' || c < ' ' || c > '~' {
			return nil, false
		}
	}
	return nil, false
}
