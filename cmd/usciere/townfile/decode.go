package townfile

import (
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"usciere/cmd/usciere/plainyaml"
	"usciere/policy"
)

// decoder writes trees into a document, noting where each key stands. A null is a key left out.
type decoder struct {
	file  *File
	from  piece // that is being read
	found plainyaml.Problems
}

// report notes what is wrong at a place of the piece.
func (d *decoder) report(at plainyaml.Position, format string, args ...any) {
	at = d.inFile(at)
	d.found = append(d.found, plainyaml.Problem{File: d.file.name, Line: at.Line, Column: at.Column, Text: fmt.Sprintf(format, args...)})
}

func (d *decoder) problem(n ast.Node, path, format string, args ...any) {
	d.report(plainyaml.Begin(n), "%s: %s", path, fmt.Sprintf(format, args...))
}

// inFile is the place in the file of a place in the piece.
func (d *decoder) inFile(at plainyaml.Position) plainyaml.Position {
	switch p := d.from; {
	case p.first == 0:
	case p.head == 0:
		at.Line += p.first - 1
	case at.Line == 1:
		at.Line = p.head
	default:
		at.Line += p.first - 2
	}
	return at
}

// piece reads one piece of the file.
func (d *decoder) piece(p piece) {
	d.from = p
	root := plainyaml.Parse(p.text, limits, d.report)
	if root == nil {
		return
	}
	document := reflect.ValueOf(d.file.Document).Elem()
	entries, ok := plainyaml.Entries(root)
	if !ok {
		d.report(plainyaml.Begin(root), "the file: expected keys and values, such as offices: …, found %s", plainyaml.Describe(root))
		return
	}
	d.entries(entries, "", document, p.head != 0)
}

// entries decodes the keys of a struct; more says that the one there is goes on from a piece before.
func (d *decoder) entries(entries []*ast.MappingValueNode, path string, into reflect.Value, more bool) {
	keys := keysOf(into.Type())
	for _, entry := range entries {
		name, _ := plainyaml.Scalar(entry.Key)
		at := join(path, name)
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
		if i < 0 {
			d.report(plainyaml.Begin(entry.Key), "%s", unknown(name, path, keys))
			continue
		}
		if !more && !d.once(entry.Key, at) {
			continue
		}
		d.value(entry.Value, at, keys[i].tag, into.Field(keys[i].field))
	}
}

// once notes where a key stands; a second one is a problem.
func (d *decoder) once(k ast.Node, path string) bool {
	if first, again := d.file.where[path]; again {
		d.problem(k, path, "given twice, first on line %d", first.Line)
		return false
	}
	d.file.where[path] = d.inFile(plainyaml.Begin(k))
	return true
}

// required reports the keys of a struct that are missing or empty.
func (d *decoder) required(n ast.Node, path string, v reflect.Value) {
	for _, k := range keysOf(v.Type()) {
		_, given := d.file.where[join(path, k.name)]
		switch {
		case k.tag.Get("required") == "":
		case !given && k.name == "request":
			d.problem(n, path, "a grant without a request cannot be made (Art. 5): write request: {protocol: NUMBER/YEAR, date: DAY, reason: …}")
		case !given:
			d.problem(n, path, "expected a key %s", k.name)
		case isEmpty(v.Field(k.field)) && len(d.found) == 0: // what is wrong is left empty too
			d.problem(n, path, "%s is empty", k.name)
		}
	}
}

func (d *decoder) value(n ast.Node, path string, tag reflect.StructTag, into reflect.Value) {
	if n.Type() == ast.NullType {
		if shapeOf(indirect(into.Type())) != named && shapeOf(indirect(into.Type())) != list {
			delete(d.file.where, path)
		}
		return
	}
	d.file.where[path] = d.inFile(plainyaml.Begin(n))
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	switch shapeOf(into.Type()) {
	case single:
		d.single(n, path, tag, into)
	case list:
		d.list(n, path, into)
	case named:
		d.named(n, path, into)
	default:
		d.mapping(n, path, into)
	}
}

func (d *decoder) single(n ast.Node, path string, tag reflect.StructTag, into reflect.Value) {
	text, ok := plainyaml.Scalar(n)
	if !ok {
		d.problem(n, path, "expected one value, found %s", plainyaml.Describe(n))
		return
	}
	if reader, ok := into.Addr().Interface().(encoding.TextUnmarshaler); ok {
		err := reader.UnmarshalText([]byte(text))
		if m, isMoment := into.Interface().(policy.Moment); err == nil && isMoment && tag.Get("day") != "" && m != "" {
			_, err = policy.ParseDay(text)
		}
		if err != nil {
			d.problem(n, path, "%s", wrong(text, into.Type(), err))
		}
		return
	}
	switch {
	case into.Kind() == reflect.Bool && (text == "true" || text == "false"):
		into.SetBool(text == "true")
	case into.Kind() == reflect.Bool:
		d.problem(n, path, "%s is neither true nor false", plainyaml.Quote(text))
	default:
		into.SetString(text)
	}
}

// wrong says on one line why a text is not of a type, and how it should be.
func wrong(text string, t reflect.Type, err error) string {
	var refusal *policy.Error
	switch {
	case errors.As(err, &refusal) && refusal.Hint != "":
		return refusal.Message + ": " + refusal.Hint
	case t == reflect.TypeFor[netip.Prefix]():
		return plainyaml.Quote(text) + " is no network: write it as 10.20.1.0/24 or \"2001:db8:20:1::/64\""
	case t == reflect.TypeFor[netip.Addr]():
		return plainyaml.Quote(text) + " is no address: write it as 10.20.1.9 or \"2001:db8:20:1::9\""
	}
	return strings.ReplaceAll(err.Error(), "\n", " ")
}

func (d *decoder) list(n ast.Node, path string, into reflect.Value) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.problem(n, path, "expected a list, such as [a, b], found %s", plainyaml.Describe(n))
		return
	}
	for _, n := range seq.Values {
		at := fmt.Sprintf("%s[%d]", path, into.Len())
		if n.Type() == ast.NullType {
			d.problem(n, at, "empty")
			continue
		}
		element := reflect.New(into.Type().Elem()).Elem()
		d.value(n, at, "", element)
		into.Set(reflect.Append(into, element))
	}
}

// named decodes a mapping by id or address.
func (d *decoder) named(n ast.Node, path string, into reflect.Value) {
	entries, ok := plainyaml.Entries(n)
	if !ok {
		d.problem(n, path, "expected keys and values, such as id: {…}, found %s", plainyaml.Describe(n))
		return
	}
	if into.IsNil() {
		into.Set(reflect.MakeMap(into.Type()))
	}
	for _, entry := range entries {
		name, _ := plainyaml.Scalar(entry.Key)
		k := reflect.New(into.Type().Key())
		if err := k.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(name)); err != nil {
			d.problem(entry.Key, path, "%s", wrong(name, k.Elem().Type(), err))
			continue
		}
		at := join(path, fmt.Sprint(k.Elem().Interface()))
		if !d.once(entry.Key, at) {
			continue
		}
		element := reflect.New(into.Type().Elem()).Elem()
		if entry.Value.Type() == ast.NullType {
			d.required(entry.Key, at, element)
		} else {
			d.value(entry.Value, at, "", element)
		}
		into.SetMapIndex(k.Elem(), element)
	}
}

func (d *decoder) mapping(n ast.Node, path string, into reflect.Value) {
	if k, ok := short(into.Type()); ok {
		if _, isScalar := plainyaml.Scalar(n); isScalar {
			d.value(n, join(path, k.name), k.tag, into.Field(k.field))
			return
		}
	}
	entries, ok := plainyaml.Entries(n)
	if !ok {
		d.problem(n, path, "expected keys and values, such as {key: value}, found %s", plainyaml.Describe(n))
		return
	}
	d.entries(entries, path, into, false)
	d.required(n, path, into)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// unknown says that there is no such key, and which one may be meant.
func unknown(name, path string, keys []key) string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	where := ""
	if path != "" {
		where = " in " + path
	}
	text := fmt.Sprintf("unknown key %s%s: ", plainyaml.Quote(name), where)
	if near := plainyaml.Nearest(name, names); near != "" {
		return text + "did you mean " + near + "?"
	}
	return text + "expected one of " + strings.Join(names, ", ")
}
