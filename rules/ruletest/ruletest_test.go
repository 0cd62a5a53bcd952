package ruletest_test

import (
	"context"
	"encoding/json"
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/golden"
	"github.com/tripgen/paramedic/rules"
	"github.com/tripgen/paramedic/rules/ruletest"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// catalog is like that of the real program.
func catalog() rules.Catalog {
	object := func(properties string) json.RawMessage {
		return json.RawMessage(`{"type":"object","additionalProperties":false,"properties":{` + properties + `}}`)
	}
	return rules.Catalog{
		Actions: map[string]rules.ActionSpec{
			"kubernetes.restart": {System: engine.SystemKubernetes, Schema: object(``), Health: true},
			"kubernetes.scale": {
				System: engine.SystemKubernetes, Undoable: true, Health: true,
				Schema: object(`"factor":{"type":"number"},"max":{"type":"integer"}`),
			},
		},
		Probes: map[string]rules.ProbeSpec{
			"rollout": {System: engine.SystemKubernetes, Schema: json.RawMessage(`{"const":"complete"}`)},
			"http":    {Schema: object(`"url":{"type":"string"}`)},
		},
		Reporters: []string{"log", "webhook"},
	}
}

func run(t *testing.T, paths ...string) ruletest.Report {
	t.Helper()
	report, err := ruletest.Run(context.Background(), paths, ruletest.Options{Catalog: catalog()})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// Tests that are right pass.
func TestGood(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*_test.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests: %v", err)
	}
	for _, file := range files {
		report := run(t, file)
		if passed, failed, broken := report.Count(); passed == 0 || failed > 0 || broken > 0 {
			t.Errorf("%s", report.Text(ruletest.TextOptions{}))
		}
	}
}

// Files that are wrong, and tests that fail, say so as the golden files have it.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"bad", "failing"} {
		files, err := filepath.Glob("testdata/" + folder + "/*_test.yaml")
		if err != nil || len(files) == 0 {
			t.Fatalf("no tests: %v", err)
		}
		for _, file := range files {
			report := run(t, file)
			passed, failed, broken := report.Count()
			if passed > 0 || (folder == "bad") != (broken == 1) || (folder == "failing") != (failed > 0) {
				t.Errorf("%s: %d passed, %d failed, %d could not be run", file, passed, failed, broken)
			}
			golden.Check(t, *update, strings.TrimSuffix(file, ".yaml")+".golden", report.Text(ruletest.TextOptions{Missed: true}))
		}
	}
}
