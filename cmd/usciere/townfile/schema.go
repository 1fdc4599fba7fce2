package townfile

import (
	_ "embed"
	"encoding/json"
	"net/netip"
	"reflect"

	"usciere/policy"
	"usciere/policy/town"
)

// Schema is the JSON schema of the file, for editors.
//
//go:embed town.schema.json
var Schema []byte

const idPattern = `^[a-z0-9]+(-[a-z0-9]+)*$`

// scalars are the types of single values.
var scalars = map[reflect.Type]object{
	reflect.TypeFor[bool]():             {"type": "boolean"},
	reflect.TypeFor[netip.Addr]():       {"type": "string", "pattern": `^[0-9a-fA-F.:]+$`},
	reflect.TypeFor[netip.Prefix]():     {"type": "string", "pattern": `^[0-9a-fA-F.:]+/[0-9]{1,3}$`},
	reflect.TypeFor[policy.Moment]():    {"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2})?$`},
	reflect.TypeFor[policy.Mode]():      {"enum": policy.Modes},
	reflect.TypeFor[policy.Role]():      {"enum": policy.Roles},
	reflect.TypeFor[policy.Channel]():   {"enum": []policy.Channel{policy.Web, policy.Mail}},
	reflect.TypeFor[policy.Ground]():    {"enum": policy.Grounds},
	reflect.TypeFor[policy.TokenKind](): {"enum": policy.TokenKinds},
	reflect.TypeFor[policy.Hash]():      {"type": "string", "pattern": `^[0-9a-fA-F]{64}$`},
	reflect.TypeFor[policy.Type]():      {"type": "string", "pattern": `^[A-Za-z0-9]+$`},
	reflect.TypeFor[policy.Schedule]():  {"type": "string"},
	reflect.TypeFor[string]():           {"type": []string{"string", "number"}}, // an editor takes a code of digits for a number
}

type object map[string]any

// generate makes the schema of the types.
func generate() ([]byte, error) {
	root := schemaOf(reflect.TypeFor[town.Document]())
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "town.yaml: the whole policy of Usciere"
	text, err := json.MarshalIndent(root, "", "  ")
	return append(text, '\n'), err
}

func schemaOf(t reflect.Type) object {
	t = indirect(t)
	switch shapeOf(t) {
	case list:
		return object{"type": "array", "items": schemaOf(t.Elem())}
	case named:
		out := object{"type": "object", "additionalProperties": schemaOf(t.Elem())}
		if t.Key() == reflect.TypeFor[town.ID]() {
			out["propertyNames"] = object{"pattern": idPattern}
		}
		return out
	case mapping:
		return schemaOfMapping(t)
	}
	out := object{}
	for k, v := range scalars[t] {
		out[k] = v
	}
	return out
}

func schemaOfMapping(t reflect.Type) object {
	properties, required := object{}, []string{}
	var alone object
	for _, k := range keysOf(t) {
		is := schemaOf(t.Field(k.field).Type)
		is["description"] = k.tag.Get("doc")
		if def := k.tag.Get("def"); def != "" {
			is["description"] = k.tag.Get("doc") + " Left out: " + def + "."
		}
		if pattern := k.tag.Get("pattern"); pattern != "" {
			is["type"], is["pattern"] = "string", pattern
		}
		if k.tag.Get("day") != "" {
			is["pattern"] = `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
		}
		if k.tag.Get("required") != "" {
			required = append(required, k.name)
		}
		if k.tag.Get("short") != "" {
			alone = is
		}
		properties[k.name] = is
	}
	out := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	if t == reflect.TypeFor[town.Grant]() {
		out["allOf"] = []object{oneOf("office", "role", "everyone"), oneOf("rule", "service")}
	}
	if t == reflect.TypeFor[town.Token]() {
		out["allOf"] = []object{oneOf("seat", "host")}
	}
	if alone != nil {
		return object{"anyOf": []object{alone, out}}
	}
	return out
}

// oneOf asks for exactly one of some keys.
func oneOf(keys ...string) object {
	var out []object
	for _, k := range keys {
		out = append(out, object{"required": []string{k}})
	}
	return object{"oneOf": out}
}
