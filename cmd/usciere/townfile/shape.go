// Package townfile is town.yaml: it reads the file into a town.Document, naming what is wrong with line and column, writes
// it, and describes it to editors as a JSON schema. All three follow the tags of the document's types.
package townfile

import (
	"encoding"
	"reflect"
	"strings"
)

// key is one key of a mapping, as its struct field describes it.
type key struct {
	name  string
	field int
	tag   reflect.StructTag
}

// keysOf lists the keys of a struct type, in order.
func keysOf(t reflect.Type) []key {
	keys := make([]key, t.NumField())
	for i := range keys {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		keys[i] = key{name, i, f.Tag}
	}
	return keys
}

// short is the key whose value alone may stand for the whole mapping.
func short(t reflect.Type) (key, bool) {
	for _, k := range keysOf(t) {
		if k.tag.Get("short") != "" {
			return k, true
		}
	}
	return key{}, false
}

// shape is what stands in the file for a type.
type shape uint8

const (
	single  shape = iota // one value
	list                 // of elements
	mapping              // with the keys of a struct
	named                // a mapping whose keys are ids or addresses
)

var textReader = reflect.TypeFor[encoding.TextUnmarshaler]()

func shapeOf(t reflect.Type) shape {
	switch {
	case reflect.PointerTo(t).Implements(textReader):
		return single
	case t.Kind() == reflect.Slice:
		return list
	case t.Kind() == reflect.Struct:
		return mapping
	case t.Kind() == reflect.Map:
		return named
	default:
		return single
	}
}

// indirect is the type that a pointer points to.
func indirect(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}
