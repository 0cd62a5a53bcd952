package rules_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/golden"
	"github.com/tripgen/paramedic/rules"
)

const explained = `apiVersion: paramedic.dev/v1
kind: RuleSet
metadata: {name: test}
spec:
  rules:
    - name: watched
      on: {alerts: ['alertname=~".+"']}
      mode: observe
      target: {http: "${alert.name}"}
    - name: other-team
      on: {alerts: ['alertname="Down"', 'team="data"', 'zone=""']}
      target: {http: x}
      try: [{name: go, do: [{http.request: {path: /}}]}]
    - name: not-now
      on: {alerts: ['alertname="Down"']}
      when: >-
        alert.severity == "critical" && (alert.labels.job.startsWith("place") || has(alert.labels.zone))
        && !(alert.annotations["runbook"] == "none") && now > alert.startsAt
        && alert.labels.exists(name, name == "job") && int(alert.labels.shard) > 3
      target: {http: x}
      try: [{name: go, do: [{http.request: {path: /}}]}]
    - name: shadowed
      on: {alerts: ['alertname="Down"']}
      when: alert.labels.job in ["profile", "place"]
      target: {cluster: korea, namespace: "${alert.labels.namespace}", deployment: "${alert.labels.job}"}
      try: [{name: go, do: [{kubernetes.restart: {}}]}]
    - name: takes
      on: {alerts: ['alertname="Down"']}
      mode: auto
      target: {cluster: korea, namespace: production, deployment: "${alert.labels.job}"}
      try: [{name: go, do: [{kubernetes.restart: {}}]}]
    - name: late
      on: {alerts: ['alertname=~"Down|Up"', 'job!=""']}
      mode: approve
      target: {cluster: korea, namespace: production, deployment: x}
      try: [{name: go, do: [{kubernetes.restart: {}}]}]
`

func down(labels map[string]string) alert.Alert {
	all := map[string]string{"alertname": "Down", "job": "profile"}
	maps.Copy(all, labels)
	return alert.Alert{
		Source: "alertmanager", Fingerprint: "f", Name: all["alertname"], Status: alert.Firing, Severity: "warning",
		Labels: all, Annotations: map[string]string{}, StartsAt: time.Date(2026, 3, 2, 8, 59, 0, 0, time.UTC),
	}
}

func explainAt() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }

func judge(r *engine.Rule, t engine.Target) []engine.Verdict {
	return []engine.Verdict{
		{Guard: "freshness"},
		{Guard: "cooldown", Held: true, Reason: r.Name + " acted on " + t.String(), Until: explainAt().Add(time.Minute)},
		{Guard: "minHealthy", Unknown: true, Reason: "there is no plan yet"},
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	set := mustParse(t, source("explain.yaml", explained))
	e := set.Explain(down(map[string]string{"namespace": "production"}), explainAt(), judge)
	if !hasResults(e, map[string]rules.Result{
		"watched": rules.ResultRecords, "other-team": rules.ResultNotFor, "not-now": rules.ResultNotFor, "shadowed": rules.ResultRecords,
		"takes": rules.ResultTakes, "late": rules.ResultBehind,
	}) || e.TakenBy != "takes" || !e.Answered() {
		t.Errorf("taken by %q, answered %t:\n%s", e.TakenBy, e.Answered(), e.Format())
	}
	golden.Check(t, *update, "testdata/explain.golden", e.Format())
	if e := set.Explain(down(nil), explainAt(), judge); e.Answered() {
		t.Errorf("an alert whose rule fails is answered:\n%s", e.Format())
	}

	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, *update, "testdata/explain.json", string(b)+"\n")
}

func hasResults(e rules.Explanation, want map[string]rules.Result) bool {
	for _, r := range e.Rules {
		if want[r.Rule] != r.Result {
			return false
		}
	}
	return len(e.Rules) == len(want)
}

// TestExplainAgreesWithMatch: what is explained is what is decided.
func TestExplainAgreesWithMatch(t *testing.T) {
	t.Parallel()
	set := mustParse(t, source("explain.yaml", explained))
	for _, labels := range []map[string]string{
		{},
		{"namespace": "n"},
		{"alertname": "Up"},
		{"alertname": "Up", "job": ""},
		{"team": "data"},
		{"team": "data", "zone": "a"},
		{"shard": "7"},
		{"job": "place", "shard": "1"},
		{"alertname": ""},
	} {
		a := down(labels)
		want := map[string]rules.Result{}
		for _, r := range set.Rules() {
			want[r.Name] = rules.ResultNotFor
		}
		taken := ""
		for _, m := range set.Match(a, explainAt()) {
			switch {
			case taken != "":
				want[m.Rule.Name] = rules.ResultBehind
			case m.Err != nil:
				want[m.Rule.Name] = rules.ResultFails
			case m.Rule.Mode.Acts():
				want[m.Rule.Name] = rules.ResultTakes
			default:
				want[m.Rule.Name] = rules.ResultRecords
			}
			if taken == "" && m.Rule.Mode.Acts() {
				taken = m.Rule.Name
			}
		}
		if e := set.Explain(a, explainAt(), judge); !hasResults(e, want) || e.TakenBy != taken {
			t.Errorf("%v: want %v, taken by %q:\n%s", labels, want, taken, e.Format())
		}
	}
}

func TestExplainOfAResolvedAlert(t *testing.T) {
	t.Parallel()
	set := mustParse(t, source("explain.yaml", explained))
	a := down(map[string]string{"alertname": "Up"})
	if e := set.Explain(a, explainAt(), judge); !e.Answered() {
		t.Errorf("is not answered:\n%s", e.Format())
	}
	a.Status = alert.Resolved
	if e := set.Explain(a, explainAt(), judge); e.Note == "" || e.Answered() {
		t.Errorf("a resolved alert is answered:\n%s", e.Format())
	}
}

// TestExplainTheGoodFiles: every rule file that there is can be explained.
func TestExplainTheGoodFiles(t *testing.T) {
	t.Parallel()
	eachFile(t, "testdata/*.good.yaml", func(t *testing.T, name, text string) {
		set, findings := rules.Parse(source(name, text), catalog())
		if set == nil {
			t.Fatal(findings.Format())
		}
		e := set.Explain(down(nil), explainAt(), judge)
		if len(e.Rules) != len(set.Rules()) || e.Format() == "" {
			t.Errorf("%d of %d rules", len(e.Rules), len(set.Rules()))
		}
	})
}

func TestExplainATriggersAlert(t *testing.T) {
	t.Parallel()
	set := mustParse(t, source("trigger.yaml", explained+`    - name: by-hand
      on: {manual: {}}
      mode: auto
      target: {http: x}
      groupBy: [zone]
      unless: [{rule: takes}]
      try: [{name: go, do: [{http.request: {path: /}}]}]
`))
	a := down(map[string]string{"alertname": "by-hand", "zone": "a"})
	a.Source = rules.TriggerSource + "manual"
	e := set.Explain(a, explainAt(), judge)
	last := e.Rules[len(e.Rules)-1]
	if e.TakenBy != "by-hand" || last.Group == "" || len(last.Unless) != 1 || e.Rules[0].Result != rules.ResultNotFor {
		t.Errorf("%+v\n%s", last, e.Format())
	}
	if !strings.Contains(e.Rules[0].Why, "the alert was raised by a trigger") {
		t.Errorf("does not say why other rules are not for it:\n%s", e.Format())
	}
	if e := set.Explain(down(nil), explainAt(), judge); !strings.Contains(e.Format(), "it is set off by its own manual") {
		t.Errorf("does not say why a trigger's rule is not for it:\n%s", e.Format())
	}
}
