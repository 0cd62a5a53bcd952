package rules_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/rules"
)

func compiledSchema(t *testing.T, text json.RawMessage) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{})
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return s
}

// asJSON reads YAML as an editor does; ok is false if it is not one document.
func asJSON(t *testing.T, text string) (any, bool) {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return nil, false
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, false
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return doc, true
}

func TestSchemaAcceptsWhatCompiles(t *testing.T) {
	t.Parallel()
	schema := compiledSchema(t, rules.Schema(catalog()))
	eachFile(t, "testdata/*.good.yaml", func(t *testing.T, name, text string) {
		doc, ok := asJSON(t, text)
		if !ok {
			t.Fatal("not JSON")
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
}

// TestSchemaRefusesWhatHasNoForm: of the bad files, only those are accepted
// whose faults only the compiler can see.
func TestSchemaRefusesWhatHasNoForm(t *testing.T) {
	t.Parallel()
	schema := compiledSchema(t, rules.Schema(catalog()))
	onlyCompiler := map[string]string{}
	eachFile(t, "testdata/*.bad.yaml", func(t *testing.T, name, text string) {
		why, excused := onlyCompiler[filepath.Base(name)]
		doc, ok := asJSON(t, text)
		accepted := ok && schema.Validate(doc) == nil
		if accepted != excused {
			t.Errorf("accepted: %t, and the compiler alone is said to see its fault: %t (%s)", accepted, excused, why)
		}
	})
}

// TestSchemaOfOneRule: single faults, each in a file that has no other.
func TestSchemaOfOneRule(t *testing.T) {
	t.Parallel()
	schema := compiledSchema(t, rules.Schema(catalog()))
	const good = `name: one
on: {alerts: ['alertname="A"']}
target: {cluster: c, namespace: n, deployment: d}
guards: {cooldown: 10m, limit: [3/1h, 9/1d], flap: off}
try: [{name: go, do: [{kubernetes.scale: {factor: 2}}]}]`
	check := func(text string) error {
		doc, ok := asJSON(t, wrap(text))
		if !ok {
			t.Fatal(text)
		}
		return schema.Validate(doc)
	}
	if err := check(good); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ from, to string }{
		"a field":         {"name: one", "name: one\nnam: two"},
		"a name":          {"name: one", "name: One"},
		"no target":       {"target: {cluster: c, namespace: n, deployment: d}", ""},
		"two things":      {"deployment: d", "deployment: d, pod: p"},
		"no cluster":      {"cluster: c, ", ""},
		"no namespace":    {"namespace: n, ", ""},
		"a node in one":   {"deployment: d", "node: n"},
		"a redis cluster": {"namespace: n, deployment: d", "redis: x"},
		"an azure pod":    {"{cluster: c, namespace: n, deployment: d}", "{azure: a, pod: x}"},
		"no account":      {"{cluster: c, namespace: n, deployment: d}", "{resource: /subscriptions/s}"},
		"a unit":          {"10m", "10 minutes"},
		"no unit":         {"10m", "10"},
		"units in order":  {"10m", "10m1h"},
		"a rate":          {"3/1h", "3 per hour"},
		"a number":        {"flap: off", "breaker: many"},
		"an action":       {"kubernetes.scale", "kubernetes.scael"},
		"a parameter":     {"factor", "facter"},
		"its type":        {"factor: 2", "factor: two"},
		"its bound":       {"factor: 2", "factor: 0"},
		"two in one":      {"{kubernetes.scale: {factor: 2}}", "{kubernetes.scale: {}, kubernetes.restart: {}}"},
		"a mode":          {"name: one", "name: one\nmode: automatic"},
		"no try":          {"try: [{name: go, do: [{kubernetes.scale: {factor: 2}}]}]", "mode: auto"},
		"off where never": {"cooldown: 10m", "approval: off"},
		"a reporter":      {"name: one", "name: one\nreport: {slakc: x}"},
		"an empty list":   {"['alertname=\"A\"']", "[]"},
	} {
		if err := check(strings.Replace(good, c.from, c.to, 1)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, c := range map[string]struct{ from, to string }{
		"an expression for a number": {"factor: 2", "factor: '${double(attempt.number)}'"},
		"no parameters":              {"{kubernetes.scale: {factor: 2}}", "kubernetes.restart: "},
		"a whole namespace":          {", deployment: d", ""},
		"a node":                     {"namespace: n, deployment: d", "node: n"},
		"a resource":                 {"{cluster: c, namespace: n, deployment: d}", "{azure: a, resource: /subscriptions/s}"},
		"mode observe without try":   {"try: [{name: go, do: [{kubernetes.scale: {factor: 2}}]}]", "mode: observe"},
	} {
		if err := check(strings.Replace(good, c.from, c.to, 1)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaOfACatalogueWithReferences: parameters whose schemas refer to
// parts of themselves, and say what depends on values.
func TestSchemaOfACatalogueWithReferences(t *testing.T) {
	t.Parallel()
	c := catalog()
	c.Actions["odd.one"] = rules.ActionSpec{Schema: json.RawMessage(`{
		"type": "object", "additionalProperties": false,
		"properties": {
			"status": {"oneOf": [{"$ref": "#/$defs/status"}, {"type": "array", "items": {"$ref": "#/$defs/status"}}]},
			"factor": {"type": "number", "not": {"const": 1}}, "down": {"type": "boolean"}, "step": {"type": "integer"}
		},
		"not": {"required": ["factor", "step"]},
		"allOf": [{"if": {"required": ["factor"], "properties": {"factor": {"exclusiveMaximum": 1}}}, "then": {"required": ["down"]}}],
		"$defs": {"status": {"type": "integer", "minimum": 200}}
	}`)}
	schema := compiledSchema(t, rules.Schema(c))
	for params, want := range map[string]bool{
		"{status: 204}":                    true,
		"{status: 20}":                     false,
		"{status: [200, 204]}":             true,
		"{status: [200, \"${1 + 200}\"]}":  true,
		"{status: [200, ok]}":              false,
		"{factor: 1}":                      false,
		"{factor: \"${double(1)}\"}":       true,
		"{factor: 2, step: 1}":             false,
		"{down: \"${now == now}\"}":        true,
		"{down: maybe}":                    false,
		"{other: \"${attempt.number}\"}":   false,
		"\"${alert.labels}\"":              false,
		"{factor: 2, down: true, step: 1}": false,
	} {
		doc, ok := asJSON(t, wrap("name: one\non: {alerts: ['a=\"b\"']}\ntarget: {http: x}\ntry: [{name: go, do: [{odd.one: "+params+"}]}]"))
		if !ok {
			t.Fatal(params)
		}
		if err := schema.Validate(doc); (err == nil) != want {
			t.Errorf("%s: want accepted %t: %v", params, want, err)
		}
	}
}
