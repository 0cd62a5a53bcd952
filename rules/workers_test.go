package rules_test

import (
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// TestGroupsAreOfClusters: a rule's tasks go to the group of the target's
// cluster, as the catalog says, and without a catalog that says so to the
// actions' own.
func TestGroupsAreOfClusters(t *testing.T) {
	t.Parallel()
	text := `apiVersion: paramedic.dev/v1
kind: RuleSet
metadata: {name: test}
spec:
  rules:
    - name: down
      on: {alerts: ['alertname="Down"']}
      target: {cluster: "${alert.labels.cluster}", namespace: n, deployment: d}
      try: [{name: restart, do: [{kubernetes.restart: {}}]}]
`
	for name, groups := range map[string]map[string]string{"one group": {"korea": "seoul"}, "none": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := catalog()
			c.Groups = groups
			set, findings := rules.Parse([]engine.Source{{Name: "r.yaml", Text: text}}, c)
			if findings.Failed() {
				t.Fatal(findings)
			}
			r, _ := set.Rule("down")
			if got := r.Attempts[0].Do[0].Group; got != rules.DefaultGroup {
				t.Errorf("the action's group is %q", got)
			}
			for _, cluster := range []string{"korea", "japan", ""} {
				if got := r.GroupOf(engine.Target{Cluster: cluster}); got != groups[cluster] {
					t.Errorf("cluster %q: group %q, want %q", cluster, got, groups[cluster])
				}
			}
		})
	}
}
