package plainyaml

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Entries are the keys and values of a mapping; false when the node is none.
func Entries(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// Scalar is the text of a single value: as it stands in the file for numbers
// and booleans, without its quotes for text.
func Scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case ast.ScalarNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// Describe names what stands where something else was expected.
func Describe(n ast.Node) string {
	if text, ok := Scalar(n); ok {
		return Quote(text)
	}
	if _, ok := n.(*ast.SequenceNode); ok {
		return "a list"
	}
	return "a mapping"
}

// Begin is where a node begins. A block mapping's own token is a colon, so
// its first key counts.
func Begin(n ast.Node) Position {
	if entries, ok := Entries(n); ok && len(entries) > 0 {
		if m, flow := n.(*ast.MappingNode); !flow || !m.IsFlowStyle {
			return positionOf(entries[0].Key.GetToken())
		}
	}
	return positionOf(n.GetToken())
}

// Nearest is the known name at the least edit distance from name, empty when
// none is within two edits and less than half of its own length.
func Nearest(name string, known []string) string {
	best, least := "", 3
	if len(name) > 40 {
		return ""
	}
	for _, k := range known {
		d := distance(strings.ToLower(strings.ReplaceAll(name, "-", "_")), k)
		if d < least && d*2 < len(k) {
			best, least = k, d
		}
	}
	return best
}

// distance is the number of octets to insert, remove or replace to turn a into
// b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// Quote quotes text for a message, cut to a length that fits a line.
func Quote(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return strconv.Quote(text)
}
