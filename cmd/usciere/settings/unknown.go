package settings

import (
	"fmt"
	"reflect"
	"strings"

	"usciere/cmd/usciere/plainyaml"
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

// nearest is the known key whose spelling is near, empty when none is.
func nearest(name string, known []key) string {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = k.name
	}
	return plainyaml.Nearest(name, names)
}

// quoteShort quotes text for a message, cut to a length that fits a line.
func quoteShort(text string) string { return plainyaml.Quote(text) }
