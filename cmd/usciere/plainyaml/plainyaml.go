// Package plainyaml reads the part of YAML that people write by hand: mappings, lists and values on one line. Anchors,
// aliases, tags, merge keys, text in block form, deep nesting and whatever else makes a parser slow are refused before
// anything is built from them. Everything that is wrong is named with its line and column.
package plainyaml

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits bound what is read.
type Limits struct {
	Octets int    // of the text, in whole MiB
	Keys   int    // in all; the parser's time grows with the square of a mapping's keys
	Depth  int    // of mappings and lists inside each other; the parser's memory grows with its square
	Advice string // what to do about a text that is too large, as "move it elsewhere"
}

// Position in a text, both from 1; columns count characters.
type Position struct{ Line, Column int }

// Problem is one thing wrong with a file.
type Problem struct {
	File         string // as given to the reader; empty when there was no file
	Line, Column int    // from 1; 0 when there was no file
	Text         string // the key and what was expected of it
}

// Error is file:line:column: and the text.
func (p Problem) Error() string {
	if p.Line == 0 {
		return p.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// Problems are all that was found wrong, in the order of the file.
type Problems []Problem

// Error has one line a problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Report is called with what is wrong and where.
type Report func(at Position, format string, args ...any)

// Parse turns a text into a tree; nil when it is empty, or wrong, which is then reported. Keys that stand twice in a
// mapping are left to the caller, who knows what they are called.
func Parse(text string, l Limits, report Report) ast.Node {
	if len(text) > l.Octets {
		report(Position{1, 1}, "larger than %d MiB: %s", l.Octets>>20, l.Advice)
		return nil
	}
	text = strings.TrimPrefix(text, "\ufeff") // a byte order mark, as some editors write
	g := guard{l, report}
	if !g.shortText(text) {
		return nil
	}
	tokens := lexer.Tokenize(text)
	if !g.plain(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		if e, ok := errors.AsType[yaml.Error](err); ok {
			report(positionOf(e.GetToken()), "not YAML: %s", e.GetMessage())
		} else {
			report(Position{1, 1}, "not YAML: %s", err)
		}
		return nil
	}
	var root ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType {
			continue
		}
		if root != nil {
			report(positionOf(doc.Body.GetToken()), "a second document: a file is one")
			return nil
		}
		root = doc.Body
	}
	return root
}

func positionOf(tk *token.Token) Position {
	if tk == nil || tk.Position == nil {
		return Position{1, 1}
	}
	return Position{max(tk.Position.Line, 1), max(tk.Position.Column, 1)}
}
