package rules

import (
	"fmt"
	"slices"

	"github.com/google/cel-go/common/types"
	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// target is a rule's target, as stated.
type target struct {
	system, kind string
	// cluster and namespace are nil outside Kubernetes.
	cluster, namespace, name *template
}

// targetKind is one way to name a target.
type targetKind struct {
	field, system, kind string
}

// targetKinds are the fields that name the thing itself. Source of the kinds:
// the Kubernetes API, groups core/v1 and apps/v1.
func targetKinds() []targetKind {
	return []targetKind{
		{"deployment", engine.SystemKubernetes, "Deployment"},
		{"statefulset", engine.SystemKubernetes, "StatefulSet"},
		{"daemonset", engine.SystemKubernetes, "DaemonSet"},
		{"replicaset", engine.SystemKubernetes, "ReplicaSet"},
		{"pod", engine.SystemKubernetes, "Pod"},
		{"http", engine.SystemHTTP, ""},
	}
}

func targetShape() shape {
	s := shape{what: "a target", fields: []string{"cluster", "namespace"}}
	for _, k := range targetKinds() {
		s.fields = append(s.fields, k.field)
	}
	return s
}

// target reads a rule's target.
func (c *compiler) target(f *file, n *yaml.Node) (target, bool) {
	before := len(*f.found)
	o, ok := f.object(n, targetShape())
	if !ok || f.failedSince(before) {
		return target{}, false
	}
	var named []targetKind
	for _, k := range targetKinds() {
		if o.get(k.field) != nil {
			named = append(named, k)
		}
	}
	if len(named) != 1 {
		f.errorf(n, "a target names exactly one of %s, not %d of them", enumerate(targetShape().fields[2:], "and"), len(named))
		return target{}, false
	}
	t := target{system: named[0].system, kind: named[0].kind}
	ok = c.targetText(f, o.get(named[0].field), named[0].field, &t.name)
	for _, place := range []struct {
		field string
		into  **template
	}{{"cluster", &t.cluster}, {"namespace", &t.namespace}} {
		value := o.get(place.field)
		switch {
		case t.system != engine.SystemKubernetes && value != nil:
			f.errorf(o.keys[place.field], "only a Kubernetes target has a %s", place.field)
			ok = false
		case t.system == engine.SystemKubernetes && value == nil:
			if !hasKey(n, place.field) {
				f.errorf(n, "a Kubernetes target needs its %s", place.field)
			}
			ok = false
		case value != nil:
			ok = c.targetText(f, value, place.field, place.into) && ok
		}
	}
	return t, ok
}

func (c *compiler) targetText(f *file, n *yaml.Node, what string, into **template) bool {
	s, ok := f.text(n, what)
	if !ok {
		return false
	}
	if s == "" {
		f.errorf(n, "the target's %s is empty, which is never all", what)
		return false
	}
	*into, ok = c.places.target.textTemplate(f.scalar(n))
	return ok
}

// textTemplate compiles a text that must be a text when rendered.
func (p *place) textTemplate(s scalar) (*template, bool) {
	t, ok := p.template(s)
	if !ok {
		return nil, false
	}
	if code := t.whole(); code != nil && !slices.Contains([]types.Kind{types.StringKind, types.IntKind, types.UintKind, types.DynKind}, code.out.Kind()) {
		s.file.errorf(s.node, "this must be a text, and the expression gives a %s", typeName(code.out))
		return nil, false
	}
	return t, true
}

// render gives the target for an alert. One that points at nothing is an error.
func (t target) render(scope *engine.Scope) (engine.Target, error) {
	out := engine.Target{System: t.system, Kind: t.kind}
	for _, field := range []struct {
		name string
		from *template
		into *string
	}{
		{"cluster", t.cluster, &out.Cluster},
		{"namespace", t.namespace, &out.Namespace},
		{"name", t.name, &out.Name},
	} {
		if field.from == nil {
			continue
		}
		s, err := field.from.text(scope)
		if err != nil {
			return engine.Target{}, fmt.Errorf("the target's %s: %w", field.name, err)
		}
		*field.into = s
	}
	return out, out.Validate()
}
