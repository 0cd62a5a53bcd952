package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Undo implements [remediators.Undoer]. An outcome that was observed has no
// Before; t.Plan, the plan that was executed, then tells the same. Undo refuses,
// with the class plan-changed, where the number is no longer the one that
// Execute wrote, or the object no longer shows that it did.
func (s *Scale) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	done, err := scaledBy(t, o)
	if err != nil {
		return err
	}
	at, err := done.lever()
	if err != nil {
		return err
	}
	return s.clusters.putBackObject(ctx, t, done.Target, func(ctx context.Context, client *Client) (change, bool, error) {
		meta, now, err := at.read(ctx, client)
		if err != nil {
			return change{}, false, err
		}
		back, err := done.isBack(meta, now, t.Undoes)
		return change{seen: preconditionOf(meta), spec: at.spec(done.From)}, back, err
	})
}

func (s scaled) String() string {
	return fmt.Sprintf("%s %s/%s", s.Target.Kind, s.Target.Namespace, s.Target.Name)
}

// lever is the number that was written.
func (s scaled) lever() (lever, error) {
	switch s.Target.Kind {
	case kindDeployment, kindStatefulSet:
		return ownLever(s.Target), nil
	case kindPodAutoscaler, kindScaledObject:
		return lever{at: s.Target, field: minimumFields()[s.Target.Kind]}, nil
	}
	return lever{}, remediators.Terminal("%s is nothing that scaling writes", s)
}

// isBack reports whether an object shows that a task was undone, or why it cannot
// be.
func (s scaled) isBack(meta *metav1.ObjectMeta, now *int32, task string) (bool, error) {
	changed := ""
	if now == nil || *now != s.To {
		changed = fmt.Sprintf("its number was changed since, from the %d that were written", s.To)
	}
	return isBack(meta, s.UID, task, fmt.Sprintf("%s is not scaled back to %s", s, s.was()), changed)
}

func (s scaled) was() string {
	if s.From == nil {
		return "no number of its own"
	}
	return itoa(*s.From)
}

// scaledBy is what was done, as the outcome or else the task's plan tells.
func scaledBy(t engine.Task, o engine.Outcome) (scaled, error) {
	var done scaled
	if t.Undoes == "" {
		return done, remediators.Terminal("undo task %s does not name the task that it undoes", t.ID)
	}
	if len(o.Before) == 0 && t.Plan != nil {
		seen, err := decodePrecondition(*t.Plan)
		if err != nil {
			return done, err
		}
		made, err := scalingOf(*t.Plan)
		return scaled{Target: made.lever.at, UID: seen.UID, From: made.from, To: made.to}, err
	}
	if err := json.Unmarshal(o.Before, &done); err != nil {
		return done, remediators.Terminal("undo of task %s: what was before, %q: %w", t.Undoes, o.Before, err)
	}
	at, err := done.lever()
	if err != nil || done.UID == "" || at.own() && (done.From == nil || *done.From < 1) {
		return done, remediators.Terminal("undo of task %s: what was before, %q, names no object or no replicas", t.Undoes, o.Before)
	}
	return done, nil
}
