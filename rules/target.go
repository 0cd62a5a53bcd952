package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/common/types"
	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// target is a rule's target, as stated.
type target struct {
	system, kind string
	// cluster and namespace are nil outside Kubernetes, account outside Azure; a
	// service that is called by HTTP may be in a cluster.
	cluster, namespace, account, name *template
}

// targetKind is one way to name a target.
type targetKind struct {
	field, system, kind string
	// clusterWide says that it is in no namespace.
	clusterWide bool
}

// fieldNamespace is where a target is, or, if nothing else is named, what it is.
const fieldNamespace = "namespace"

// fieldTarget is what a rule is about, or, in an attempt, a single call.
const fieldTarget = "target"

// fieldAzure is the account that an Azure resource is in.
const fieldAzure = "azure"

// targetKinds are the fields that name the thing itself. Source of the kinds:
// the Kubernetes API, groups core/v1, apps/v1 and batch/v1.
func targetKinds() []targetKind {
	in := func(field, kind string) targetKind { return targetKind{field, engine.SystemKubernetes, kind, false} }
	of := func(field, kind string) targetKind { return targetKind{field, engine.SystemKubernetes, kind, true} }
	return []targetKind{
		in("deployment", "Deployment"), in("statefulset", "StatefulSet"), in("daemonset", "DaemonSet"), in("replicaset", "ReplicaSet"),
		in("pod", "Pod"), in("job", "Job"), in("cronjob", "CronJob"), in("service", "Service"),
		in("persistentvolumeclaim", "PersistentVolumeClaim"),
		of("node", "Node"), of("persistentvolume", "PersistentVolume"), of(fieldNamespace, "Namespace"),
		{"http", engine.SystemHTTP, "", false},
		{"redis", engine.SystemRedis, "", false},
		{"resource", engine.SystemAzure, "", false},
	}
}

func targetShape() shape {
	s := shape{what: "a target", fields: []string{"cluster", fieldAzure}}
	for _, k := range targetKinds() {
		s.fields = append(s.fields, k.field)
	}
	return s
}

// ownTarget reads the target that an action or a probe has of its own, and holds that
// what is called can work on it, or else on the rule's. Without one it gives nil.
func (c *compiler) ownTarget(f *file, key, n *yaml.Node, to callee, r *rule) (func(engine.Scope) (engine.Target, error), bool) {
	if n == nil {
		if to.system == "" || r.target.system == "" || to.system == r.target.system {
			return nil, true
		}
		f.errorf(key, "%s works on %s targets, and this rule's target is of %s: write a target of its own beside it", to.what, to.system, r.target.system)
		return nil, false
	}
	t, ok := c.target(f, c.places.attempt, n)
	if ok && to.system != "" && to.system != t.system {
		f.errorf(n, "%s works on %s targets, and this target is of %s", to.what, to.system, t.system)
		return nil, false
	}
	return func(s engine.Scope) (engine.Target, error) { return t.render(&s) }, ok
}

// target reads a target whose expressions stand in that place.
func (c *compiler) target(f *file, in *place, n *yaml.Node) (target, bool) {
	before := len(*f.found)
	o, ok := f.object(n, targetShape())
	if !ok || f.failedSince(before) {
		return target{}, false
	}
	k, ok := f.targetKind(o)
	if !ok {
		return target{}, false
	}
	t := target{system: k.system, kind: k.kind}
	inNamespace := k.system == engine.SystemKubernetes && !k.clusterWide
	ok = f.targetText(in, o.get(k.field), k.field, &t.name)
	for _, place := range []struct {
		field      string
		needs, may bool
		into       **template
	}{
		{"cluster", k.system == engine.SystemKubernetes, k.system == engine.SystemHTTP, &t.cluster},
		{fieldNamespace, inNamespace, false, &t.namespace},
		{fieldAzure, k.system == engine.SystemAzure, false, &t.account},
	} {
		value := o.get(place.field)
		switch {
		case place.field == k.field:
		case place.needs && value == nil:
			f.errorf(n, "a %s needs its %s", k, place.field)
			ok = false
		case !place.needs && !place.may && value != nil:
			f.errorf(o.keys[place.field], "a %s is in no %s", k, place.field)
			ok = false
		case value != nil:
			ok = f.targetText(in, value, place.field, place.into) && ok
		}
	}
	return t, ok
}

// targetKind finds what is named. A namespace is the place of anything else that
// is named beside it.
func (f *file) targetKind(o object) (targetKind, bool) {
	var named []targetKind
	for _, k := range targetKinds() {
		if o.get(k.field) != nil {
			named = append(named, k)
		}
	}
	if len(named) > 1 {
		named = slices.DeleteFunc(named, func(k targetKind) bool { return k.field == fieldNamespace })
	}
	if len(named) == 1 {
		return named[0], true
	}
	f.errorf(o.node, "a target names exactly one of %s, not %d of them", enumerate(targetShape().fields[2:], "and"), len(named))
	return targetKind{}, false
}

// String is the kind as messages call it.
func (k targetKind) String() string {
	if k.system == engine.SystemKubernetes {
		return "target of kind " + k.kind
	}
	return "target of " + k.system
}

func (f *file) targetText(in *place, n *yaml.Node, what string, into **template) bool {
	s, ok := f.text(n, what)
	if !ok {
		return false
	}
	if s == "" {
		f.errorf(n, "the target's %s is empty, which is never all", what)
		return false
	}
	*into, ok = in.textTemplate(f.scalar(n))
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
		{"account", t.account, &out.Account},
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
	if out.System == engine.SystemAzure {
		// Azure's ids come in every spelling, and all of them are one resource.
		out.Name = strings.ToLower(strings.TrimRight(out.Name, "/"))
	}
	return out, out.Validate()
}
