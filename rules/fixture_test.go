package rules_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
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
			"kubernetes.restart": {System: engine.SystemKubernetes, Schema: object(``, ``)},
			"kubernetes.scale": {System: engine.SystemKubernetes, Group: "scalers", Schema: object(``, `
				"factor":{"type":"number","exclusiveMinimum":0},"step":{"type":"integer"},
				"min":{"type":"integer","minimum":0},"max":{"type":"integer","minimum":1}`)},
			"http.request": {System: engine.SystemHTTP, Schema: object(`"path"`, `
				"path":{"type":"string","pattern":"^/"},
				"method":{"enum":["GET","POST","PUT","DELETE"]},
				"headers":{"type":"object","additionalProperties":{"type":"string"}},
				"body":{},
				"expect":{"type":"array","items":{"type":"integer"}},
				"auth":{"oneOf":[{"type":"object","required":["user"]},{"type":"object","required":["token"]}]}`)},
			"broken.schema": {Schema: json.RawMessage(`{"type": 7}`)},
			"no.schema":     {},
		},
		Probes: map[string]rules.ProbeSpec{
			"rollout": {System: engine.SystemKubernetes, Schema: json.RawMessage(`{"const":"complete"}`)},
			"http": {Schema: object(`"url"`, `
				"url":{"type":"string","minLength":1},"status":{"type":"integer"},"json":{"type":"object"}`)},
		},
		Reporters: []string{"log", "webhook"},
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

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (write it with go test -update)", err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (rewrite it with go test -update)\n--- got\n%s--- want\n%s", file, got, want)
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	eachFile(t, "testdata/*.bad.yaml", func(t *testing.T, name, text string) {
		set, findings := rules.Parse(source(filepath.Base(name), text), catalog())
		if set != nil || !findings.Failed() || findings.Err() == nil {
			t.Error("this file compiles")
		}
		golden(t, strings.TrimSuffix(name, ".yaml")+".golden", findings.Format())
	})
}

func TestGoodFiles(t *testing.T) {
	t.Parallel()
	eachFile(t, "testdata/*.good.yaml", func(t *testing.T, name, text string) {
		set, findings := rules.Parse(source(filepath.Base(name), text), catalog())
		if set == nil || findings.Err() != nil {
			t.Fatalf("this file does not compile:\n%s", findings.Format())
		}
		golden(t, strings.TrimSuffix(name, ".yaml")+".golden", findings.Format()+dump(t, set))
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

// dump writes out what a set holds for an alert of which nothing is known.
func dump(t *testing.T, set *rules.Set) string {
	t.Helper()
	scope := engine.Scope{
		Target:  engine.Target{System: "kubernetes", Cluster: "korea", Namespace: "production", Kind: "Deployment", Name: "thing"},
		Run:     engine.RunScope{ID: "r1", Rule: "rule"},
		Attempt: engine.AttemptScope{Name: "first", Number: 1},
	}
	render := func(params func(engine.Scope) (json.RawMessage, error)) any {
		p, err := params(scope)
		if err != nil {
			return "error: " + err.Error()
		}
		return p
	}
	type call struct {
		Name   string
		Group  string `json:",omitempty"`
		Params any
	}
	type attempt struct {
		Name                    string
		Mode                    engine.Mode `json:",omitempty"`
		Do, Verify              []call
		AlertResolved           bool
		Within, Stable, Backoff string
		Retries                 int
		Timeout                 string
	}
	var out strings.Builder
	write := func(what string, v any) {
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(what + " " + string(b) + "\n")
	}
	for _, b := range set.Budgets() {
		key := ""
		if b.Key != nil {
			k, err := b.Key(scope)
			if err != nil {
				t.Fatal(err)
			}
			key = k
		}
		write("budget", map[string]any{"name": b.Name, "key": key, "rate": b.Rate, "concurrent": b.Concurrent})
	}
	for _, r := range set.Rules() {
		attempts := []attempt{}
		for _, a := range r.Attempts {
			d := attempt{
				Name: a.Name, Mode: a.Mode, AlertResolved: a.Verify.AlertResolved, Within: a.Verify.Within.String(),
				Stable: a.Verify.Stable.String(), Retries: a.Retries, Backoff: a.Backoff.String(), Timeout: a.Timeout.String(),
			}
			for _, do := range a.Do {
				d.Do = append(d.Do, call{do.Name, do.Group, render(do.Params)})
			}
			for _, p := range a.Verify.Probes {
				d.Verify = append(d.Verify, call{Name: p.Kind, Params: render(p.Params)})
			}
			attempts = append(attempts, d)
		}
		write("rule", map[string]any{
			"name": r.Name, "mode": r.Mode, "guards": r.Guards, "attempts": attempts,
			"otherwise": r.Otherwise, "report": r.Report,
		})
	}
	return out.String()
}
