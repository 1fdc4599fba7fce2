package settings

import (
	"reflect"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"usciere/cmd/usciere/plainyaml"
)

// decoder writes a tree into the structs, noting where each key stands. What
// does not fit is reported and left at its default. A null is a key left out.
type decoder struct{ *report }

// value decodes the value of a key.
func (d decoder) value(n ast.Node, k key, into reflect.Value) {
	d.where[k.path] = plainyaml.Begin(n)
	if n.Type() == ast.NullType {
		return
	}
	switch shapeOf(into.Type()) {
	case single:
		d.single(n, k, into)
	case section:
		d.mapping(n, k, into)
	default:
		d.list(n, k, into)
	}
}

func (d decoder) single(n ast.Node, k key, into reflect.Value) {
	kind := kinds[into.Type()]
	text, ok := plainyaml.Scalar(n)
	if !ok {
		d.key(k.path, "expected one value (%s), found %s", kind.one, plainyaml.Describe(n))
		return
	}
	v, err := kind.parse(text)
	if err != nil {
		d.key(k.path, "%s", err)
		return
	}
	into.Set(reflect.ValueOf(v))
}

// list replaces the default by the elements given.
func (d decoder) list(n ast.Node, k key, into reflect.Value) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.key(k.path, "expected a list, such as [a, b], found %s", plainyaml.Describe(n))
		return
	}
	elements := reflect.MakeSlice(into.Type(), len(seq.Values), len(seq.Values))
	for i, n := range seq.Values {
		element := key{path: index(k.path, i)}
		if n.Type() == ast.NullType {
			d.add(plainyaml.Begin(n), "%s: empty", element.path)
			continue
		}
		if id, ok := plainyaml.Scalar(n); ok && into.Type().Elem() == reflect.TypeFor[Visibility]() {
			d.where[element.path] = plainyaml.Begin(n)
			elements.Index(i).Set(reflect.ValueOf(Visibility{Office: id}))
			continue
		}
		d.value(n, element, elements.Index(i))
	}
	into.Set(elements)
}

func (d decoder) mapping(n ast.Node, k key, into reflect.Value) {
	entries, ok := plainyaml.Entries(n)
	if !ok {
		where := k.path
		if where == "" {
			where = "the file"
		}
		d.add(plainyaml.Begin(n), "%s: expected keys and values, such as key: value, found %s", where, plainyaml.Describe(n))
		return
	}
	known := keysOf(into, k)
	first := make(map[string]position, len(entries))
	for _, entry := range entries {
		at := plainyaml.Begin(entry.Key)
		name, _ := plainyaml.Scalar(entry.Key)
		if earlier, again := first[name]; again {
			d.add(at, "%s: given twice, first on line %d", join(k.path, name), earlier.Line)
			continue
		}
		first[name] = at
		i := slices.IndexFunc(known, func(k key) bool { return k.name == name })
		if i < 0 {
			d.add(at, "%s", unknownKey(name, k, known))
			continue
		}
		d.value(entry.Value, known[i], known[i].value)
	}
}
