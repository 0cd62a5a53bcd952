package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// TestSchemaAcceptsTheRulesThatThereAre: those of the library, the demo and the
// documentation, which compile, with the actions and probes of this build.
func TestSchemaAcceptsTheRulesThatThereAre(t *testing.T) {
	t.Parallel()
	out, code := called(t, "", "schema")
	if code != 0 {
		t.Fatal(out)
	}
	schema := compileJSONSchema(t, []byte(out))
	catalog, err := buildCatalog("")
	if err != nil {
		t.Fatal(err)
	}
	texts := ruleTexts(t)
	if len(texts) < 3 {
		t.Errorf("only %d files", len(texts))
	}
	for name, text := range texts {
		_, findings := rules.Parse([]engine.Source{{Name: name, Text: text}}, catalog)
		if err := schema.Validate(yamlAsJSON(t, text)); (err == nil) == findings.Failed() {
			t.Errorf("%s: the schema says %v, and the compiler\n%s", name, err, findings.Format())
		}
	}
}

// ruleTexts are the rule files of this repository, but for those that are made
// to be wrong.
func ruleTexts(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"../../rules/library/*.yaml", "../../internal/demo/rules.yaml", "testdata/check/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if text := string(fileText(t, name)); !strings.HasSuffix(name, "_test.yaml") && filepath.Base(name) != "bad.yaml" {
				texts[name] = text
			}
		}
	}
	for _, name := range []string{"../../README.md", "../../rules/reference.md"} {
		for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(fileText(t, name), -1) {
			if text := string(block[1]); strings.Contains(text, "kind: RuleSet\n") {
				texts[name] = text
			}
		}
	}
	return texts
}

func fileText(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func yamlAsJSON(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestSchemaKinds(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"RuleSet", "RuleTest"} {
		out, code := called(t, "", "schema", "--kind", kind)
		if code != 0 {
			t.Fatalf("%s: %s", kind, out)
		}
		compileJSONSchema(t, []byte(out))
	}
	if out, code := called(t, "", "schema", "--kind", "Rule"); code != exitFailure || !strings.Contains(out, "RuleTest") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
