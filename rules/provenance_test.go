package rules_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/golden"
	"github.com/tripgen/paramedic/rules"
)

func TestProvenance(t *testing.T) {
	t.Parallel()
	set := mustParse(t, []engine.Source{
		{Name: "a.yaml", Text: `apiVersion: paramedic.dev/v1
kind: RuleSet
metadata: {name: a}
spec:
  defaults:
    mode: approve
    report: {log: "#ops"}
    guards:
      cooldown: 20m
      flap: off
  budgets:
    - {name: fleet, concurrent: 3}
    - {name: namespace, by: "${target.namespace}", limit: 6/10m, concurrent: 2}
  windows:
    - {name: nightly, start: "0 2 * * *", duration: 2h, rules: [one]}
  rules:
    - name: one
      on: {alerts: ['alertname="A"']}
      target: {http: x}
      mode: auto
      guards:
        limit: [3/1h, 9/1d]
        cooldown: 30m
        requires: {two: idle}
      try:
        - name: first
          do: [{http.request: {path: /}}]
          verify: [{http: {url: "http://x"}}]
          within: 5m
          retry: {max: 1}
        - {name: second, mode: approve, do: [{http.request: {path: /}}], timeout: 2m, undo: off}
        - {name: third, mode: auto, do: [{http.request: {path: /}}]}
`},
		{Name: "b.yaml", Text: `apiVersion: paramedic.dev/v1
kind: RuleSet
metadata: {name: b}
spec:
  rules:
    - name: two
      on: {alerts: ['alertname="B"']}
      target: {http: x}
      guards: {windows: off}
      report: {}
      otherwise: {webhook: platform}
      try: [{name: first, mode: auto, do: [{http.request: {path: /}}]}]
`},
		{Name: "c.yaml", Text: `apiVersion: paramedic.dev/v1
kind: RuleSet
metadata: {name: c}
spec:
  defaults:
    guards: {flap: 9/1h}
  rules:
    - name: nightly
      on: {schedule: {cron: "0 20 * * *", restore: "0 8 * * *"}}
      target: {cluster: korea, namespace: staging, deployment: shop}
      guards: {cooldown: 5m}
      try: [{name: first, do: [{kubernetes.scale: {factor: 0.5}}]}]
`},
	})
	all := set.Provenance()
	var b strings.Builder
	for _, r := range all {
		fmt.Fprintf(&b, "%s (%s:%d)\n", r.Rule, r.File, r.Line)
		for _, s := range r.Settings {
			where := string(s.From)
			if s.From != rules.OriginBuiltIn {
				where += fmt.Sprintf(" (%s:%d)", s.File, s.Line)
			}
			fmt.Fprintf(&b, "  %-32s %-40s %s\n", s.Name, s.Value, where)
			if (s.From == rules.OriginBuiltIn) != (s.Line == 0) || s.Value == "" {
				t.Errorf("%s: %+v", r.Rule, s)
			}
		}
	}
	golden.Check(t, *update, "testdata/provenance.golden", b.String())
	j, err := json.MarshalIndent(all[1], "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, *update, "testdata/provenance.json", string(j)+"\n")
}
