package ruletest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/golden"
	"github.com/tripgen/paramedic/rules/ruletest"
)

func read(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// No file panics, and whatever is wrong is at a place in the file.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*_test.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "testdata/mend_test.yaml") {
		f.Add(read(f, file))
	}
	sources := []engine.Source{{Name: "mend.yaml", Text: read(f, "testdata/mend.yaml")}}
	f.Fuzz(func(t *testing.T, text string) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		result, err := ruletest.RunText(ctx, "x_test.yaml", text, sources, ruletest.Options{Catalog: catalog()})
		if err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		lines := strings.Count(text, "\n") + 1
		for _, finding := range result.Findings {
			if finding.File == "x_test.yaml" && (finding.Line < 0 || finding.Line > lines || finding.Message == "") {
				t.Errorf("%s", finding)
			}
		}
		if !result.Findings.Failed() && len(result.Tests) == 0 && ctx.Err() == nil {
			t.Error("nothing is wrong, and nothing was tested")
		}
		if _, err := (ruletest.Report{Files: []ruletest.FileResult{result}}).JUnit(); err != nil {
			t.Error(err)
		}
	})
}

// The same file gives the same report.
func TestDeterminism(t *testing.T) {
	t.Parallel()
	first, second := run(t, "testdata"), run(t, "testdata")
	if !reflect.DeepEqual(first, second) {
		t.Error("two runs of the same tests differ")
	}
}

// A restart of the engine, wherever it comes, changes no outcome.
func TestRestartAnywhere(t *testing.T) {
	t.Parallel()
	sources := []engine.Source{{Name: "mend.yaml", Text: read(t, "testdata/mend.yaml")}}
	const file = `apiVersion: paramedic.dev/v1
kind: RuleTest
metadata: {name: again}
spec:
  tests:
    - name: a ladder
      world: [{probe: http, fails: status 503}, {action: "*", fails: conflict, class: retryable, times: 1}]
      events:
        - {fires: {alertname: ServiceDown, job: profile}, severity: critical, repeat: 5m}
RESTART
      expect: [{do: kubernetes.restart}, {retry: do}, {do: kubernetes.restart}, {asked: approval}, {ended: unapproved}]
`
	play := func(restart string) []ruletest.Moment {
		text := strings.Replace(file, "RESTART", restart, 1)
		result, err := ruletest.RunText(t.Context(), "x_test.yaml", text, sources, ruletest.Options{Catalog: catalog()})
		if err != nil {
			t.Fatal(err)
		}
		if len(result.Tests) != 1 || !result.Tests[0].Passed() {
			t.Fatalf("%s", ruletest.Report{Files: []ruletest.FileResult{result}}.Text(ruletest.TextOptions{}))
		}
		return result.Tests[0].Timeline
	}
	plain := play("")
	for _, at := range []string{"0s", "1s", "2s", "7s", "10s", "5m7s", "5m8s", "20m"} {
		if again := play("        - {at: " + at + ", restart: true}"); !reflect.DeepEqual(plain, again) {
			t.Errorf("a restart at %s changes what follows", at)
		}
	}
}

// The schema takes what is right, and refuses what is misspelt.
func TestSchema(t *testing.T) {
	t.Parallel()
	text, err := ruletest.Schema(catalog())
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("urn:ruletest", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("urn:ruletest")
	if err != nil {
		t.Fatal(err)
	}
	for file, right := range map[string]bool{
		"testdata/mend_test.yaml": true, "testdata/failing/expect_test.yaml": true, "testdata/bad/fields_test.yaml": false,
		"testdata/bad/kind_test.yaml": false, "testdata/bad/names_test.yaml": false,
	} {
		var value any
		if err := yaml.Unmarshal([]byte(read(t, file)), &value); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(plain); (err == nil) != right {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// What tests reached adds up over files, and is about the rules as they stand in
// theirs.
func TestCoverage(t *testing.T) {
	t.Parallel()
	one := run(t, "testdata/failing/expect_test.yaml").Coverage
	both := run(t, "testdata/failing/expect_test.yaml", "testdata/mend_test.yaml").Coverage
	if _, all := one.Count(""); all != len(both.Items) {
		t.Errorf("%d items of one file, %d of both", all, len(both.Items))
	}
	if got := both.Percent(ruletest.PartRules); got != 100 {
		t.Errorf("%d%% of the rules are reached, want all", got)
	}
	if got := one.Percent(ruletest.PartRules); got != 50 {
		t.Errorf("%d%% of the rules are reached by one file, want half", got)
	}
	for _, i := range both.Items {
		if i.Line == 0 || i.File != "testdata/mend.yaml" {
			t.Errorf("%s is not where its rule is written", i)
		}
	}
}

// What is no rule test is refused, and what is another program's is left out of a
// folder.
func TestFind(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": "x", "a_test.yaml": "apiVersion: paramedic.dev/v1", "promtool_test.yaml": "rule_files: [x.yaml]",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]int{"": 1, "*.yaml": 1, "a_test.yaml": 1, "promtool_test.yaml": 1, "a.yaml": 0, "b_test.yaml": 0, "b*": 0} {
		found, err := ruletest.Find(filepath.Join(folder, path))
		if len(found) != want || (err == nil) != (want > 0) {
			t.Errorf("%q finds %v (%v), want %d", path, found, err, want)
		}
	}
	if _, err := ruletest.Find(); err == nil {
		t.Error("no paths find something")
	}
}

// A test that never ends is stopped, and says so.
func TestEndless(t *testing.T) {
	t.Parallel()
	sources := []engine.Source{{Name: "mend.yaml", Text: read(t, "testdata/mend.yaml")}}
	const file = `apiVersion: paramedic.dev/v1
kind: RuleTest
metadata: {name: endless}
spec:
  tests:
    - name: endless
      events: [{fires: {alertname: ServiceDown, job: profile}, severity: critical, repeat: 1s}]
      expect: [{ended: cured}]
      until: 30d
`
	result, err := ruletest.RunText(t.Context(), "x_test.yaml", file, sources, ruletest.Options{Catalog: catalog()})
	if err != nil {
		t.Fatal(err)
	}
	if got := result.Tests[0].Failures; len(got) != 1 || !strings.Contains(got[0].Message, "more than 20000 events") {
		t.Errorf("says %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ruletest.RunText(ctx, "x_test.yaml", file, sources, ruletest.Options{Catalog: catalog()}); err == nil {
		t.Error("a test goes on although it was stopped")
	}
}

// CI systems read JUnit: what passed, what failed, and what could not be run.
func TestJUnit(t *testing.T) {
	t.Parallel()
	b, err := run(t, "testdata/mend_test.yaml", "testdata/bad/rules_test.yaml", "testdata/failing/short_test.yaml").JUnit()
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, *update, "testdata/junit.golden", string(b))
}
