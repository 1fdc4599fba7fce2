package settings

import (
	"reflect"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// decoder writes a tree into the structs, noting where each key stands. What
// does not fit is reported and left at its default. A null is a key left out.
type decoder struct{ *report }

// value decodes the value of a key.
func (d decoder) value(n ast.Node, k key, into reflect.Value) {
	d.where[k.path] = begin(n)
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
	text, ok := scalar(n)
	if !ok {
		d.key(k.path, "expected one value (%s), found %s", kind.one, found(n))
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
		d.key(k.path, "expected a list, such as [a, b], found %s", found(n))
		return
	}
	elements := reflect.MakeSlice(into.Type(), len(seq.Values), len(seq.Values))
	for i, n := range seq.Values {
		element := key{path: index(k.path, i)}
		if n.Type() == ast.NullType {
			d.add(begin(n), "%s: empty", element.path)
			continue
		}
		if id, ok := scalar(n); ok && into.Type().Elem() == reflect.TypeFor[Visibility]() {
			d.where[element.path] = begin(n)
			elements.Index(i).Set(reflect.ValueOf(Visibility{Office: id}))
			continue
		}
		d.value(n, element, elements.Index(i))
	}
	into.Set(elements)
}

func (d decoder) mapping(n ast.Node, k key, into reflect.Value) {
	entries, ok := entriesOf(n)
	if !ok {
		where := k.path
		if where == "" {
			where = "the file"
		}
		d.add(begin(n), "%s: expected keys and values, such as key: value, found %s", where, found(n))
		return
	}
	known := keysOf(into, k)
	first := make(map[string]position, len(entries))
	for _, entry := range entries {
		at := begin(entry.Key)
		name, _ := scalar(entry.Key)
		if earlier, again := first[name]; again {
			d.add(at, "%s: given twice, first on line %d", join(k.path, name), earlier.line)
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

func entriesOf(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// scalar is the text of a single value: as it stands in the file for numbers
// and booleans, without its quotes for text.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case ast.ScalarNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// found names what stands where something else was expected.
func found(n ast.Node) string {
	if text, ok := scalar(n); ok {
		return quoteShort(text)
	}
	if _, ok := n.(*ast.SequenceNode); ok {
		return "a list"
	}
	return "a mapping"
}

// begin is where a node begins. A block mapping's own token is a colon, so
// its first key counts.
func begin(n ast.Node) position {
	if entries, ok := entriesOf(n); ok && len(entries) > 0 {
		if m, flow := n.(*ast.MappingNode); !flow || !m.IsFlowStyle {
			return positionOf(entries[0].Key.GetToken())
		}
	}
	return positionOf(n.GetToken())
}
