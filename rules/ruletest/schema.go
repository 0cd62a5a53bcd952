package ruletest

import (
	"encoding/json"
	"fmt"

	"github.com/tripgen/paramedic/rules"
)

// Schema is the JSON Schema (draft 2020-12) of the file, for editors. It knows the
// catalogue's names, but not those of the rules that a file tests.
func Schema(c rules.Catalog) (json.RawMessage, error) {
	s := objectSchema(fileFields(newVocabulary(c)))
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Paramedic rule test"
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("ruletest: schema: %w", err)
	}
	return b, nil
}

func objectSchema(fields []field) map[string]any {
	properties := map[string]any{}
	for _, f := range fields {
		if f.doc != "" {
			f.schema["description"] = f.doc
		}
		properties[f.name] = f.schema
	}
	s := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if _, required := names(fields); len(required) > 0 {
		s["required"] = required
	}
	return s
}

// oneOf is an object that has exactly one of some fields.
func oneOf(fields []field, exactly []string) map[string]any {
	s := objectSchema(fields)
	var ways []any
	for _, name := range exactly {
		ways = append(ways, map[string]any{"required": []string{name}})
	}
	s["oneOf"] = ways
	return s
}
