package remediatortest

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Schema compiles a specification's JSON Schema of parameters, for further tests
// of it.
func Schema(t *testing.T, schema json.RawMessage) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatalf("parameters' schema is not JSON: %v", err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	const name = "https://paramedic.dev/params.json"
	if err := c.AddResource(name, document); err != nil {
		t.Fatalf("parameters' schema: %v", err)
	}
	compiled, err := c.Compile(name)
	if err != nil {
		t.Fatalf("parameters' schema: %v", err)
	}
	return compiled
}

// Accepts reports whether a schema accepts parameters.
func Accepts(t *testing.T, schema *jsonschema.Schema, params string) bool {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(params)))
	if err != nil {
		t.Fatalf("parameters %s: %v", params, err)
	}
	return schema.Validate(v) == nil
}

// paramsOf is a task's parameters as an object.
func paramsOf(task engine.Task) string {
	if len(task.Params) == 0 {
		return "{}"
	}
	return string(task.Params)
}

func (s *suite) specIsSane(t *testing.T) {
	if s.spec.Name == "" || s.spec.Summary == "" {
		t.Errorf("name %q, summary %q: neither may be empty", s.spec.Name, s.spec.Summary)
	}
	if _, err := remediators.NewRegistry(s.bench.Remediator); err != nil {
		t.Error(err)
	}
	schema := Schema(t, s.spec.Params)
	task := s.bench.Fresh(t).Task
	if !Accepts(t, schema, paramsOf(task)) {
		t.Errorf("the schema refuses the scene's own parameters %s", paramsOf(task))
	}
	if Accepts(t, schema, `[]`) {
		t.Error("the schema accepts a list for an object")
	}
}

func (s *suite) unknownParameters(t *testing.T) {
	scene := s.bench.Fresh(t)
	var params map[string]any
	if err := json.Unmarshal([]byte(paramsOf(scene.Task)), &params); err != nil {
		t.Fatal(err)
	}
	params["nobodyKnowsThis"] = true
	odd, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	if Accepts(t, Schema(t, s.spec.Params), string(odd)) {
		t.Error("the schema accepts a parameter that nobody knows")
	}
	scene.Task.Params = odd
	_, err = s.watch(t).plan(t.Context(), s.complete(scene.Task, engine.TaskPlan))
	wantClass(t, err, engine.ClassTerminal)
	scene.Task.Params = json.RawMessage(`"`)
	_, err = s.watch(t).plan(t.Context(), s.complete(scene.Task, engine.TaskPlan))
	wantClass(t, err, engine.ClassTerminal)
	wantEffects(t, scene, 0)
}

func (s *suite) planIsRepeatable(t *testing.T) {
	scene := s.bench.Fresh(t)
	_, first := s.planned(t, scene)
	if err := first.Target.Validate(); err != nil {
		t.Errorf("the plan's target: %v", err)
	}
	if first.Summary == "" {
		t.Error("the plan has no summary for the person who approves it")
	}
	if s.spec.Fenced && len(first.Precondition) == 0 {
		t.Error("fenced, but the plan has no precondition")
	}
	canonical := scene
	canonical.Task.Target = first.Target
	_, second := s.planned(t, canonical)
	if second.Target != first.Target {
		t.Errorf("the canonical target %s became %s", first.Target, second.Target)
	}
	if second.Digest() != first.Digest() {
		t.Errorf("the same plan has another digest:\n%+v\n%+v", first, second)
	}
	wire, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	var read engine.Plan
	if err := json.Unmarshal(wire, &read); err != nil {
		t.Fatal(err)
	}
	if read.Digest() != first.Digest() {
		t.Error("the plan's digest changes on the way over the bus")
	}
	wantEffects(t, scene, 0)
}

func (s *suite) missingTarget(t *testing.T) {
	_, err := s.watch(t).plan(t.Context(), s.complete(s.bench.Missing, engine.TaskPlan))
	wantClass(t, err, engine.ClassTerminal)
}

func (s *suite) anotherSystem(t *testing.T) {
	if s.spec.System == "" {
		return // it works on any
	}
	scene := s.bench.Fresh(t)
	scene.Task.Target.System = "another"
	_, err := s.watch(t).plan(t.Context(), s.complete(scene.Task, engine.TaskPlan))
	wantClass(t, err, engine.ClassTerminal)
	wantEffects(t, scene, 0)
}
