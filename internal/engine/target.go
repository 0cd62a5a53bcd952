package engine

import (
	"fmt"
	"net/url"
	"strings"
)

// Target is the thing to be mended. A rule states one; the remediator's plan
// makes it canonical, so that two pods of one Deployment are one target.
type Target struct {
	// System names the family of remediators that can mend it: "kubernetes",
	// "http", "azure".
	System string `json:"system"`
	// Cluster is a configured cluster's name; for "http", the one in which the
	// service is, if it is in one; empty elsewhere.
	Cluster string `json:"cluster,omitempty"`
	// Account is a configured Azure account's name; empty outside Azure.
	Account string `json:"account,omitempty"`
	// Namespace and Kind are Kubernetes'; empty elsewhere. Namespace is empty
	// for a kind that has none.
	Namespace string `json:"namespace,omitempty"`
	Kind      string `json:"kind,omitempty"`
	// Name is the object's name; for "http", the service's; for "azure", the
	// resource's id in small letters, since Azure does not tell them apart.
	Name string `json:"name"`
}

// String is the canonical form, such as
// kubernetes/korea/production/Deployment/profile-service, or, for a kind without
// a namespace, kubernetes/korea//Node/worker-1; for Azure, azure/default and the
// escaped id; http/shop, or in a cluster http/korea/shop. Parts are escaped, so no
// two targets share a form.
func (t Target) String() string {
	parts := t.parts()
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// Text is the canonical form as people read it, without escapes: of Azure, whose ids
// are paths, azure/default/subscriptions/...
func (t Target) Text() string {
	parts := t.parts()
	last := len(parts) - 1
	parts[last] = strings.TrimPrefix(parts[last], "/")
	return strings.Join(parts, "/")
}

func (t Target) parts() []string {
	parts := []string{t.System}
	switch t.System {
	case SystemKubernetes:
		parts = append(parts, t.Cluster, t.Namespace, t.Kind)
	case SystemAzure:
		parts = append(parts, t.Account)
	case SystemHTTP:
		if t.Cluster != "" {
			parts = append(parts, t.Cluster)
		}
	}
	return append(parts, t.Name)
}

// The systems that targets live in.
const (
	SystemKubernetes = "kubernetes"
	SystemHTTP       = "http"
	SystemAzure      = "azure"
	SystemRedis      = "redis"
)

// Validate reports a target that points at nothing or could be read as more
// than one thing. An empty name is never "all".
func (t Target) Validate() error {
	switch {
	case t.System == "":
		return fmt.Errorf("target %q: no system", t.Name)
	case t.Name == "":
		return fmt.Errorf("target %q: no name", t.String())
	case t.System == SystemAzure && t.Account == "":
		return fmt.Errorf("target %q: the account must be given", t.String())
	case t.System == SystemAzure && (!strings.HasPrefix(t.Name, "/subscriptions/") || t.Name != strings.ToLower(t.Name)):
		return fmt.Errorf("target %q: want the resource's id, /subscriptions/..., in small letters", t.String())
	case t.Cluster != "" && t.System != SystemKubernetes && t.System != SystemHTTP:
		return fmt.Errorf("target %q: a target of %s is in no cluster", t.String(), t.System)
	case t.System != SystemKubernetes:
	case t.clusterScoped() && t.Namespace != "":
		return fmt.Errorf("target %q: a %s is in no namespace", t.String(), t.Kind)
	case t.clusterScoped() && t.Cluster == "":
		return fmt.Errorf("target %q: the cluster must be given", t.String())
	case !t.clusterScoped() && (t.Cluster == "" || t.Namespace == "" || t.Kind == ""):
		return fmt.Errorf("target %q: cluster, namespace and kind must all be given", t.String())
	}
	return nil
}

// clusterScoped reports whether the kind is one that is in no namespace.
func (t Target) clusterScoped() bool {
	switch t.Kind {
	case "Node", "PersistentVolume", "Namespace":
		return true
	}
	return false
}
