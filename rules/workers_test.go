package rules_test

import (
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// TestGroups: a rule's tasks go to the group of what the target is in, as the catalog
// says, and otherwise to the actions' own.
func TestGroups(t *testing.T) {
	t.Parallel()
	c := catalog()
	c.Groups = rules.Groups{
		Clusters: map[string]string{"korea": "seoul", "here": ""},
		Redis:    map[string]string{"cache": "tokyo"}, Azure: map[string]string{"default": "cloud"},
	}
	set, findings := rules.Parse(source("r.yaml", wrap(`
name: down
on: {alerts: ['alertname="Down"']}
target: {cluster: "${alert.labels.cluster}", namespace: n, deployment: d}
try: [{name: restart, do: [{kubernetes.restart: {}}]}]
`)), c)
	if findings.Failed() {
		t.Fatal(findings)
	}
	r, _ := set.Rule("down")
	if got := r.Attempts[0].Do[0].Group; got != rules.DefaultGroup {
		t.Errorf("the action's group is %q", got)
	}
	for target, want := range map[engine.Target]string{
		{System: engine.SystemKubernetes, Cluster: "korea"}:             "seoul",
		{System: engine.SystemKubernetes, Cluster: "here"}:              "",
		{System: engine.SystemKubernetes, Cluster: "unknown"}:           "",
		{System: engine.SystemHTTP, Cluster: "korea", Name: "shop"}:     "seoul",
		{System: engine.SystemHTTP, Name: "shop"}:                       "",
		{System: engine.SystemRedis, Name: "cache"}:                     "tokyo",
		{System: engine.SystemRedis, Name: "other"}:                     "",
		{System: engine.SystemAzure, Account: "default", Name: "cache"}: "cloud",
	} {
		if got := r.GroupOf(target); got != want {
			t.Errorf("%s: group %q, want %q", target, got, want)
		}
	}
}
