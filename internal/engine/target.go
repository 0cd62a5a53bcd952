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
	// "http".
	System string `json:"system"`
	// Cluster is a configured cluster's name; empty outside Kubernetes.
	Cluster string `json:"cluster,omitempty"`
	// Namespace and Kind are Kubernetes'; empty elsewhere.
	Namespace string `json:"namespace,omitempty"`
	Kind      string `json:"kind,omitempty"`
	// Name is the object's name, or, for "http", the service's.
	Name string `json:"name"`
}

// String is the canonical form, such as
// kubernetes/korea/production/Deployment/profile-service. Parts are escaped, so
// no two targets share a form.
func (t Target) String() string {
	parts := []string{t.System}
	if t.System == SystemKubernetes {
		parts = append(parts, t.Cluster, t.Namespace, t.Kind)
	}
	parts = append(parts, t.Name)
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// The systems that targets live in.
const (
	SystemKubernetes = "kubernetes"
	SystemHTTP       = "http"
)

// Validate reports a target that points at nothing or could be read as more
// than one thing. An empty name is never "all".
func (t Target) Validate() error {
	switch {
	case t.System == "":
		return fmt.Errorf("target %q: no system", t.Name)
	case t.Name == "":
		return fmt.Errorf("target %q: no name", t.String())
	case t.System == SystemKubernetes && (t.Cluster == "" || t.Namespace == "" || t.Kind == ""):
		return fmt.Errorf("target %q: cluster, namespace and kind must all be given", t.String())
	}
	return nil
}
