package manual_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tripgen/paramedic/internal/bus/access"
	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/manual"
)

func TestTheWorkersPageConfiguresAHubAndAWorker(t *testing.T) {
	t.Parallel()
	shown := blocks(t, manual.Workers, "yaml")
	if len(shown) != 3 {
		t.Fatalf("%d configurations", len(shown))
	}
	if actions := load(t, shown[2]).Actions; len(actions) != 1 || actions[0].Group != "seoul" || !actions[0].Undo {
		t.Errorf("actions %+v", actions)
	}
	hub, worker := load(t, shown[0]), load(t, shown[1])
	groups := map[string]string{}
	for _, c := range hub.Clusters {
		groups[c.Name] = c.Group
	}
	there := worker.Clusters[0]
	if groups[there.Name] != worker.Worker.Group || !there.Reachable() || worker.Bus.Domain != access.Domain {
		t.Errorf("hub %v, worker %+v", groups, worker)
	}
	if config.Default().Worker.Group != "default" {
		t.Error("the page says that the group is called default")
	}
}

// TestTheWorkersPageListsEveryRight, and no other.
func TestTheWorkersPageListsEveryRight(t *testing.T) {
	t.Parallel()
	const group = "GROUP"
	_, table, _ := strings.Cut(manual.Workers, "| a group may | on |\n|---|---|\n")
	table, _, found := strings.Cut(table, "\n\n")
	if !found {
		t.Fatal("no table of rights")
	}
	var want []string
	for _, r := range access.Rights(group) {
		if !strings.Contains(r.Subject, engine.VerifyGroup(group)) {
			want = append(want, r.Subject)
		}
	}
	var listed []string
	for row := range strings.SplitSeq(table, "\n") {
		listed = append(listed, strings.Split(row, "`")[1])
	}
	slices.Sort(want)
	slices.Sort(listed)
	if !slices.Equal(listed, want) {
		t.Errorf("listed are\n%s\nwant\n%s", strings.Join(listed, "\n"), strings.Join(want, "\n"))
	}
}

func TestTheWorkersPageListsEveryClass(t *testing.T) {
	t.Parallel()
	for _, c := range []engine.Class{
		engine.ClassRetryable, engine.ClassTerminal, engine.ClassUnknown, engine.ClassPlanChanged, engine.ClassPaused, engine.ClassExpired,
	} {
		if !strings.Contains(manual.Workers, "| `"+string(c)+"` |") || !strings.Contains(manual.ResultSchema, `"`+string(c)+`"`) {
			t.Errorf("class %s is missing on the page or in the schema", c)
		}
	}
}

type object map[string]any

// TestTheSchemasAreTheTypes: the same fields, required where they are always
// there, and of the same types.
func TestTheSchemasAreTheTypes(t *testing.T) {
	t.Parallel()
	type message struct {
		Result engine.Result `json:"result"`
	}
	for name, c := range map[string]struct {
		schema string
		of     reflect.Type
	}{
		"task":   {manual.TaskSchema, reflect.TypeFor[engine.Order]()},
		"result": {manual.ResultSchema, reflect.TypeFor[message]()},
	} {
		var root object
		if err := json.Unmarshal([]byte(c.schema), &root); err != nil {
			t.Fatal(err)
		}
		defs, _ := root["$defs"].(map[string]any)
		s := schemas{t: t, defs: defs, seen: map[string]bool{}}
		s.compare(name, root, c.of)
		if len(s.seen) != len(s.defs) {
			t.Errorf("%s: %d definitions, of which %d are used", name, len(s.defs), len(s.seen))
		}
	}
}

type schemas struct {
	t    *testing.T
	defs map[string]any
	seen map[string]bool
}

func (s *schemas) compare(at string, schema object, of reflect.Type) {
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if ref, ok := schema["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/$defs/")
		s.seen[name] = true
		schema, _ = s.defs[name].(map[string]any)
	}
	if want := typeOf(of); schema["type"] != nil && schema["type"] != want || schema["type"] == nil && schema["enum"] == nil && want != "" {
		s.t.Errorf("%s is of type %v, want %q", at, schema["type"], want)
	}
	switch {
	case of.Kind() == reflect.Slice && typeOf(of) == "array":
		items, _ := schema["items"].(map[string]any)
		s.compare(at+"[]", items, of.Elem())
	case of.Kind() == reflect.Struct && of != reflect.TypeFor[time.Time]():
		s.fields(at, schema, of)
	}
}

func (s *schemas) fields(at string, schema object, of reflect.Type) {
	properties, _ := schema["properties"].(map[string]any)
	var required []string
	list, _ := schema["required"].([]any)
	for _, r := range list {
		name, _ := r.(string)
		required = append(required, name)
	}
	n := 0
	for _, f := range reflect.VisibleFields(of) {
		if f.Anonymous {
			continue
		}
		n++
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		p, ok := properties[name].(map[string]any)
		if !ok {
			s.t.Errorf("%s.%s is not in the schema", at, name)
			continue
		}
		if slices.Contains(required, name) != (option == "") {
			s.t.Errorf("%s.%s: required or not, against its tag %q", at, name, f.Tag)
		}
		s.compare(at+"."+name, p, f.Type)
	}
	if n != len(properties) {
		s.t.Errorf("%s has %d fields, and %d in the schema", at, n, len(properties))
	}
}

// typeOf is a Go type in JSON Schema; empty for any JSON.
func typeOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return ""
	case t == reflect.TypeFor[time.Time](), t.Kind() == reflect.String:
		return "string"
	case t.Kind() == reflect.Slice:
		return "array"
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return "integer"
	default:
		return "object"
	}
}

func compiled(t *testing.T, schema string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("x.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("x.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatIsSentFitsTheSchemas(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC)
	target := engine.Target{System: engine.SystemKubernetes, Cluster: "korea", Namespace: "production", Kind: "Deployment", Name: "shop"}
	plan := engine.Plan{
		Target: target, Summary: "restart", Changes: []engine.Change{{Field: "a", From: "b", To: "c"}},
		Health: &engine.Health{Total: 3, Healthy: 2}, Precondition: json.RawMessage(`{"a":1}`),
	}
	outcome := engine.Outcome{Summary: "restarted", Before: json.RawMessage(`[1]`)}
	task := engine.Task{
		ID: "r.0.0.undo.3", Kind: engine.TaskUndo, Run: "r", Rule: "down", Group: "seoul", Action: "kubernetes.restart", Target: target,
		Params: json.RawMessage(`{}`), Plan: &plan, Outcome: &outcome, Undoes: "r.0.0.execute.2", NotAfter: now, Timeout: time.Minute,
	}
	verify := task
	verify.Kind, verify.Probes, verify.Stable, verify.Deadline = engine.TaskVerify, []engine.ProbeTask{{Kind: "rollout"}}, time.Second, now
	result := func(change func(*engine.Result)) any {
		r := &engine.Result{Task: task.ID, Worker: "w", At: now, Group: "seoul"}
		change(r)
		return engine.Input{Result: r}
	}
	for _, c := range []struct {
		name, schema string
		value        any
		good         bool
	}{
		{"undo", manual.TaskSchema, task.Order(), true},
		{"verify", manual.TaskSchema, verify.Order(), true},
		{"a task without scopes", manual.TaskSchema, task, false},
		{"plan", manual.ResultSchema, result(func(r *engine.Result) { r.Plan = &plan }), true},
		{"outcome", manual.ResultSchema, result(func(r *engine.Result) { r.Outcome, r.Observed = &outcome, true }), true},
		{"failure", manual.ResultSchema, result(func(r *engine.Result) {
			r.Failure = &engine.Failure{Class: engine.ClassRetryable, Message: "m", RetryAfter: time.Second}
		}), true},
		{"verified", manual.ResultSchema, result(func(r *engine.Result) { r.Verified, r.Checks = true, []engine.Check{{Kind: "http", OK: true}} }), true},
		{"not verified", manual.ResultSchema, result(func(r *engine.Result) { r.Checks = []engine.Check{{Kind: "http", Detail: "503"}} }), true},
		{"two ways", manual.ResultSchema, result(func(r *engine.Result) { r.Plan, r.Outcome = &plan, &outcome }), false},
		{"nothing", manual.ResultSchema, result(func(*engine.Result) {}), false},
		{"another class", manual.ResultSchema, result(func(r *engine.Result) { r.Failure = &engine.Failure{Class: "x", Message: "m"} }), false},
		{"a command", manual.ResultSchema, engine.Input{Command: &engine.Command{}}, false},
	} {
		text, err := json.Marshal(c.value)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled(t, c.schema).Validate(doc); (err == nil) != c.good {
			t.Errorf("%s: %v\n%s", c.name, err, text)
		}
	}
}

func TestExamples(t *testing.T) {
	t.Parallel()
	for _, language := range manual.Examples() {
		if files, err := manual.Example(language); err != nil || len(files) == 0 {
			t.Errorf("%s: %d files, %v", language, len(files), err)
		}
	}
	if _, err := manual.Example("cobol"); err == nil || !strings.Contains(err.Error(), "python") {
		t.Errorf("an example in cobol: %v", err)
	}
	files, err := manual.Example("node")
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct{ Version, Integrity string }
	}
	if err := json.Unmarshal(files["package-lock.json"], &lock); err != nil {
		t.Fatal(err)
	}
	for name, p := range lock.Packages {
		if name != "" && (p.Version == "" || !strings.HasPrefix(p.Integrity, "sha512-")) {
			t.Errorf("%s is not pinned", name)
		}
	}
}
