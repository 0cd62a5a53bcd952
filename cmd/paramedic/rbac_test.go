package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func rbac(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := newRBACCmd()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// TestRBAC: what a rule set uses, and nothing else.
func TestRBAC(t *testing.T) {
	t.Parallel()
	file := func(rule string) string {
		path := filepath.Join(t.TempDir(), "r.yaml")
		text := "apiVersion: paramedic.dev/v1\nkind: RuleSet\nmetadata: {name: r}\nspec:\n  rules:\n" + rule
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const on = "    - name: r\n      on: {alerts: ['alertname=\"A\"']}\n      target: {cluster: c, namespace: n, deployment: d}\n"
	got, err := rbac(t, file(on+"      try: [{name: t, do: [{kubernetes.restart: {}}], verify: [{rollout: complete}]}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: paramedic
rules:
- apiGroups:
  - ""
  resources:
  - pods
  verbs:
  - get
- apiGroups:
  - apps
  resources:
  - daemonsets
  - deployments
  - statefulsets
  verbs:
  - get
  - patch
- apiGroups:
  - apps
  resources:
  - replicasets
  verbs:
  - get
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	got, err = rbac(t, "--name", "looks", file(strings.Replace(on, `on: {alerts: ['alertname="A"']}`, "on: {rollout: {cluster: c, namespace: n, kind: Deployment, phase: stuck}}", 1)+"      mode: observe\n"))
	if err != nil || !strings.Contains(got, "name: looks") || !strings.Contains(got, "- watch") || strings.Contains(got, "patch") || strings.Contains(got, "statefulsets") {
		t.Errorf("%v\n%s", err, got)
	}
	got, err = rbac(t, file(on+"      try: [{name: t, do: [{kubernetes.annotate: {annotations: {a: b}}}]}]\n"))
	if err != nil || !strings.Contains(got, "- deployments") || strings.Contains(got, "statefulsets") || strings.Contains(got, "nodes") {
		t.Errorf("%v\n%s", err, got)
	}
	if _, err := rbac(t, file("    - {name: r, on: {alerts: ['alertname=\"A\"']}, target: {http: x}, mode: observe}\n")); err == nil || !strings.Contains(err.Error(), "need no rights") {
		t.Error(err)
	}
	if _, err := rbac(t, file("    - {name: r}\n")); err == nil {
		t.Error("no error")
	}
}
