package kubernetes

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// mostResized is how many pods are resized one by one.
const mostResized = 200

// notInPlaceError says why pods cannot be resized, but could be replaced. Short is the
// same each time, since it is part of the plan.
type notInPlaceError struct {
	short string
	cause error
}

func (e notInPlaceError) Error() string {
	if e.cause == nil {
		return e.short
	}
	return e.short + ": " + e.cause.Error()
}

func (e notInPlaceError) Unwrap() error { return e.cause }

// inPlace plans to resize the pods that run. Auto says that none may be restarted by
// that.
func (p planning) inPlace(ctx context.Context, auto bool) (engine.Plan, error) {
	var not notInPlaceError
	restarts := false
	done := raised{precondition: preconditionOf(&p.w.meta), How: howInPlace}
	for i := range p.pods {
		pod := &p.pods[i]
		if handed(pod, p.task.ID) {
			return engine.Plan{}, remediators.UnknownOutcome("%s: task %s has already resized pod %s", p.w, p.task.ID, pod.Name)
		}
		seen := resized{Name: pod.Name, UID: pod.UID, Generation: pod.Generation}
		for _, r := range p.wanted {
			if c := containerOf(pod, r.Container); c != nil {
				seen.Containers = append(seen.Containers, r.from(c))
				restarts = restarts || restartsFor(c)
			}
		}
		done.Pods = append(done.Pods, seen)
		if pod.Generation == 0 {
			not.short = "this cluster counts no generations of pods, by which a change is known"
		}
	}
	switch {
	case len(p.pods) == 0:
		not.short = "it has no pods"
	case len(p.pods) > mostResized:
		not.short = fmt.Sprintf("it has more than %d pods", mostResized)
	case restarts && auto:
		not.short = "the resizePolicy of its containers asks for a restart"
	}
	if not.short != "" {
		return engine.Plan{}, not
	}
	if err := haveMemory(ctx, p.client, p.w, p.wanted, false); err != nil {
		return engine.Plan{}, err
	}
	for i := range done.Pods {
		if err := rehearseResize(ctx, p.client, &p.pods[i], done.Pods[i], p.task.ID); err != nil {
			return engine.Plan{}, err
		}
	}
	var changes []engine.Change
	for _, r := range p.wanted {
		changes = append(changes, r.changes("pods: spec.containers")...)
	}
	how, health := "without a restart", p.w.health.with(0)
	if restarts {
		how, health = "which restarts their containers", p.w.health.with(p.w.health.healthy())
	}
	return p.plan(done, fmt.Sprintf("resize the pods of %s in %s in place, %s, for as long as they last: %s", p.w, p.task.Target.Cluster, how, inWords(p.wanted)), changes, health)
}

// restartsFor reports whether a container is restarted for more memory.
func restartsFor(c *corev1.Container) bool {
	return slices.ContainsFunc(c.ResizePolicy, func(r corev1.ContainerResizePolicy) bool {
		return r.ResourceName == corev1.ResourceMemory && r.RestartPolicy == corev1.RestartContainer
	})
}

// rehearseResize has the API server go through a resize without making it.
func rehearseResize(ctx context.Context, client *Client, pod *corev1.Pod, seen resized, task string) error {
	err := seen.patch(ctx, client, pod.Namespace, "", task, false, map[string]string{"dryRun": metav1.DryRunAll})
	switch code := status(err); {
	case code == http.StatusNotFound && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse), code == http.StatusMethodNotAllowed:
		return notInPlaceError{"this cluster does not serve pods/resize", err}
	case code == http.StatusNotFound:
		return remediators.Retryable(0, "dry run: a pod was replaced meanwhile: %w", err)
	case code == http.StatusUnprocessableEntity:
		return notInPlaceError{"its pods cannot be resized so", err}
	}
	return rehearsed(err)
}

// resize resizes the pods that the plan saw. A worker that takes the task up goes on
// where the one before it stopped.
func (m *Memory) resize(ctx context.Context, t engine.Task, done raised) (string, error) {
	client, err := m.clusters.client(done.Target)
	if err != nil {
		return "", err
	}
	if err := done.Tasks.notYet(t.ID, done.Target); err != nil {
		return "", err
	}
	w, err := getWorkload(ctx, client, done.Target.Kind, done.Target.Namespace, done.Target.Name)
	if err != nil {
		return "", err
	}
	if w.meta.UID != done.UID {
		return "", remediators.PlanChanged("%s is another one than was planned", w)
	}
	what := fmt.Sprintf("resized the pods of %s in %s in place: %s", w, done.Target.Cluster, inWords(mostOf(done.Pods)))
	if marksOf(w.meta.Annotations).has(t.ID) {
		return what, nil
	}
	work := resizing{client: client, w: w, pods: done.Pods, task: t.ID}
	touched, err := work.run(ctx)
	switch {
	case err != nil:
		return "", err
	case touched == 0:
		return "", remediators.PlanChanged("the pods of %s were all replaced since they were planned for", w)
	}
	if err := m.markWorkload(ctx, done, t.ID); err != nil {
		return "", err
	}
	return what + work.await(ctx), nil
}

// mostOf is what the pods have in common: what each container gets, from the most
// that it has.
func mostOf(pods []resized) []raise {
	var all []raise
	for _, pod := range pods {
		for _, r := range pod.Containers {
			i := slices.IndexFunc(all, func(other raise) bool { return other.Container == r.Container })
			if i < 0 {
				all = append(all, r)
			} else if less(all[i].LimitFrom, r.LimitFrom) {
				all[i] = r
			}
		}
	}
	return all
}

// markWorkload writes a task's mark on the workload whose pods were changed, so that
// anybody can see it there, and so that it outlasts the pods. Nothing but annotations
// is written, whoever else writes the object.
func (m *Memory) markWorkload(ctx context.Context, done raised, task string) error {
	err := m.clusters.writeObject(ctx, task, done.Target, func(ctx context.Context, client *Client) (change, bool, error) {
		meta, err := client.meta(ctx, done.Target)
		if err != nil {
			return change{}, false, err
		}
		return change{seen: preconditionOf(meta)}, meta.UID != done.UID || marksOf(meta.Annotations).has(task), nil
	})
	if err != nil {
		return remediators.UnknownOutcome("the pods of %s are changed, but that is not marked: %w", done.Target, err)
	}
	return nil
}

// observeResize goes by the mark of the workload, which is written last, and by the
// pods as the plan saw them.
//
// Some resized and some not is as good as none: the next call does the rest and leaves
// those alone that were done. Each pod by itself refuses a second change.
func observeResize(ctx context.Context, client *Client, task string, done raised) (engine.Effect, error) {
	at := done.Target
	w, err := getWorkload(ctx, client, at.Kind, at.Namespace, at.Name)
	switch {
	case notFound(err):
		return engine.Unknown, nil
	case err != nil:
		return engine.Unknown, err
	case w.meta.UID != done.UID:
		return engine.Unknown, nil
	case marksOf(w.meta.Annotations).has(task):
		return engine.Applied, nil
	}
	states, err := resizing{client: client, w: w, pods: done.Pods, task: task}.look(ctx)
	if err != nil {
		return engine.Unknown, err
	}
	switch {
	case states.count(podForeign) > 0, states.count(podAsPlanned)+states.count(podOurs) == 0:
		return engine.Unknown, nil
	case states.count(podAsPlanned) > 0:
		return engine.NotApplied, nil
	}
	return engine.Applied, nil
}

// resizeBack puts the memory of the pods back that are still there: what came in
// their place is made from the template, which never changed.
func (m *Memory) resizeBack(ctx context.Context, t engine.Task, done raised) error {
	client, err := m.clusters.client(done.Target)
	if err != nil {
		return err
	}
	w, err := getWorkload(ctx, client, done.Target.Kind, done.Target.Namespace, done.Target.Name)
	if err != nil {
		return err
	}
	if back, err := done.isBack(w, t.Undoes); back || err != nil {
		return err
	}
	work := resizing{client: client, w: w, pods: done.Pods, task: t.Undoes, back: true}
	if _, err := work.run(ctx); err != nil {
		return err
	}
	return m.markWorkload(ctx, done, t.Undoes+undoSuffix)
}
