package kubernetes

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// rollout plans a change of the template.
func (p planning) rollout(ctx context.Context) (engine.Plan, error) {
	if p.w.halted != "" {
		return engine.Plan{}, remediators.Terminal("%s gets no more memory by a rollout: %s%s", p.w, p.w.halted, p.note)
	}
	done := raised{precondition: preconditionOf(&p.w.meta), How: howRollout}
	var changes []engine.Change
	for _, r := range p.wanted {
		for i := range p.w.pods.Spec.Containers {
			if c := &p.w.pods.Spec.Containers[i]; c.Name == r.Container {
				own := r.from(c)
				done.Containers = append(done.Containers, own)
				changes = append(changes, own.changes("spec.template.spec.containers")...)
			}
		}
	}
	if err := haveMemory(ctx, p.client, p.w, p.wanted, true); err != nil {
		return engine.Plan{}, err
	}
	planned, err := p.plan(done, fmt.Sprintf("raise the memory of %s in %s by a rollout, which replaces its pods: %s", p.w, p.task.Target.Cluster, inWords(p.wanted)), changes, p.w.health.restarted())
	if err != nil {
		return planned, err
	}
	return planned, p.clusters.rehearse(ctx, p.client, p.task, planned, done.template(false))
}

// template is the change of the template; back turns it round.
func (r raised) template(back bool) change {
	return change{
		spec: map[string]any{"template": map[string]any{"spec": map[string]any{"containers": containersPatch(r.Containers, back)}}},
		as:   types.StrategicMergePatchType,
	}
}

func (r raised) inTemplate(w *workload) bool { return allStandIn(r.Containers, w.pods.Spec.Containers) }

func (m *Memory) rollOut(ctx context.Context, t engine.Task, p engine.Plan, done raised) (string, error) {
	err := m.clusters.carryOut(ctx, t, p, func(context.Context, *Client) (change, error) { return done.template(false), nil })
	return fmt.Sprintf("raised the memory of %s %s in %s by a rollout: %s", p.Target.Kind, nameOf(p.Target), p.Target.Cluster, inWords(done.Containers)), err
}

// rollBack puts the template's memory back.
func (m *Memory) rollBack(ctx context.Context, t engine.Task, done raised) error {
	return m.clusters.putBack(ctx, t, done.Target, func(_ context.Context, _ *Client, w *workload) (change, bool, error) {
		back, err := done.isBack(w, t.Undoes)
		return done.template(true), back, err
	})
}

// isBack reports whether a workload shows that a task was undone, or why it cannot
// be.
func (r raised) isBack(w *workload, task string) (bool, error) {
	marks := marksOf(w.meta.Annotations)
	switch {
	case w.meta.UID != r.UID:
		return false, remediators.Terminal("the memory of %s is not put back: it is another one of the same name", w)
	case w.meta.DeletionTimestamp != nil:
		return false, remediators.Terminal("%s is being deleted", w)
	case marks.has(task + undoSuffix):
		return true, nil
	case r.How == howRollout && !r.inTemplate(w):
		return false, remediators.PlanChanged("the memory of %s is not put back: it was changed since, from %s", w, inWords(r.Containers))
	case r.How == howRollout && !marks.has(task):
		return false, remediators.PlanChanged("the memory of %s is not put back: it was changed so often since that it no longer shows task %s", w, task)
	}
	return false, nil
}
