package engine_test

import (
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
)

func TestTarget(t *testing.T) {
	whole := engine.Target{System: engine.SystemKubernetes, Cluster: "korea", Namespace: "production", Kind: "Deployment", Name: "shop"}
	if got, want := whole.String(), "kubernetes/korea/production/Deployment/shop"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := service("a/b").String(), "http/a%2Fb"; got != want {
		t.Errorf("%q, want %q: no two targets may share a form", got, want)
	}
	if err := whole.Validate(); err != nil {
		t.Error(err)
	}
	inAzure := engine.Target{System: engine.SystemAzure, Account: "default", Name: "/subscriptions/s/resourcegroups/rg"}
	if got, want := inAzure.String(), "azure/default/%2Fsubscriptions%2Fs%2Fresourcegroups%2Frg"; got != want || inAzure.Validate() != nil {
		t.Errorf("%q, want %q: %v", got, want, inAzure.Validate())
	}
	for _, kind := range []string{"Node", "PersistentVolume", "Namespace"} {
		alone := engine.Target{System: engine.SystemKubernetes, Cluster: "korea", Kind: kind, Name: "n"}
		if err := alone.Validate(); err != nil {
			t.Error(err)
		}
		if got, want := alone.String(), "kubernetes/korea//"+kind+"/n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		within, nowhere := alone, alone
		within.Namespace, nowhere.Cluster = "production", ""
		if within.Validate() == nil || nowhere.Validate() == nil {
			t.Errorf("%s: valid in a namespace or in no cluster", kind)
		}
	}
	for name, c := range map[string]engine.Target{
		"no system":    {Name: "shop"},
		"no name":      {System: engine.SystemHTTP},
		"no account":   {System: engine.SystemAzure, Name: "/subscriptions/s"},
		"no id":        {System: engine.SystemAzure, Account: "default", Name: "shop"},
		"not folded":   {System: engine.SystemAzure, Account: "default", Name: "/subscriptions/s/resourceGroups/rg"},
		"no cluster":   {System: engine.SystemKubernetes, Namespace: "n", Kind: "Pod", Name: "shop"},
		"no namespace": {System: engine.SystemKubernetes, Cluster: "c", Kind: "Pod", Name: "shop"},
		"no kind":      {System: engine.SystemKubernetes, Cluster: "c", Namespace: "n", Name: "shop"},
	} {
		if err := c.Validate(); err == nil {
			t.Errorf("%s: valid", name)
		}
	}
}

func TestParseScope(t *testing.T) {
	for _, good := range []string{"all", "rule/down", "cluster/korea", "target/http/shop"} {
		if err := engine.ParseScope(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "everything", "rule/", "cluster/", "target/", "rule", "ALL"} {
		if err := engine.ParseScope(bad); err == nil {
			t.Errorf("%q: taken", bad)
		}
	}
}

func TestDigest(t *testing.T) {
	p := engine.Plan{Target: service("a"), Summary: "restart", Precondition: []byte(`1`)}
	same := p
	same.Precondition = []byte(`2`)
	same.Health = &engine.Health{Total: 1}
	if p.Digest() != same.Digest() {
		t.Error("the precondition or the health counts")
	}
	other := p
	other.Changes = []engine.Change{{Field: "replicas", From: "1", To: "2"}}
	if p.Digest() == other.Digest() {
		t.Error("the changes do not count")
	}
}

func TestTargetText(t *testing.T) {
	t.Parallel()
	for want, target := range map[string]engine.Target{
		"kubernetes/korea/production/Deployment/shop": {System: "kubernetes", Cluster: "korea", Namespace: "production", Kind: "Deployment", Name: "shop"},
		"azure/default/subscriptions/s/vaults/v":      {System: "azure", Account: "default", Name: "/subscriptions/s/vaults/v"},
		"http/korea/shop":                             {System: "http", Cluster: "korea", Name: "shop"},
		"redis/cache":                                 {System: "redis", Name: "cache"},
	} {
		if got := target.Text(); got != want {
			t.Errorf("%s reads %q, want %q", target, got, want)
		}
	}
}
