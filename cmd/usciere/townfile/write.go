package townfile

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"usciere/policy/town"
)

// SchemaFile is the name of the schema that the first line of a file points editors to; a path beside the file.
const SchemaFile = "town.schema.json"

// Write writes a document as Read reads it: offices over several lines, everything else an entry a line.
func Write(w io.Writer, doc *town.Document) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# yaml-language-server: $schema=%s\n", SchemaFile)
	v := reflect.ValueOf(*doc)
	for _, k := range keysOf(v.Type()) {
		section := v.Field(k.field)
		switch {
		case isEmpty(section):
		case section.Kind() == reflect.Map:
			fmt.Fprintf(&out, "%s:\n", k.name)
			writeNamed(&out, section, k.name == "offices")
		case k.name == "grants":
			fmt.Fprintf(&out, "%s:\n", k.name)
			for i := range section.Len() {
				fmt.Fprintf(&out, "  - %s\n", flow(section.Index(i)))
			}
		default:
			fmt.Fprintf(&out, "%s: %s\n", k.name, flow(section))
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}

// writeNamed writes a mapping by id or address, in the order of these.
func writeNamed(out *bytes.Buffer, section reflect.Value, block bool) {
	entries := map[string]reflect.Value{}
	for _, k := range section.MapKeys() {
		entries[fmt.Sprint(k.Interface())] = section.MapIndex(k)
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if !block {
			fmt.Fprintf(out, "  %s: %s\n", scalar(name), flow(entries[name]))
			continue
		}
		fmt.Fprintf(out, "  %s:\n", scalar(name))
		for _, k := range keysOf(entries[name].Type()) {
			if v := entries[name].Field(k.field); !isEmpty(v) || k.tag.Get("required") != "" {
				fmt.Fprintf(out, "    %s: %s\n", k.name, flow(v))
			}
		}
	}
}

// isEmpty says whether a value is left out of the file.
func isEmpty(v reflect.Value) bool {
	return v.IsZero() || (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0
}

// flow writes a value on one line.
func flow(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch shapeOf(v.Type()) {
	case list:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = flow(v.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case mapping:
		var parts []string
		alone, hasShort := short(v.Type())
		for _, k := range keysOf(v.Type()) {
			if f := v.Field(k.field); !isEmpty(f) {
				parts = append(parts, k.name+": "+flow(f))
			}
		}
		if hasShort && len(parts) == 1 && !isEmpty(v.Field(alone.field)) {
			return flow(v.Field(alone.field))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	if v.Kind() == reflect.Bool {
		return fmt.Sprint(v.Bool())
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, _ := m.MarshalText() // of addresses, prefixes and types: it cannot fail
		return scalar(string(text))
	}
	return scalar(v.String())
}

var (
	// plainText needs no quotes anywhere in YAML, and is read as text or a date.
	plainText = regexp.MustCompile(`^[\p{L}./0-9_][\p{L}\p{M}\p{N}./_@+'’() -]*$`)
	// otherValue is what other readers of YAML take for a number, a truth or nothing (YAML 1.1 and 1.2).
	otherValue = regexp.MustCompile(`^(?i:[-+]?[0-9][0-9_]*(\.[0-9_]*)?(e[-+]?[0-9]+)?|[-+]?\.[0-9]+(e[-+]?[0-9]+)?|0[xob][0-9a-f_]+|true|false|yes|no|on|off|y|n|null|\.(inf|nan))$`)
)

// scalar writes text, in quotes where it needs them.
func scalar(text string) string {
	if plainText.MatchString(text) && !otherValue.MatchString(text) && strings.TrimSpace(text) == text && !strings.Contains(text, "---") {
		return text
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // text is never refused
	return escaped(strings.TrimSpace(out.String()))
}

// likeBlock is what Read, which does not look at quotes there, would take for the head of a block scalar with a comment.
var likeBlock = regexp.MustCompile(`([|>][-+0-9]*[ \t]*)#`)

// escaped writes what is not printable as an escape, in text that is in quotes, and a # where it would look like a comment.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return likeBlock.ReplaceAllString(b.String(), `${1}\u0023`)
}
