package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// found is a workload that a target means, with its autoscaler if it has one.
type found struct {
	*workload

	auto *autoscaler
}

// scene is all that a target means: one workload, or those of a namespace.
type scene struct {
	target engine.Target
	// left are those that are exceptions, and why.
	left []string
	all  []found
	// why the target itself is an exception; empty if it is not.
	why  string
	meta *metav1.ObjectMeta
}

// survey reads what the target of a task means.
func (c Clusters) survey(ctx context.Context, t engine.Task) (*Client, scene, error) {
	params, err := exceptionsOf(t)
	if err != nil {
		return nil, scene{}, err
	}
	client, err := c.client(t.Target)
	if err != nil {
		return nil, scene{}, err
	}
	s, err := survey(ctx, client, t, params)
	return client, s, err
}

// survey refuses namespaces that the cluster itself lives in.
func survey(ctx context.Context, client *Client, t engine.Task, e exceptions) (scene, error) {
	if t.Target.Kind == kindNamespace {
		return surveyNamespace(ctx, client, t, e)
	}
	w, err := scalable(ctx, client, t.Target)
	if err != nil {
		return scene{}, err
	}
	s := scene{target: w.target(t.Target.Cluster), meta: &w.meta, why: e.why(&w.meta)}
	if s.why != "" {
		return s, nil
	}
	autoscalers, err := readAutoscalers(ctx, client, w.meta.Namespace, w)
	if err != nil {
		return scene{}, err
	}
	err = s.add(autoscalers, w, t)
	return s, err
}

func surveyNamespace(ctx context.Context, client *Client, t engine.Task, e exceptions) (scene, error) {
	name := t.Target.Name
	if strings.HasPrefix(name, "kube-") {
		return scene{}, remediators.Terminal("namespace %s is the cluster's own, and is never stopped or started as a whole; name a workload", name)
	}
	meta, err := client.meta(ctx, t.Target)
	if err != nil {
		return scene{}, err
	}
	s := scene{target: t.Target, meta: meta, why: keptRunning(meta)}
	switch {
	case meta.DeletionTimestamp != nil:
		return scene{}, remediators.Terminal("%s is being deleted", t.Target)
	case s.why != "":
		return s, nil
	}
	all, err := workloadsOf(ctx, client, name, t.Target)
	if err != nil {
		return scene{}, err
	}
	autoscalers, err := readAutoscalers(ctx, client, name, t.Target)
	if err != nil {
		return scene{}, err
	}
	for _, w := range all {
		if w.meta.DeletionTimestamp != nil {
			continue
		}
		if why := e.why(&w.meta); why != "" {
			s.left = append(s.left, fmt.Sprintf("%s %s (%s)", w.kind, w.meta.Name, why))
			continue
		}
		if err := s.add(autoscalers, w, t); err != nil {
			return scene{}, err
		}
	}
	return s, nil
}

// add takes a workload in, unless the task has changed it already.
func (s *scene) add(all autoscalers, w *workload, t engine.Task) error {
	auto, err := all.of(w)
	if err != nil {
		return fmt.Errorf("%w; or make it an exception", err)
	}
	f := found{w, auto}
	if err := marksOf(f.written().Annotations).notYet(t.ID, w); err != nil {
		return err
	}
	s.all = append(s.all, f)
	return nil
}

// written is the object that keeps the workload at zero: KEDA would undo it on the
// workload itself.
func (f found) written() *metav1.ObjectMeta {
	if f.byKeda() {
		return &f.auto.meta
	}
	return &f.meta
}

func (f found) byKeda() bool { return f.auto != nil && f.auto.kind == kindScaledObject }

// workloadsOf lists the Deployments and StatefulSets of a namespace, by kind and name.
func workloadsOf(ctx context.Context, client *Client, namespace string, whose fmt.Stringer) ([]*workload, error) {
	var deployments appsv1.DeploymentList
	if err := client.list(ctx, kindDeployment, namespace, whose, selection{}, &deployments); err != nil {
		return nil, err
	}
	var sets appsv1.StatefulSetList
	if err := client.list(ctx, kindStatefulSet, namespace, whose, selection{}, &sets); err != nil {
		return nil, err
	}
	all := make([]*workload, 0, len(deployments.Items)+len(sets.Items))
	for i := range deployments.Items {
		all = append(all, fromDeployment(&deployments.Items[i]))
	}
	for i := range sets.Items {
		all = append(all, fromStatefulSet(&sets.Items[i]))
	}
	slices.SortFunc(all, func(a, b *workload) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.meta.Name, b.meta.Name))
	})
	return all, nil
}

// noop is a plan that changes nothing, and says why.
func (s scene) noop(why string) (engine.Plan, error) {
	seen, err := preconditionOf(s.meta).encode()
	return engine.Plan{Target: s.target, Summary: fmt.Sprintf("%s in %s is left as it is: %s", s.name(), s.target.Cluster, why), Noop: true, Precondition: seen}, err
}

// name is the target as people call it.
func (s scene) name() string {
	if s.target.Kind == kindNamespace {
		return "namespace " + s.target.Name
	}
	return fmt.Sprintf("%s %s/%s", s.target.Kind, s.target.Namespace, s.target.Name)
}

// plan is one that makes the flips. What says what that means, for a person.
func (s scene) plan(what string, all []flip) (engine.Plan, error) {
	seen, err := encode(flips{all})
	if err != nil {
		return engine.Plan{}, err
	}
	p := engine.Plan{Target: s.target, Summary: what, Precondition: seen}
	if len(s.left) > 0 {
		p.Summary += "; left as they are: " + strings.Join(s.left, ", ")
	}
	for _, f := range all {
		p.Changes = append(p.Changes, f.change())
	}
	return p, nil
}

// plus adds up; where nobody can tell of one, nobody can tell of all.
func plus(a, b *engine.Health) *engine.Health {
	if a == nil || b == nil {
		return nil
	}
	return &engine.Health{Total: a.Total + b.Total, Healthy: a.Healthy + b.Healthy, Disrupts: a.Disrupts + b.Disrupts}
}
