package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/web/webtest"
	"github.com/tripgen/paramedic/rules/backtest"
)

const backtestRules = `apiVersion: paramedic.dev/v1
kind: RuleSet
metadata: {name: test}
spec:
  rules:
    - name: service-down
      on: {alerts: ['alertname="ServiceDown"']}
      target: {cluster: korea, namespace: production, deployment: "${alert.labels.service}"}
      mode: MODE
      try: [{name: restart, do: [{kubernetes.restart: {}}], verify: [{alert: resolved}], within: 5m}]
`

// backtested runs the command backtest at a fixed time.
func backtested(t *testing.T, server string, args ...string) said {
	t.Helper()
	var out, errs bytes.Buffer
	env := environment{getenv: func(name string) string {
		if name == "PARAMEDIC_SERVER" {
			return server
		}
		return ""
	}}
	root := &cobra.Command{Use: "paramedic", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(newBacktestCmd(env))
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(append([]string{"backtest"}, args...))
	err := root.ExecuteContext(t.Context())
	return said{out.String(), errs.String(), err}
}

func put(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// recording is one alert that fires and resolves ten minutes later.
func recording(t *testing.T) string {
	t.Helper()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	a := alert.Alert{
		Source: "am", Name: "ServiceDown", Fingerprint: "f", Status: alert.Firing, StartsAt: start,
		Labels: map[string]string{"alertname": "ServiceDown", "service": "api"},
	}
	over := a
	over.Status, over.EndsAt = alert.Resolved, start.Add(10*time.Minute)
	var b bytes.Buffer
	w := backtest.NewWriter(&b)
	for at, one := range map[time.Duration]alert.Alert{0: a} {
		d := alert.Delivery{ID: "d1", Source: "am", ReceivedAt: start.Add(at), Alerts: []alert.Alert{one}}
		if err := w.Write(backtest.Recorded{At: d.ReceivedAt, Input: engine.Input{Delivery: &d}}); err != nil {
			t.Fatal(err)
		}
	}
	d := alert.Delivery{ID: "d2", Source: "am", ReceivedAt: over.EndsAt, Alerts: []alert.Alert{over}}
	if err := w.Write(backtest.Recorded{At: d.ReceivedAt, Input: engine.Input{Delivery: &d}}); err != nil {
		t.Fatal(err)
	}
	return put(t, "history.jsonl", b.String())
}

func TestBacktestOfAFile(t *testing.T) {
	t.Parallel()
	history := recording(t)
	auto := put(t, "auto.yaml", strings.Replace(backtestRules, "MODE", "auto", 1))
	shadow := put(t, "shadow.yaml", strings.Replace(backtestRules, "MODE", "shadow", 1))
	s := backtested(t, "", "--from", history, "--rules", auto)
	if s.failed != nil {
		t.Fatal(s.failed)
	}
	for _, want := range []string{"1 attempts would have acted", "kubernetes.restart", "2026-03-01 12:00:01Z", "No action changes what was recorded"} {
		if !strings.Contains(s.out, want) {
			t.Errorf("the report lacks %q:\n%s", want, s.out)
		}
	}
	s = backtested(t, "", "--from", history, "--rules", auto, "--against", shadow, "--fail-on-difference", "--format", "json")
	var r backtest.Report
	if err := json.Unmarshal([]byte(s.out), &r); err != nil || !errors.Is(s.failed, errFindings) || len(r.Against.Changes) != 1 || r.Against.Changes[0].Kind != backtest.ActChanged {
		t.Errorf("%v, %v: %+v", s.failed, err, r.Against)
	}
	page := filepath.Join(t.TempDir(), "report.html")
	s = backtested(t, "", "--from", history, "--rules", shadow, "--mode", "auto", "--format", "html", "-o", page)
	if b, err := os.ReadFile(page); err != nil || s.failed != nil || !bytes.Contains(b, []byte("</html>")) {
		t.Errorf("%v, %v", s.failed, err)
	}
}

func TestBacktestRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	history := recording(t)
	auto := put(t, "auto.yaml", strings.Replace(backtestRules, "MODE", "auto", 1))
	bad := put(t, "bad.yaml", strings.Replace(backtestRules, "MODE", "outo", 1))
	for want, args := range map[string][]string{
		"--from: want":              nil,
		"no such file":              {"--from", "nowhere.jsonl", "--rules", auto},
		"outo":                      {"--from", history, "--rules", bad},
		"--format":                  {"--from", history, "--format", "xml"},
		"--mode":                    {"--from", history, "--mode", "yolo"},
		"--assume":                  {"--from", history, "--assume", "luck"},
		"needs --against":           {"--from", history, "--fail-on-difference"},
		"--since \"a while\"":       {"--from", history, "--since", "a while"},
		"give --rules":              {"--from", "prometheus=http://127.0.0.1:1"},
		"--label \"x\"":             {"--from", "prometheus=http://127.0.0.1:1", "--rules", auto, "--label", "x"},
		"is not before the end":     {"--from", history, "--since", "2026-01-02T00:00:00Z", "--until", "2026-01-01T00:00:00Z"},
		"there is nothing recorded": {"--from", history, "--rules", auto, "--since", "2026-03-02T00:00:00Z"},
	} {
		if s := backtested(t, "", args...); s.failed == nil || !strings.Contains(s.failed.Error(), want) {
			t.Errorf("%v: %v, want %q", args, s.failed, want)
		}
	}
}

func TestInstants(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"30d": end.AddDate(0, 0, -30), "1d12h": end.Add(-36 * time.Hour), "90m": end.Add(-90 * time.Minute), "": {},
		"2026-03-01T00:00:00Z": time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
	} {
		if have, err := instant(text, end); err != nil || !have.Equal(want) {
			t.Errorf("%q: %s, %v", text, have, err)
		}
	}
	for _, text := range []string{"d", "-3h", "3x", "1d2", "-1d"} {
		if have, err := instant(text, end); err == nil {
			t.Errorf("%q: %s", text, have)
		}
	}
}

// TestBacktestOfABus compares other rules with what a server really decided.
func TestBacktestOfABus(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	w.Fire(webtest.Auto, "api")
	w.Plan()
	w.Execute()
	w.Fire(webtest.Approved, "other")
	until := time.Now().Add(time.Hour).Format(time.RFC3339)
	shadow := put(t, "shadow.yaml", strings.ReplaceAll(strings.Replace(backtestRules, "MODE", "shadow", 1), `alertname="ServiceDown"`, `service="api"`))
	s := backtested(t, w.URL, "--from", "bus", "--rules", shadow, "--until", until, "--format", "json")
	var r backtest.Report
	if err := json.Unmarshal([]byte(s.out), &r); err != nil || s.failed != nil {
		t.Fatal(err, s.failed)
	}
	if r.Replayed || r.All.WouldActs != 1 || r.Read.Deliveries != 2 || r.Read.LeftOut.Results != 2 || !strings.Contains(r.Source.From, w.URL) {
		t.Errorf("%+v from %+v, %+v", r.All, r.Source, r.Read)
	}
	// The recorded rules are of the test's own making, and no YAML.
	if s := backtested(t, w.URL, "--from", "bus"); s.failed == nil || !strings.Contains(s.failed.Error(), "recorded rule set") {
		t.Errorf("%v", s.failed)
	}
}

// A recording of alerts only has no rules to replay: that is no report of nothing.
func TestBacktestWithoutAnyRules(t *testing.T) {
	t.Parallel()
	file := recording(t)
	ruleFile := put(t, "rules.yaml", strings.ReplaceAll(backtestRules, "MODE", "auto"))
	for name, args := range map[string][]string{
		"replay":  {"--from", file},
		"against": {"--from", file, "--rules", ruleFile, "--against", "recorded"},
	} {
		if got := backtested(t, "", args...); !errors.Is(got.failed, backtest.ErrNoRules) || got.out != "" {
			t.Errorf("%s: %v\n%s", name, got.failed, got.out)
		}
	}
	got := backtested(t, "", "--from", file, "--rules", ruleFile, "-o", filepath.Join(t.TempDir(), "none", "report.html"))
	if got.failed == nil || !strings.Contains(got.failed.Error(), "report.html") {
		t.Errorf("a file that cannot be written: %v", got.failed)
	}
}
