package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// undoFlips puts back each object that the task has changed, the last first, and goes
// on past those that cannot be.
func (c Clusters) undoFlips(ctx context.Context, t engine.Task, o engine.Outcome) error {
	before, err := beforeOf(t, o)
	if err != nil {
		return err
	}
	if t.Plan == nil {
		return remediators.Terminal("undo of task %s: without its plan nobody knows what it changed", t.Undoes)
	}
	all, err := flipsOf(*t.Plan, before)
	if err != nil {
		return err
	}
	many := t.Plan.Target.Kind == kindNamespace
	var failed []error
	for _, f := range slices.Backward(all) {
		at, gone := f.on(t.Plan.Target), false
		err := c.putBackObject(ctx, t, at, func(ctx context.Context, client *Client) (change, bool, error) {
			meta, now, err := f.now(ctx, client, at)
			if err != nil {
				gone = notFound(err)
				return change{}, false, err
			}
			gone = meta.UID != f.UID
			back, err := f.isBack(at, meta, now, t.Undoes)
			made := f.write(f.From)
			made.seen = preconditionOf(meta)
			return made, back, err
		})
		if err != nil && (!many || !gone) { // of many, one that is no more is nothing to put back
			failed = append(failed, err)
		}
	}
	return together(failed, len(all))
}

// isBack reports whether an object shows that a task was undone, or has not changed
// it, or why it cannot be put back.
func (f flip) isBack(at engine.Target, meta *metav1.ObjectMeta, now setting, task string) (bool, error) {
	marks := marksOf(meta.Annotations)
	switch {
	case meta.UID != f.UID:
		return false, remediators.Terminal("%s is not put back: it is another one of the same name", at)
	case meta.DeletionTimestamp != nil:
		return false, remediators.Terminal("%s is being deleted", at)
	case marks.has(task + undoSuffix), !marks.has(task) && now == f.From:
		return true, nil
	case now.Value != f.To.Value:
		return false, remediators.PlanChanged("%s is not put back: its %s was changed since, from the %q that was written to %q", at, f.field(), f.To.Value, now.Value)
	case !marks.has(task):
		return false, remediators.PlanChanged("%s is not put back: it does not show, or no longer shows, task %s", at, task)
	}
	return false, nil
}

// together makes one error of those of single objects. What trying again may mend
// comes first, since what is back already stays so.
func together(failed []error, of int) error {
	if len(failed) == 0 {
		return nil
	}
	if of == 1 {
		return failed[0]
	}
	texts := make([]string, 0, len(failed))
	classes := map[engine.Class]bool{}
	for _, err := range failed {
		texts = append(texts, err.Error())
		classes[remediators.ClassOf(err)] = true
	}
	err := fmt.Errorf("%d of %d objects are put back; %w", of-len(failed), of, errors.New(strings.Join(texts, "; ")))
	switch {
	case classes[engine.ClassUnknown]:
		return remediators.UnknownOutcome("%w", err)
	case classes[engine.ClassRetryable]:
		return remediators.Retryable(0, "%w", err)
	case classes[engine.ClassPlanChanged]:
		return remediators.PlanChanged("%w", err)
	}
	return remediators.Terminal("%w", err)
}
