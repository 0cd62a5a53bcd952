package kubernetes

import (
	"cmp"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Ruled is an action or a prober that says what it needs to be allowed.
type Ruled interface{ Rules() []rbacv1.PolicyRule }

// RuledFor is one whose needs depend on the kind of what it is used on.
type RuledFor interface {
	Ruled
	RulesFor(kind string) []rbacv1.PolicyRule
}

// For narrows the needs of a thing to those that it has on targets of a kind; empty
// means that the kind is not known.
func For(r Ruled, kind string) Ruled {
	if narrow, ok := r.(RuledFor); ok && kind != "" {
		return needs(narrow.RulesFor(kind))
	}
	return r
}

// needs are a part of what something needs.
type needs []rbacv1.PolicyRule

// Rules implements [Ruled].
func (n needs) Rules() []rbacv1.PolicyRule { return n }

// may is the right to do something with kinds of one API group.
func may(verbs []string, kinds ...string) rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{Verbs: verbs}
	for _, kind := range kinds {
		p := places()[kind]
		rule.APIGroups = []string{p.group.Group}
		rule.Resources = append(rule.Resources, p.resource)
	}
	return rule
}

// ClusterRole is the smallest role with which all of these work: one rule for
// each API group and set of verbs.
func ClusterRole(name string, all ...Ruled) *rbacv1.ClusterRole {
	verbs := map[[2]string][]string{} // by group and resource
	for _, n := range all {
		for _, r := range n.Rules() {
			for _, g := range r.APIGroups {
				for _, res := range r.Resources {
					verbs[[2]string{g, res}] = append(verbs[[2]string{g, res}], r.Verbs...)
				}
			}
		}
	}
	resources := map[[2]string][]string{} // by group and verbs
	for k, v := range verbs {
		slices.Sort(v)
		group := [2]string{k[0], strings.Join(slices.Compact(v), ",")}
		resources[group] = append(resources[group], k[1])
	}
	role := &rbacv1.ClusterRole{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}
	for k, res := range resources {
		slices.Sort(res)
		role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{k[0]}, Resources: res, Verbs: strings.Split(k[1], ",")})
	}
	slices.SortFunc(role.Rules, func(a, b rbacv1.PolicyRule) int {
		return cmp.Or(cmp.Compare(a.APIGroups[0], b.APIGroups[0]), slices.Compare(a.Resources, b.Resources))
	})
	return role
}
