package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tripgen/paramedic/internal/golden"
	"github.com/tripgen/paramedic/rules"
)

var updateGolden = flag.Bool("update", false, "write the golden files instead of comparing with them")

// called is what a command that needs no server printed, and its exit code.
func called(t *testing.T, stdin string, args ...string) (out string, code int) {
	t.Helper()
	root := newRootCmd()
	var b, errs bytes.Buffer
	root.SetOut(&b)
	root.SetErr(&errs)
	root.SetIn(strings.NewReader(stdin))
	root.SetArgs(args)
	switch err := root.ExecuteContext(t.Context()); {
	case err == nil:
	case errors.Is(err, errFindings):
		code = exitFindings
	default:
		b.WriteString(err.Error() + "\n")
		code = exitFailure
	}
	return b.String() + errs.String(), code
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"good.text":    {[]string{"good.yaml"}, 0},
		"good.json":    {[]string{"good.yaml", "--format", "json"}, 0},
		"good.sarif":   {[]string{"good.yaml", "--format", "sarif"}, 0},
		"good.strict":  {[]string{"good.yaml", "--strict"}, 0},
		"good.explain": {[]string{"good.yaml", "--explain"}, 0},
		"odd.text":     {[]string{"odd.yaml"}, 0},
		"odd.strict":   {[]string{"odd.yaml", "--strict"}, exitFindings},
		"odd.sarif":    {[]string{"odd.yaml", "--format", "sarif"}, 0},
		"odd.explain":  {[]string{"odd.yaml", "--explain", "--format", "json"}, 0},
		"bad.text":     {[]string{"bad.yaml"}, exitFindings},
		"bad.json":     {[]string{"bad.yaml", "--format", "json"}, exitFindings},
		"bad.sarif":    {[]string{"bad.yaml", "--format", "sarif"}, exitFindings},
		"bad.explain":  {[]string{"bad.yaml", "--explain"}, exitFindings},
		"no.file":      {[]string{"none.yaml"}, exitFailure},
		"no.format":    {[]string{"good.yaml", "--format", "xml"}, exitFailure},
		"no.mix":       {[]string{"good.yaml", "--format", "sarif", "--explain"}, exitFailure},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.args[0] = "testdata/check/" + c.args[0]
			out, code := called(t, "", append([]string{"check"}, c.args...)...)
			if code != c.code {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, out)
			}
			golden.Check(t, *updateGolden, filepath.Join("testdata", "check", name+".golden"), out)
		})
	}
}

// sarifForm is what SARIF 2.1.0 demands of the properties that are used here.
// Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version
// 2.1.0", section 3.
const sarifForm = `{
  "type": "object", "required": ["version", "runs", "$schema"],
  "properties": {
    "$schema": {"type": "string", "format": "uri"},
    "version": {"const": "2.1.0"},
    "runs": {"type": "array", "minItems": 1, "items": {
      "type": "object", "required": ["tool", "results"], "additionalProperties": false,
      "properties": {
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "tool": {"type": "object", "required": ["driver"], "properties": {"driver": {
          "type": "object", "required": ["name", "rules"], "properties": {
            "name": {"type": "string", "minLength": 1}, "version": {"type": "string", "minLength": 1},
            "informationUri": {"type": "string", "format": "uri"},
            "rules": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {
              "type": "object", "required": ["id"], "additionalProperties": false, "properties": {
                "id": {"type": "string", "minLength": 1},
                "shortDescription": {"$ref": "#/$defs/message"},
                "defaultConfiguration": {"type": "object", "properties": {"level": {"$ref": "#/$defs/level"}}}
              }}}}}}},
        "results": {"type": "array", "items": {
          "type": "object", "required": ["message", "ruleId", "ruleIndex"], "additionalProperties": false, "properties": {
            "ruleId": {"type": "string"}, "ruleIndex": {"type": "integer", "minimum": 0},
            "level": {"$ref": "#/$defs/level"}, "message": {"$ref": "#/$defs/message"},
            "locations": {"type": "array", "items": {"type": "object", "required": ["physicalLocation"], "properties": {
              "physicalLocation": {"type": "object", "required": ["artifactLocation"], "properties": {
                "artifactLocation": {"type": "object", "required": ["uri"], "properties": {"uri": {"type": "string", "format": "uri-reference"}}},
                "region": {"type": "object", "required": ["startLine"], "additionalProperties": false, "properties": {
                  "startLine": {"type": "integer", "minimum": 1}, "startColumn": {"type": "integer", "minimum": 1},
                  "snippet": {"$ref": "#/$defs/message"}}}}}}}}}}}}}}},
  "$defs": {
    "message": {"type": "object", "required": ["text"], "additionalProperties": false, "properties": {"text": {"type": "string", "minLength": 1}}},
    "level": {"enum": ["none", "note", "warning", "error"]}
  }
}`

func TestSARIFHasItsForm(t *testing.T) {
	t.Parallel()
	schema := compileJSONSchema(t, []byte(sarifForm))
	findings := rules.Findings{
		{File: "a b/ü%.yaml", Line: 3, Column: 9, Severity: rules.SeverityError, Code: rules.CodeType, Message: "m", Snippet: "  x: y"},
		{File: "/etc/rules.yaml", Severity: rules.SeverityError, Code: rules.CodeDuplicate, Message: "m"},
		{Severity: rules.SeverityError, Code: rules.CodeEmpty, Message: "m"},
	}
	for _, c := range rules.Codes() {
		findings = append(findings, rules.Finding{File: "r.yaml", Line: 1, Column: 1, Severity: c.Severity, Code: c.ID, Message: "m"})
	}
	log := sarifOf(findings, "test")
	b, err := json.Marshal(log)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("%v\n%s", err, b)
	}
	run := log.Runs[0]
	if len(run.Results) != len(findings) {
		t.Errorf("%d results for %d findings", len(run.Results), len(findings))
	}
	for _, r := range run.Results {
		if id := run.Tool.Driver.Rules[r.RuleIndex].ID; id != r.RuleID {
			t.Errorf("rule %d is %q, not %q", r.RuleIndex, id, r.RuleID)
		}
	}
	for i, want := range []string{"a%20b/%C3%BC%25.yaml", "file:///etc/rules.yaml"} {
		if got := run.Results[i].Locations[0].Physical.Artifact.URI; got != want {
			t.Errorf("the URI %q, want %q", got, want)
		}
	}
}

func compileJSONSchema(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
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

// TestActionsOfOtherLanguagesAreKnownByTheConfiguration and by nothing else.
func TestActionsOfOtherLanguagesAreKnownByTheConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file("flag.json", `{"type": "object", "required": ["flag"]}`)
	config := file("paramedic.yaml", "actions: {flag.set: {params: flag.json}}\n")
	rule := file("rules.yaml", `apiVersion: paramedic.dev/v1
kind: RuleSet
metadata: {name: test}
spec:
  rules:
    - {name: a, on: {alerts: ['alertname="A"']}, target: {http: x}, try: [{name: b, do: [{flag.set: {flag: f}}]}]}
`)
	if out, code := called(t, "", "check", "--config", config, rule); code != 0 {
		t.Errorf("ends with %d:\n%s", code, out)
	}
	if out, code := called(t, "", "schema", "--config", config); code != 0 || !strings.Contains(out, "flag.set") {
		t.Errorf("schema ends with %d", code)
	}
	if out, code := called(t, "", "check", rule); code != exitFindings || !strings.Contains(out, `there is no action "flag.set"`) {
		t.Errorf("ends with %d:\n%s", code, out)
	}
	if out, code := called(t, "", "check", "--config", rule, rule); code != exitFailure || !strings.Contains(out, "--config") {
		t.Errorf("ends with %d:\n%s", code, out)
	}
}
