package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/rules/ruletest"
)

const testedRules = `apiVersion: paramedic.dev/v1
kind: RuleSet
metadata: {name: mend}
spec:
  rules:
    - name: service-down
      on: {alerts: ['alertname="ServiceDown"']}
      target: {cluster: korea, namespace: production, deployment: "${alert.labels.job}"}
      mode: auto
      try:
        - name: restart
          do: [{kubernetes.restart: {}}]
          verify: [{rollout: complete}]
`

func ruleTest(outcome string) string {
	return `apiVersion: paramedic.dev/v1
kind: RuleTest
metadata: {name: mend}
spec:
  tests:
    - name: a restart cures
      events: [{fires: {alertname: ServiceDown, job: profile}}]
      expect: [{do: kubernetes.restart}, {ended: ` + outcome + `}]
`
}

// ranTests is what the command did in a folder with some files.
func ranTests(t *testing.T, files map[string]string, args ...string) said {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "FOLDER", folder)
	}
	cmd := newTestCmd()
	var out, errs bytes.Buffer
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(context.Background())
	return said{out.String(), errs.String(), err}
}

func TestRuleTestCommand(t *testing.T) {
	t.Parallel()
	good := map[string]string{"mend.yaml": testedRules, "mend_test.yaml": ruleTest("cured")}
	bad := map[string]string{"mend.yaml": testedRules, "mend_test.yaml": ruleTest("uncured")}
	broken := map[string]string{"mend.yaml": testedRules, "mend_test.yaml": ruleTest("mended")}
	// Answers no are errFindings; other errors could not be run.
	for _, c := range []struct {
		name    string
		files   map[string]string
		args    []string
		no, bad bool
		says    string
	}{
		{name: "good", files: good, args: []string{"FOLDER"}, says: "mend_test.yaml: 1 test"},
		{name: "timeline", files: good, args: []string{"-v", "FOLDER/mend_test.yaml"}, says: "Cured: verified: rollout."},
		{name: "coverage", files: good, args: []string{"--coverage", "FOLDER"}, says: "guard cooldown never held"},
		{name: "enough", files: good, args: []string{"--cover-min", "rules=100%,attempts=100%", "FOLDER"}},
		{name: "not enough", files: good, args: []string{"--cover-min", "90%", "FOLDER"}, no: true, says: "--cover-min asks for 90%"},
		{name: "failed", files: bad, args: []string{"FOLDER"}, no: true, says: "nearest   {at: 32s, ended: cured"},
		{name: "broken", files: broken, args: []string{"FOLDER"}, bad: true, says: `ended has no "mended"`},
		{name: "no tests", files: map[string]string{"mend.yaml": testedRules}, args: []string{"FOLDER"}, bad: true},
		{name: "none chosen", files: good, args: []string{"--run", "rollback", "FOLDER"}, bad: true},
		{name: "chosen", files: good, args: []string{"--run", "^mend/a restart", "FOLDER"}},
		{name: "format", files: good, args: []string{"--format", "tap", "FOLDER"}, bad: true},
		{name: "cover", files: good, args: []string{"--cover-min", "lines=3", "FOLDER"}, bad: true},
		{name: "run", files: good, args: []string{"--run", "(", "FOLDER"}, bad: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := ranTests(t, c.files, c.args...)
			if no := errors.Is(s.failed, errFindings); no != c.no || (s.failed != nil && !no) != c.bad {
				t.Errorf("it says %v", s.failed)
			}
			if !strings.Contains(s.out+s.err, c.says) {
				t.Errorf("does not say %q:\n%s%s", c.says, s.out, s.err)
			}
		})
	}
}

func TestRuleTestFormats(t *testing.T) {
	t.Parallel()
	files := map[string]string{"mend.yaml": testedRules, "mend_test.yaml": ruleTest("cured"), "more_test.yaml": strings.Replace(ruleTest("uncured"), "spec:", "spec:\n  rules: [mend.yaml]", 1)}
	s := ranTests(t, files, "--format", "junit", "FOLDER")
	decoder := xml.NewDecoder(strings.NewReader(s.out))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("not XML: %v\n%s", err, s.out)
		}
	}
	if !strings.Contains(s.out, `<testsuites tests="2" failures="1" errors="0"`) {
		t.Errorf("says:\n%s", s.out)
	}
	s = ranTests(t, files, "--format", "json", "FOLDER")
	var report ruletest.Report
	if err := json.Unmarshal([]byte(s.out), &report); err != nil {
		t.Fatal(err)
	}
	if passed, failed, broken := report.Count(); passed != 1 || failed != 1 || broken != 0 {
		t.Errorf("%d passed, %d failed, %d broken", passed, failed, broken)
	}
	if len(report.Coverage.Missed()) == 0 {
		t.Error("nothing was missed by one test")
	}
}
