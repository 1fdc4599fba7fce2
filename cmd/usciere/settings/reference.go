package settings

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"
)

// Reference is the table of all keys in Markdown: path, type, default, whether
// a reload (SIGHUP) takes a change of it, and what it is.
func Reference() string {
	var b strings.Builder
	b.WriteString("| key | type | default | reload | what it is |\n|---|---|---|---|---|\n")
	s := Default()
	for _, k := range schema(reflect.ValueOf(&s).Elem(), key{}) {
		reload := "yes"
		if k.restart {
			reload = "restart"
		}
		if shapeOf(k.value.Type()) == section {
			reload = ""
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.path, k.typeName(), k.defaultText(), reload, k.tag.Get("doc"))
	}
	return b.String()
}

// schema lists every key, the keys of a list's elements once, as path[].key.
func schema(v reflect.Value, parent key) []key {
	var keys []key
	for _, k := range keysOf(v, parent) {
		keys = append(keys, k)
		switch t := k.value.Type(); shapeOf(t) {
		case section:
			keys = append(keys, schema(k.value, k)...)
		case sections:
			element := key{path: k.path + "[]", restart: k.restart}
			keys = append(keys, schema(reflect.Zero(t.Elem()), element)...)
		}
	}
	return keys
}

// defaultText is the default column of the reference.
func (k key) defaultText() string {
	switch {
	case shapeOf(k.value.Type()) == section:
		return ""
	case k.tag.Get("def") != "":
		return k.tag.Get("def")
	case strings.Contains(k.path, "[]") && k.tag.Get("required") != "":
		return "required"
	case k.value.Kind() == reflect.String && k.value.Len() == 0:
		return "empty"
	case strings.Contains(k.path, "[]") && k.value.IsZero():
		return "none"
	}
	return "`" + format(k.value) + "`"
}

// Example is a settings file with every key at its default, and comments.
func Example() string {
	var b strings.Builder
	b.WriteString("# Settings of usciere. Every key may be left out: it then has the value shown here.\n")
	s := Default()
	writeExample(&b, reflect.ValueOf(&s).Elem(), key{}, "")
	return b.String()
}

func writeExample(b *strings.Builder, v reflect.Value, parent key, indent string) {
	for _, k := range keysOf(v, parent) {
		if parent.path == "" {
			b.WriteString("\n")
		}
		comment(b, indent, k.tag.Get("doc"))
		switch shapeOf(k.value.Type()) {
		case section:
			fmt.Fprintf(b, "%s%s:\n", indent, k.name)
			writeExample(b, k.value, k, indent+"  ")
			continue
		case sections:
			sample(b, indent, k)
		default:
			comment(b, indent, k.hint())
		}
		fmt.Fprintf(b, "%s%s: %s\n", indent, k.name, format(k.value))
	}
}

// hint is the second comment line of a key: its type, what an empty value
// stands for, an example.
func (k key) hint() string {
	hint := k.typeName()
	if def := k.tag.Get("def"); def != "" {
		hint += "; empty: " + def
	}
	if example := k.tag.Get("example"); example != "" {
		hint += "; such as " + example
	}
	return hint
}

// sample shows, as a comment, what an element of a list of mappings looks like.
func sample(b *strings.Builder, indent string, list key) {
	comment(b, indent, list.name+":")
	lead := "  - "
	for _, k := range keysOf(reflect.Zero(list.value.Type().Elem()), list) {
		if example := k.tag.Get("example"); example != "" {
			comment(b, indent, lead+k.name+": "+example)
			lead = "    "
		}
	}
}

func comment(b *strings.Builder, indent, text string) {
	fmt.Fprintf(b, "%s# %s\n", indent, text)
}

// format writes a value as YAML.
func format(v reflect.Value) string {
	switch v := v.Interface().(type) {
	case string:
		return quoteYAML(v)
	case time.Duration:
		return formatDuration(v)
	case netip.Prefix:
		return quoteYAML(v.String())
	case netip.Addr:
		return quoteYAML(v.String())
	case netip.AddrPort:
		return quoteYAML(v.String())
	}
	if v.Kind() != reflect.Slice {
		return fmt.Sprint(v.Interface())
	}
	elements := make([]string, v.Len())
	for i := range elements {
		elements[i] = format(v.Index(i))
	}
	return "[" + strings.Join(elements, ", ") + "]"
}

// quoteYAML quotes text unless it is a plain word that YAML takes for text or
// an address that it cannot take for anything else.
func quoteYAML(text string) string {
	plain := text != "" && !strings.ContainsFunc(text, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("/_.-", c))
	})
	if plain {
		return text
	}
	return fmt.Sprintf("%q", text)
}
