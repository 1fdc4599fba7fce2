package settings

import (
	"fmt"
	"reflect"
	"strings"
)

// key is one key of the file, as its struct field describes it.
type key struct {
	path    string // dotted, lists with their index: town.site, zones[2].name
	name    string // last part of the path
	tag     reflect.StructTag
	value   reflect.Value
	restart bool // a running daemon cannot take a change of it
}

// shape of a key's value.
type shape uint8

const (
	single   shape = iota // one of kinds
	list                  // a list of one of kinds
	section               // a mapping with keys of its own
	sections              // a list of such mappings
)

func shapeOf(t reflect.Type) shape {
	switch {
	case kinds[t].parse != nil:
		return single
	case t.Kind() == reflect.Struct:
		return section
	case kinds[t.Elem()].parse != nil:
		return list
	default:
		return sections
	}
}

// keysOf lists the keys of the struct v, not those below them, in order.
func keysOf(v reflect.Value, parent key) []key {
	keys := make([]key, v.NumField())
	for i := range keys {
		f := v.Type().Field(i)
		k := key{name: f.Tag.Get("yaml"), tag: f.Tag, value: v.Field(i)}
		k.path = join(parent.path, k.name)
		k.restart = parent.restart || f.Tag.Get("reload") == "restart"
		keys[i] = k
	}
	return keys
}

// allKeys lists every key of s, sections before what is in them, and every key
// of every element of a list.
func allKeys(v reflect.Value, parent key) []key {
	var keys []key
	for _, k := range keysOf(v, parent) {
		keys = append(keys, k)
		switch shapeOf(k.value.Type()) {
		case section:
			keys = append(keys, allKeys(k.value, k)...)
		case sections:
			for i := range k.value.Len() {
				element := key{path: index(k.path, i), restart: k.restart}
				keys = append(keys, allKeys(k.value.Index(i), element)...)
			}
		}
	}
	return keys
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// typeName says what a value of the key is, as the reference does.
func (k key) typeName() string {
	if choices := k.tag.Get("oneof"); choices != "" {
		return strings.Join(strings.Fields(choices), ", ")
	}
	t := k.value.Type()
	switch shapeOf(t) {
	case single:
		return kinds[t].one + k.bounds()
	case list:
		return "list of " + kinds[t.Elem()].many
	case section:
		return "mapping"
	default:
		return "list of mappings"
	}
}

func (k key) bounds() string {
	least, most := k.tag.Get("min"), k.tag.Get("max")
	if least == "" {
		return ""
	}
	return fmt.Sprintf(", %s to %s", least, most)
}
