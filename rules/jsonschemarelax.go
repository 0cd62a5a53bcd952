package rules

import (
	"encoding/json"
	"slices"
	"strings"
)

// embed makes a schema of the catalogue part of the language's, under a key of
// $defs. One that is no schema is replaced by one that fits nothing, as the
// compiler refuses what it is for.
func embed(key, what string, schema json.RawMessage) node {
	var doc any
	if _, err := compileSchema(what, schema); err != nil || json.Unmarshal(schema, &doc) != nil {
		return node{"not": node{}, "description": "This build cannot describe " + what + "."}
	}
	n, ok := relax(doc, pointer(key)).(node)
	if !ok {
		return node{}
	}
	if n["title"] == nil {
		n["title"] = what
	}
	return n
}

// relax copies a schema so that a text with an expression may stand for any
// value that is not just a text. root is where the schema is put: its own
// references are bent to there.
func relax(schema any, root string) any {
	object, ok := schema.(map[string]any)
	if !ok {
		return schema
	}
	out := node{}
	for keyword, v := range object {
		switch keyword {
		case "$id", "$schema", "if", "then", "else", "contains", "minContains", "maxContains", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems":
			// What these say depends on values, which an expression does not have yet.
		case "$ref":
			if s, isText := v.(string); isText && strings.HasPrefix(s, "#") {
				out[keyword] = root + strings.TrimPrefix(s, "#")
			}
		case "properties", "patternProperties":
			out[keyword] = each(v, func(s any) any { return orTemplate(relax(s, root)) })
		case "$defs", "definitions":
			out[keyword] = each(v, func(s any) any { return relax(s, root) })
		case "additionalProperties", "items":
			out[keyword] = orTemplate(relax(v, root))
		case "prefixItems":
			out[keyword] = list(v, func(s any) any { return orTemplate(relax(s, root)) })
		case "allOf", "anyOf":
			out[keyword] = list(v, func(s any) any { return relax(s, root) })
		case "oneOf":
			if looksInside(v) {
				keyword = "anyOf"
			}
			out[keyword] = list(v, func(s any) any { return relax(s, root) })
		case "not":
			if !looksInside([]any{v}) {
				out[keyword] = v
			}
		default:
			out[keyword] = v
		}
	}
	return out
}

// orTemplate lets a text with an expression stand for a value, unless the value
// is any text already.
func orTemplate(schema any) any {
	n, ok := schema.(node)
	if !ok || anyText(n) {
		return schema
	}
	out := node{"anyOf": []any{n, to("template")}}
	for _, keyword := range []string{"title", "description", "default"} {
		if v, there := n[keyword]; there {
			out[keyword] = v
		}
	}
	return out
}

// anyText reports whether a schema lets every text with an expression through.
func anyText(n node) bool {
	for keyword := range n {
		if !slices.Contains([]string{"type", "title", "description", "default", "examples", "minLength"}, keyword) {
			return false
		}
	}
	return n["type"] == "string" || n["type"] == nil
}

// looksInside reports whether one of some schemas says something about what is
// in an object or a list.
func looksInside(schemas any) bool {
	all, ok := schemas.([]any)
	return ok && slices.ContainsFunc(all, func(s any) bool {
		n, isObject := s.(map[string]any)
		for _, keyword := range []string{"properties", "patternProperties", "additionalProperties", "items", "prefixItems", "allOf", "anyOf", "oneOf", "not"} {
			if isObject && n[keyword] != nil {
				return true
			}
		}
		return false
	})
}

func each(v any, f func(any) any) any {
	object, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := node{}
	for name, s := range object {
		out[name] = f(s)
	}
	return out
}

func list(v any, f func(any) any) any {
	all, ok := v.([]any)
	if !ok {
		return v
	}
	out := make([]any, len(all))
	for i, s := range all {
		out[i] = f(s)
	}
	return out
}
