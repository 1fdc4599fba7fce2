package settings

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// unknownKey says that parent has no such key and which one may be meant: the
// nearest in spelling beside it, else one of the same name elsewhere.
func unknownKey(name string, parent key, known []key) string {
	where := ""
	if parent.path != "" {
		where = " in " + parent.path
	}
	text := fmt.Sprintf("unknown key %s%s: ", quoteShort(name), where)
	if near := nearest(name, known); near != "" {
		return text + "did you mean " + near + "?"
	}
	defaults := Default()
	for _, k := range allKeys(reflect.ValueOf(&defaults).Elem(), key{}) {
		if k.name == name {
			return text + "did you mean " + k.path + "?"
		}
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = k.name
	}
	return text + "expected one of " + strings.Join(names, ", ")
}

// nearest is the known key at the least edit distance from name, empty when
// none is within two edits and less than half of its own length.
func nearest(name string, known []key) string {
	best, least := "", 3
	if len(name) > 40 {
		return ""
	}
	for _, k := range known {
		d := distance(strings.ToLower(strings.ReplaceAll(name, "-", "_")), k.name)
		if d < least && d*2 < len(k.name) {
			best, least = k.name, d
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

// quoteShort quotes text for a message, cut to a length that fits a line.
func quoteShort(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return strconv.Quote(text)
}
