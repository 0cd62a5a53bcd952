package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/web/webtest"
	"github.com/tripgen/paramedic/rules"
)

const (
	explainRules = "--rules=testdata/explain/rules.yaml"
	explainAt    = "--at=2026-03-02T09:00:00Z"
)

func TestExplainAnAlert(t *testing.T) {
	t.Parallel()
	out, code := called(t, "", "explain", "testdata/explain/alert.json", explainRules, explainAt)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	contains(t, out, "Taken by rule service-down.", `team="data" does not fit: the alert has no label team`, "when alert.severity == \"critical\"  →  true",
		"target http/one", "guard  cooldown   lets it pass", "guard  window     lets it pass", "rule service-down, which comes first and acts, takes it")

	out, code = called(t, string(fileText(t, "testdata/explain/alert.json")), "explain", "-", explainRules, "--at=2026-03-02T18:00:00Z", "--format=json")
	var all []rules.Explanation
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != 0 || len(all) != 1 || all[0].TakenBy != "service-down" {
		t.Fatalf("exit code %d, %v\n%s", code, err, out)
	}
	held := map[string]bool{}
	for _, g := range all[0].Rules[1].Guards {
		held[g.Guard] = g.Held
	}
	// 18:00 UTC is 03:00 in Seoul: the window is open.
	if !held["window"] || held["cooldown"] || len(held) < 8 {
		t.Errorf("%v", held)
	}
}

func TestExplainAList(t *testing.T) {
	t.Parallel()
	out, code := called(t, `[{"labels": {"alertname": "One"}}, {"labels": {"alertname": "Two"}}]`, "explain", "-", explainRules, explainAt)
	if code == exitFailure {
		t.Errorf("exit code %d", code)
	}
	contains(t, out, "Alert One of", "Alert Two of")
}

func TestExplainAWebhook(t *testing.T) {
	t.Parallel()
	out, code := called(t, "", "explain", "testdata/explain/webhook.json", "--type=alertmanager", explainRules, explainAt)
	if code != exitFindings {
		t.Errorf("exit code %d", code)
	}
	contains(t, out, `alert.severity == "critical"  →  false (alert.severity is "warning")`, "Taken by rule anything.", "FAILS", "Alert Odd of alertmanager")

	one := `{"status": "firing", "labels": {"alertname": "ServiceDown", "job": "one"}, "startsAt": "2026-03-02T08:00:00Z"}`
	out, code = called(t, one, "explain", "-", "--type=alertmanager", "--source=am-1", explainRules, explainAt)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	contains(t, out, "Alert ServiceDown of am-1", "Taken by rule anything.")
}

func TestExplainWithALedger(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	cure(w, "one")
	file := filepath.Join(t.TempDir(), "ledger.jsonl")
	person{server: w.URL}.runs(t, "ledger", "export", "--file", file).has(t)
	at := "--at=" + time.Now().Add(time.Minute).UTC().Format(time.RFC3339)
	out, code := called(t, "", "explain", "testdata/explain/alert.json", explainRules, at, "--ledger="+file)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	contains(t, out, "guard  cooldown   HOLDS: run r", "guard  limit      lets it pass")
}

func TestExplainThatCannotBe(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const someAlert = `{"name": "A"}`
	for name, c := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"no rules":      {someAlert, nil, "--rules is missing"},
		"bad rules":     {someAlert, []string{"--rules=testdata/check/bad.yaml"}, "do not compile"},
		"no alert":      {"", []string{explainRules}, "there is no alert"},
		"nobody":        {"{}", []string{explainRules}, "neither a name nor labels"},
		"an empty list": {"[]", []string{explainRules}, "there is no alert"},
		"a webhook":     {`{"alerts": []}`, []string{explainRules}, "give --type"},
		"no JSON":       {`hello`, []string{explainRules, "--type=alertmanager"}, "not a JSON object"},
		"a type":        {someAlert, []string{explainRules, "--type=grafana2"}, "alertmanager"},
		"a time":        {someAlert, []string{explainRules, "--at=noon"}, "2026-03-02T09:00:00Z"},
		"a format":      {someAlert, []string{explainRules, "--format=xml"}, "text or json"},
		"no ledger":     {someAlert, []string{explainRules, "--ledger=testdata/none"}, "none"},
		"nothing":       {someAlert, []string{explainRules, "--ledger=" + empty}, "no record"},
		"other lines":   {someAlert, []string{explainRules, "--ledger=testdata/explain/alert.json"}, "alert.json"},
	} {
		out, code := called(t, c.stdin, append([]string{"explain", "-"}, c.args...)...)
		if code != exitFailure || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d, want %q:\n%s", name, code, c.want, out)
		}
	}
}

func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("does not say %q:\n%s", w, text)
		}
	}
}
