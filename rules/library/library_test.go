package library_test

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/rules"
	"github.com/tripgen/paramedic/rules/ruletest"
)

const testSuffix = "_test.yaml"

// catalog is what the rules of this build may call.
func catalog(t *testing.T) rules.Catalog {
	t.Helper()
	tools, err := app.NewTools(app.Systems{}, time.Now, "test")
	if err != nil {
		t.Fatal(err)
	}
	return tools.Catalog(app.ReporterNames())
}

// files are those of a pattern: what is tested, and the tests beside.
func files(t *testing.T, pattern string) (tested, tests []string) {
	t.Helper()
	all, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if strings.HasSuffix(name, testSuffix) {
			tests = append(tests, name)
		} else {
			tested = append(tested, name)
		}
	}
	for _, name := range tested {
		if beside := strings.TrimSuffix(name, ".yaml") + testSuffix; !slices.Contains(tests, beside) {
			t.Errorf("%s has no %s beside it", name, beside)
		}
	}
	if len(tested) == 0 || len(tests) != len(tested) {
		t.Fatalf("%s: %d files with %d files of tests", pattern, len(tested), len(tests))
	}
	return tested, tests
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// compile compiles files as one set. Only a trigger that this build cannot run may be complained of.
func compile(t *testing.T, names ...string) *rules.Set {
	t.Helper()
	var sources []engine.Source
	for _, name := range names {
		sources = append(sources, engine.Source{Name: name, Text: string(read(t, name))})
	}
	set, findings := rules.Parse(sources, catalog(t))
	for _, f := range findings {
		if findings.Failed() || !strings.Contains(f.Message, "this build cannot run on.") {
			t.Error(f)
		}
	}
	if set == nil {
		t.FailNow()
	}
	return set
}

func TestRulesCompileAloneAndTogether(t *testing.T) {
	t.Parallel()
	all, _ := files(t, "*.yaml")
	for _, name := range all {
		compile(t, name)
	}
	compile(t, all...)
}

func TestFilesFitTheirSchemas(t *testing.T) {
	t.Parallel()
	c := catalog(t)
	forTests, err := ruletest.Schema(c)
	if err != nil {
		t.Fatal(err)
	}
	tested, tests := files(t, "*.yaml")
	for _, kind := range []struct {
		name   string
		schema []byte
		files  []string
	}{
		{"rules.json", rules.Schema(c), tested},
		{"ruletest.json", forTests, tests},
	} {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(kind.schema))
		if err != nil {
			t.Fatal(err)
		}
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource(kind.name, document); err != nil {
			t.Fatal(err)
		}
		schema, err := compiler.Compile(kind.name)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range kind.files {
			var file any
			if err := yaml.Unmarshal(read(t, name), &file); err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(file); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestRuleTestsPass(t *testing.T) {
	t.Parallel()
	_, tests := files(t, "*.yaml")
	report, err := ruletest.Run(t.Context(), tests, ruletest.Options{Catalog: catalog(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, failed, broken := report.Count(); failed+broken > 0 {
		t.Errorf("%d tests fail, %d files are broken:\n%s", failed, broken, report.Text(ruletest.TextOptions{}))
	}
	guards := make(map[string]bool) // whether any rule's held
	for _, item := range report.Coverage.Items {
		switch {
		case item.Part == ruletest.PartGuards:
			guards[item.Name] = guards[item.Name] || item.Reached
		case !item.Reached:
			t.Error(item)
		}
	}
	for name, held := range guards {
		if !held {
			t.Errorf("no test lets the guard %s hold any rule", name)
		}
	}
}

// prometheusRules is the part of a rule file of Prometheus that these tests look at.
type prometheusRules struct {
	Groups []struct {
		Rules []struct {
			Alert  string            `yaml:"alert"`
			Labels map[string]string `yaml:"labels"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

func TestAlertingRules(t *testing.T) {
	t.Parallel()
	promtool := lab.Promtool(t)
	tested, tests := files(t, "prometheus/*.yaml")
	for _, args := range [][]string{
		append([]string{"check", "rules", "--lint=all", "--lint-fatal"}, tested...),
		append([]string{"test", "rules"}, tests...),
	} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, name := range tested {
		cases := string(read(t, strings.TrimSuffix(name, ".yaml")+testSuffix))
		for _, a := range alerts(t, name) {
			if !strings.Contains(cases, "alertname: "+a.Name+"\n") {
				t.Errorf("%s: no test lets %s fire", name, a.Name)
			}
		}
	}
}

// alerts are those that a rule file of Prometheus can raise, with the labels that the expressions of this library give.
func alerts(t *testing.T, name string) []alert.Alert {
	t.Helper()
	var file prometheusRules
	if err := yaml.Unmarshal(read(t, name), &file); err != nil {
		t.Fatal(err)
	}
	var all []alert.Alert
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			labels := map[string]string{"alertname": rule.Alert, "namespace": "production", "job": "x-service", "pod": "x", "container": "x"}
			maps.Copy(labels, rule.Labels)
			all = append(all, alert.Alert{Source: "alertmanager", Name: rule.Alert, Status: alert.Firing, Severity: labels["severity"], Labels: labels})
		}
	}
	return all
}

// Whatever the library's alerting rules raise, a rule of the file of the same name answers; but for the alert that only
// holds others.
func TestEveryAlertHasItsRule(t *testing.T) {
	t.Parallel()
	tested, _ := files(t, "prometheus/*.yaml")
	for _, name := range tested {
		set := compile(t, filepath.Base(name))
		for _, a := range alerts(t, name) {
			matches := set.Match(a, time.Unix(0, 0))
			acts := slices.ContainsFunc(matches, func(m engine.Match) bool { return m.Err == nil && m.Rule.Mode.Acts() })
			if want := a.Name != "RegionDown"; acts != want {
				t.Errorf("%s: %s is acted on: %t, want %t", name, a.Name, acts, want)
			}
		}
	}
}
