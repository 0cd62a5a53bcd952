package rules_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/golden"
	"github.com/tripgen/paramedic/rules"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// catalog is like that of the real program, and knows one action of each kind
// of trouble.
func catalog() rules.Catalog {
	object := func(required, properties string) json.RawMessage {
		return json.RawMessage(`{"type":"object","additionalProperties":false,"required":[` + required + `],"properties":{` + properties + `}}`)
	}
	return rules.Catalog{
		Actions: map[string]rules.ActionSpec{
			"kubernetes.restart": {System: engine.SystemKubernetes, Health: true, Schema: object(``, ``)},
			"kubernetes.scale": {System: engine.SystemKubernetes, Group: "scalers", Health: true, Undoable: true, Schema: object(``, `
				"factor":{"type":"number","exclusiveMinimum":0},"step":{"type":"integer"},
				"min":{"type":"integer","minimum":0},"max":{"type":"integer","minimum":1}`)},
			"http.request": {System: engine.SystemHTTP, Schema: object(`"path"`, `
				"path":{"type":"string","pattern":"^/"},
				"method":{"enum":["GET","POST","PUT","DELETE"]},
				"headers":{"type":"object","additionalProperties":{"type":"string"}},
				"body":{},
				"expect":{"type":"array","items":{"type":"integer"}},
				"auth":{"oneOf":[{"type":"object","required":["user"]},{"type":"object","required":["token"]}]}`)},
			"kubernetes.grow": {System: engine.SystemKubernetes, Health: true, Schema: json.RawMessage(`{"type":"object","additionalProperties":false,
				"properties":{"factor":{"type":"number"},"step":{"type":"integer"},"max":{"type":"integer"},"force":{"type":"boolean"}},
				"oneOf":[{"required":["factor"]},{"required":["step"]}],"dependentRequired":{"factor":["max"]},
				"allOf":[{"if":{"properties":{"factor":{"exclusiveMaximum":1}}},"then":{"required":["force"]}}]}`)},
			"broken.schema": {Schema: json.RawMessage(`{"type": 7}`)},
			"no.schema":     {},
		},
		Probes: map[string]rules.ProbeSpec{
			"rollout": {System: engine.SystemKubernetes, Schema: json.RawMessage(`{"const":"complete"}`)},
			"http": {Schema: object(`"url"`, `
				"url":{"type":"string","minLength":1},"status":{"type":"integer"},"json":{"type":"object"}`)},
		},
		Reporters: []string{"log", "webhook"},
		Triggers:  []string{"schedule", "probe", "manual"},
	}
}

func source(name, text string) []engine.Source { return []engine.Source{{Name: name, Text: text}} }

// wrap makes a rule file around the fields of one rule.
func wrap(fields string) string {
	return "apiVersion: paramedic.dev/v1\nkind: RuleSet\nmetadata: {name: test}\nspec:\n  rules:\n    - " +
		strings.ReplaceAll(strings.TrimSpace(fields), "\n", "\n      ") + "\n"
}

func mustParse(t testing.TB, files []engine.Source) *rules.Set {
	t.Helper()
	set, findings := rules.Parse(files, catalog())
	if findings.Failed() {
		t.Fatalf("the rules do not compile:\n%s", findings.Format())
	}
	return set
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	eachFile(t, "testdata/*.bad.yaml", func(t *testing.T, name, text string) {
		set, findings := rules.Parse(source(filepath.Base(name), text), catalog())
		if set != nil || !findings.Failed() || findings.Err() == nil {
			t.Error("this file compiles")
		}
		golden.Check(t, *update, strings.TrimSuffix(name, ".yaml")+".golden", findings.Format())
	})
}

// Sets of several files are folders.
func TestBadSets(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob("testdata/*.bad")
	if err != nil || len(folders) == 0 {
		t.Fatalf("%d folders, %v", len(folders), err)
	}
	for _, folder := range folders {
		files, err := rules.Load(folder + "/*.yaml")
		if err != nil {
			t.Fatal(err)
		}
		for i := range files {
			files[i].Name = filepath.Base(files[i].Name)
		}
		set, findings := rules.Parse(files, catalog())
		if set != nil || !findings.Failed() {
			t.Errorf("%s compiles", folder)
		}
		golden.Check(t, *update, folder+".golden", findings.Format())
	}
}

func TestGoodFiles(t *testing.T) {
	t.Parallel()
	eachFile(t, "testdata/*.good.yaml", func(t *testing.T, name, text string) {
		set, findings := rules.Parse(source(filepath.Base(name), text), catalog())
		if set == nil || findings.Err() != nil {
			t.Fatalf("this file does not compile:\n%s", findings.Format())
		}
		golden.Check(t, *update, strings.TrimSuffix(name, ".yaml")+".golden", findings.Format()+dump(t, set))
	})
}

func eachFile(t *testing.T, pattern string, test func(t *testing.T, name, text string)) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(names), err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			test(t, name, string(text))
		})
	}
}
