package rules_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

const minimal = `name: one
on: {alerts: ['alertname="A"']}
target: {http: place}
try:
  - name: go
    do: [{http.request: {path: /}}]`

func TestDigestIsOfNamesAndTexts(t *testing.T) {
	t.Parallel()
	other := strings.Replace(minimal, "one", "two", 1)
	files := []engine.Source{{Name: "a.yaml", Text: wrap(minimal)}, {Name: "./dir/../b.yaml", Text: wrap(other)}}
	swapped := []engine.Source{{Name: "b.yaml", Text: files[1].Text}, files[0]}
	digest := mustParse(t, files).Digest()
	if digest != mustParse(t, swapped).Digest() || digest != rules.Digest(swapped) {
		t.Error("the order or the writing of the names changed the digest")
	}
	changed := []engine.Source{files[0], {Name: "b.yaml", Text: files[1].Text + "# more\n"}}
	renamed := []engine.Source{files[0], {Name: "c.yaml", Text: files[1].Text}}
	for _, o := range [][]engine.Source{changed, renamed} {
		if mustParse(t, o).Digest() == digest {
			t.Errorf("%v has the same digest", o)
		}
	}
}

func TestSetAcrossFiles(t *testing.T) {
	t.Parallel()
	budget := "  budgets: [{name: fleet, limit: 1/1h}]\n  rules:"
	with := strings.Replace(wrap(minimal), "  rules:", budget, 1)
	_, findings := rules.Parse([]engine.Source{{Name: "b.yaml", Text: with}, {Name: "a.yaml", Text: with}, {Name: "a.yaml", Text: with}}, catalog())
	got := findings.Format()
	for _, want := range []string{
		"a.yaml: error: the file is given twice\n",
		`b.yaml:5:13: error: there is already a budget "fleet", at a.yaml:5`,
		`b.yaml:7:13: error: there is already a rule "one", at a.yaml:7`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, files := range [][]engine.Source{nil, {{Name: "x.yaml"}}} {
		if set, findings := rules.Parse(files, catalog()); set != nil || !findings.Failed() {
			t.Errorf("%v is a rule set", files)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	text := wrap(`name: first
on: {alerts: ['job="x"', 'alertname="A"']}
target: {http: place}
mode: auto
try:
  - {name: go,
    do: [{http.request: {path: /}}],
    verify: [{alert: resolved}], within: 10m}`) + `    - name: second
      on: {alerts: ['alertname="A",job="x"']}
      when: alert.severity == "critical"
      target: {http: place}
      mode: auto
      try: [{name: go, do: [{http.request: {path: /}}]}]
    - name: third
      on: {alerts: ['job="x"']}
      target: {http: place}
      try: [{name: go, mode: auto, do: [{http.request: {path: /}}]}]
`
	set, findings := rules.Parse(source("w.yaml", text), catalog())
	if set == nil || findings.Failed() || findings.Err() != nil || len(findings) != 3 {
		t.Fatalf("%v\n%s", set, findings.Format())
	}
	for i, want := range []string{
		`w.yaml:14:7: warning: every alert of rule "second" also sets off rule "first" (w.yaml:6)`,
		"w.yaml:19:13: warning: this attempt acts by itself and has no verify",
		"w.yaml:23:30: warning: an attempt is never trusted more than its rule",
	} {
		if got := findings[i].String(); !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if r, ok := set.Rule("third"); !ok || r.Attempts[0].Mode != "" || r.Mode != engine.ModeShadow {
		t.Errorf("rule third is %+v", r)
	}
	if _, ok := set.Rule("fourth"); ok {
		t.Error("there is a rule fourth")
	}
}

func TestParamsKeepTheirTypes(t *testing.T) {
	t.Parallel()
	set := mustParse(t, source("p.yaml", wrap(strings.Replace(minimal, "[{http.request: {path: /}}]", `
    - http.request:
        path: "/${run.id}/${attempt.number}"
        headers: {x: "${alert.labels.missing}"}
        expect: ["${attempt.number + 200}", 204]
        body:
          whole: "${attempt.number}"
          text: "n=${attempt.number} ${target.name} ${now} ${duration('90s')} ${1.5} ${true}"
          list: "${[1, 'a', 2.5, null, alert.name == 'A']}"
          map: '${{"at": alert.startsAt, "for": now - alert.startsAt}}'
          labels: "${alert.labels}"
          sure: true
          price: 10.50
          nothing: ~
          escaped: $${x}`, 1))))
	r, _ := set.Rule("one")
	scope := engine.Scope{
		Alert: firing(map[string]string{"alertname": "A"}), Target: engine.Target{System: "http", Name: "place"},
		Run: engine.RunScope{ID: "r1"}, Attempt: engine.AttemptScope{Number: 2}, Now: now,
	}
	got, err := r.Attempts[0].Do[0].Params(scope)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"body":{"escaped":"${x}","labels":{"alertname":"A"},"list":[1,"a",2.5,null,true],` +
		`"map":{"at":"2026-03-04T05:05:07Z","for":"1m0s"},"nothing":null,"price":10.50,"sure":true,` +
		`"text":"n=2 place 2026-03-04T05:06:07Z 90s 1.5 true","whole":2},` +
		`"expect":[202,204],"headers":{"x":""},"path":"/r1/2"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What the schema says of a rendered value is found when it is rendered.
func TestParamsAreValidatedWhenRendered(t *testing.T) {
	t.Parallel()
	set := mustParse(t, source("p.yaml", wrap(strings.Replace(minimal, "{path: /}", `{path: "${alert.labels.path}", expect: "${[alert.labels.path]}"}`, 1))))
	r, _ := set.Rule("one")
	_, err := r.Attempts[0].Do[0].Params(engine.Scope{Alert: firing(map[string]string{"path": "x"})})
	for range 20 {
		_, again := r.Attempts[0].Do[0].Params(engine.Scope{Alert: firing(map[string]string{"path": "x"})})
		if again == nil || err == nil || again.Error() != err.Error() {
			t.Fatalf("the same error in other words: %v, %v", err, again)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "http.request (p.yaml:11)") ||
		!strings.Contains(err.Error(), "path: 'x' does not match pattern '^/'") || !strings.Contains(err.Error(), "expect.0: got string, want integer") {
		t.Errorf("error %v", err)
	}
	again := strings.Replace(minimal, "{path: /}", `{path: "/${int(alert.labels.path)}"}`, 1)
	r, _ = mustParse(t, source("p.yaml", wrap(again))).Rule("one")
	if _, err := r.Attempts[0].Do[0].Params(engine.Scope{}); err == nil || !strings.Contains(err.Error(), "p.yaml:11:") {
		t.Errorf("error %v", err)
	}
}

// A caller that changes what it was given does not change the rule.
func TestConstantParamsAreCopies(t *testing.T) {
	t.Parallel()
	r, _ := mustParse(t, source("p.yaml", wrap(minimal))).Rule("one")
	params := r.Attempts[0].Do[0].Params
	first, err := params(engine.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	clear(first)
	if second, err := params(engine.Scope{}); err != nil || !json.Valid(second) {
		t.Errorf("%s, %v", second, err)
	}
}

func TestBudgetKeys(t *testing.T) {
	t.Parallel()
	text := strings.Replace(wrap(minimal), "  rules:", `  budgets:
    - {name: place, by: "${target.cluster}/${target.namespace}", limit: 1/1h}
    - {name: label, by: "${int(alert.labels.n)}", concurrent: 2}
  rules:`, 1)
	budgets := mustParse(t, source("b.yaml", text)).Budgets()
	if len(budgets) != 3 || budgets[0].Name != "fleet" || budgets[0].Rate != (engine.Rate{Count: 20, Per: 600e9}) || budgets[0].Key != nil {
		t.Fatalf("budgets %+v", budgets)
	}
	scope := engine.Scope{Target: engine.Target{Cluster: "c", Namespace: "n"}}
	if key, err := budgets[1].Key(scope); err != nil || key != "c/n" {
		t.Errorf("key %q, %v", key, err)
	}
	if key, err := budgets[2].Key(scope); err == nil || !strings.Contains(err.Error(), `budget "label"`) {
		t.Errorf("key %q, %v", key, err)
	}
}

func TestFleetBudget(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		`[{name: fleet, limit: off}]`:                   "",
		`[{name: fleet, limit: off, concurrent: 3}]`:    "fleet 0 3",
		`[{name: fleet, concurrent: 3}]`:                "fleet 20 3",
		`[{name: fleet, limit: 5/1h}]`:                  "fleet 5 0",
		`[{name: all, limit: 5/1h}]`:                    "all 5 0",
		`[{name: all, concurrent: 5}]`:                  "fleet 20 0, all 0 5",
		`[{name: k, by: "${alert.name}", limit: 5/1h}]`: "fleet 20 0, k 5 0",
	} {
		text := strings.Replace(wrap(minimal), "  rules:", "  budgets: "+written+"\n  rules:", 1)
		var got []string
		for _, b := range mustParse(t, source("b.yaml", text)).Budgets() {
			got = append(got, strings.Join([]string{b.Name, itoa(b.Rate.Count), itoa(b.Concurrent)}, " "))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s gives %q, want %q", written, got, want)
		}
	}
}

func itoa(n int) string {
	b, err := json.Marshal(n)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestTooLargeAFile(t *testing.T) {
	t.Parallel()
	set, findings := rules.Parse(source("large.yaml", strings.Repeat("# 3456\n", 1<<20+2000)+wrap(minimal)+strings.Repeat("#\n", 1<<20)), catalog())
	if set != nil || !strings.Contains(findings.Format(), "large.yaml: error: the file has ") {
		t.Errorf("%.300s", findings.Format())
	}
}

// A schema of the catalogue that is none is reported where it is needed.
func TestSchemasThatAreNone(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		`{"type": `:   "the parameter schema of http.request: ",
		`{"type": 7}`: "the parameter schema of http.request is not a JSON Schema: ",
		``:            "http.request has no parameter schema",
	} {
		c := catalog()
		c.Actions["http.request"] = rules.ActionSpec{Schema: json.RawMessage(schema)}
		if set, findings := rules.Parse(source("s.yaml", wrap(minimal)), c); set != nil || !strings.Contains(findings.Format(), "error: "+want) {
			t.Errorf("%s: %s", schema, findings.Format())
		}
	}
}
