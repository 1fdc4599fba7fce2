package plainyaml

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// guard looks at a text before anything is built from it.
type guard struct {
	Limits
	report Report
}

// blockText finds the head of a block scalar (YAML 1.2 §8.1), alone at the end
// of a line.
var blockText = regexp.MustCompile(`(?:^|[\s\[\]{},:"'?-])([|>])[-+0-9]*[ \t]*(?:#.*)?$`)

// shortText refuses what is not UTF-8, and block scalars before the lexer meets
// them: nothing here needs more than a line, and the lexer's time grows with the
// square of their length.
func (g guard) shortText(text string) bool {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if !utf8.ValidString(line) {
			g.report(Position{n, 1}, "not UTF-8 text")
			return false
		}
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		if m := blockText.FindStringSubmatchIndex(line); m != nil {
			column := utf8.RuneCountInString(line[:m[2]]) + 1
			hint := "write it in quotes on one line"
			if strings.Contains(line[m[3]:], "#") { // it may be in quotes already
				hint += `, in "…" with \u0023 for the # after it`
			}
			g.report(Position{n, column}, "text in block form (%s) is not used here: %s", line[m[2]:m[3]], hint)
			return false
		}
	}
	return true
}

// plain refuses, before anything is built from them, the tokens that plain files
// do without (anchors, aliases, tags, merge keys) and nesting beyond the limit.
func (g guard) plain(tokens token.Tokens) bool {
	var blocks []int // columns of the block mappings and lists open here
	flows, keys := 0, 0
	for i, tk := range tokens {
		switch tk.Type {
		case token.AnchorType, token.AliasType, token.TagType, token.MergeKeyType, token.MappingKeyType, token.DirectiveType,
			token.LiteralType, token.FoldedType:
			g.report(positionOf(tk), "%q: anchors, aliases, tags, merge keys and the like are not used here: write the value itself, in quotes if it is text", tk.Value)
			return false
		case token.MappingStartType, token.SequenceStartType:
			flows++
		case token.MappingEndType, token.SequenceEndType:
			flows = max(flows-1, 0)
		case token.SequenceEntryType:
			blocks = enter(blocks, tk.Position.Column)
			if next := tk.Next; next != nil && next.Type == tk.Type && next.Position.Column <= tk.Position.Column {
				g.report(positionOf(tk), "an empty list element") // the parser's time grows with the square of their number
				return false
			}
		case token.MappingValueType:
			keys++
			if flows == 0 && i > 0 {
				blocks = enter(blocks, tokens[i-1].Position.Column)
			}
			if flows > 0 && tight(tk) {
				g.report(positionOf(tk), "a colon inside {…} needs a space after it, or quotes around the whole value, such as \"::1\"")
				return false
			}
		}
		if keys > g.Keys {
			g.report(positionOf(tk), "more than %d keys: %s", g.Keys, g.Advice)
			return false
		}
		if len(blocks)+flows > g.Depth {
			g.report(positionOf(tk), "nested too deep: at most %d levels", g.Depth)
			return false
		}
	}
	return true
}

// tight reports whether a colon follows a word and precedes one without a space
// between, as in an IPv6 address: YAML takes that for text, the lexer, inside a
// flow mapping, does not.
func tight(colon *token.Token) bool {
	if colon.Prev != nil && colon.Prev.Indicator == token.QuotedScalarIndicator {
		return false
	}
	next := colon.Next
	return next != nil && next.Indicator != token.FlowCollectionIndicator &&
		next.Position.Line == colon.Position.Line && next.Position.Column == colon.Position.Column+1
}

// enter is the stack of open block columns after an entry at column.
func enter(blocks []int, column int) []int {
	for len(blocks) > 0 && blocks[len(blocks)-1] > column {
		blocks = blocks[:len(blocks)-1]
	}
	if len(blocks) == 0 || blocks[len(blocks)-1] < column {
		blocks = append(blocks, column)
	}
	return blocks
}
