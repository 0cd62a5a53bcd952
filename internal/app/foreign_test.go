package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/bus/access"
	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/manual"
	"github.com/tripgen/paramedic/internal/worker/conformance"
)

const flagRules = `apiVersion: paramedic.dev/v1
kind: RuleSet
metadata: {name: test}
spec:
  rules:
    - name: calm-down
      on: {alerts: ['alertname="ServiceDown"']}
      target: {http: "${alert.labels.job}"}
      mode: auto
      try:
        - name: off
          do: [{flag.set: {flag: recommendations, on: true}}]
          verify: [{alert: resolved}]
          within: 1m
`

const flagSchema = `{"type": "object", "properties": {"flag": {"type": "string"}, "on": {"type": "boolean"}},
"required": ["flag", "on"], "additionalProperties": false}`

// foreign is a folder of a hub whose rules have an action of another language.
func foreign(t *testing.T, bus string) string {
	t.Helper()
	dir := folder(t, bus+"actions:\n  flag.set: {group: seoul, system: http, params: flag.json, undo: true}\n")
	for name, text := range map[string]string{"rules.yaml": flagRules, "flag.json": flagSchema} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestARuleHasAWorkerInPythonAct: from the webhook to the target and back, with a
// worker that is nothing of this program.
func TestARuleHasAWorkerInPythonAct(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatalf("DID NOT RUN: the example needs python3, which is not installed: %v", err)
	}
	url, keys := natsWithAccounts(t, "seoul")
	hub, _ := start(t, foreign(t, fmt.Sprintf("bus: {url: %q, credentials: %q, replicas: 1, maxStore: 256MiB}\n", url, keys(access.Hub))),
		app.RoleEngine, app.RoleReceiver, app.RoleWeb)

	example := t.TempDir()
	files, err := manual.Example("python")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(example, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flags := filepath.Join(example, "flags.json")
	worker := exec.CommandContext(t.Context(), python, "-B", filepath.Join(example, "worker.py"))
	worker.Env = append(os.Environ(), conformance.EnvURL+"="+url, conformance.EnvSeed+"="+keys("seoul"),
		conformance.EnvDomain+"="+access.Domain, conformance.EnvGroup+"=seoul", "FLAGS_FILE="+flags)
	worker.Stdout, worker.Stderr = t.Output(), t.Output()
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = worker.Process.Kill()
		_ = worker.Wait() // it says that it was killed
	})

	if code := post(t, hub, "firing", url); code != http.StatusAccepted {
		t.Fatalf("answered %d", code)
	}
	await(t, hub, "the verification", phase(engine.PhaseVerifying))
	post(t, hub, "resolved", url)
	await(t, hub, "the cure", func(runs []engine.Run) bool { return runs[0].Outcome == engine.Cured })
	text, err := os.ReadFile(flags)
	if err != nil {
		t.Fatal(err)
	}
	var state struct {
		Flags   map[string]bool
		Changes []string
	}
	if err := json.Unmarshal(text, &state); err != nil || !state.Flags["place/recommendations"] || len(state.Changes) != 1 {
		t.Errorf("flags are %s, %v", text, err)
	}
}

// TestActionsThatCannotBeAreRefused at the start.
func TestActionsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(text string) string{
		"one of that name": func(text string) string { return strings.ReplaceAll(text, "flag.set", "http.request") },
		"no such file":     func(text string) string { return strings.ReplaceAll(text, "flag.json", "absent.json") },
		"is no JSON":       func(text string) string { return strings.ReplaceAll(text, "flag.json", "rules.yaml") },
	} {
		dir := foreign(t, "")
		file := filepath.Join(dir, "paramedic.yaml")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(change(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(file, config.ProcessEnv())
		if err != nil {
			t.Fatal(err)
		}
		tools, err := app.NewTools(app.Systems{}, nil, "test")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tools.Configured(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}
