package settings

import "reflect"

// Changed compares two settings and names the keys that differ, in the order of
// the reference: those that a running daemon takes over at a reload, and those
// that need a restart. A list counts as one key.
func Changed(old, new Settings) (live, restart []string) {
	before, after := leaves(&old), leaves(&new)
	for i, k := range after {
		switch {
		case same(before[i].value, k.value):
		case k.restart:
			restart = append(restart, k.path)
		default:
			live = append(live, k.path)
		}
	}
	return live, restart
}

// leaves lists the keys of s that have a value: all but the sections.
func leaves(s *Settings) []key { return leavesOf(reflect.ValueOf(s).Elem(), key{}) }

func leavesOf(v reflect.Value, parent key) []key {
	var keys []key
	for _, k := range keysOf(v, parent) {
		if shapeOf(k.value.Type()) == section {
			keys = append(keys, leavesOf(k.value, k)...)
			continue
		}
		keys = append(keys, k)
	}
	return keys
}

// same compares two values; a list that is empty is one that is not there.
func same(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
