package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Rollback puts the pod template of an earlier revision back, as `kubectl rollout
// undo` does: the workload's own rolling update does the rest. Nothing else of the
// spec goes back, so the replicas stay.
//
// kubectl goes to the revision before, and so, told twice, forward again to the one
// that was bad; and told after a restart, which makes a revision of its own, to the
// same images. Here what only a restart tells from the present revision counts as
// the same, and a revision that a rollback has left is passed over, until somebody
// rolls it out anew.
type Rollback struct{ clusters Clusters }

// NewRollback makes the action.
func NewRollback(clusters Clusters) *Rollback { return &Rollback{clusters: clusters} }

// Spec implements [remediators.Remediator].
func (*Rollback) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "kubernetes.rollback",
		System:  engine.SystemKubernetes,
		Summary: "Puts the pod template of an earlier revision of a Deployment, StatefulSet or DaemonSet back.",
		Params:  json.RawMessage(rollbackSchema),
		Fenced:  true,
		Health:  true,
	}
}

// Rules is what it needs to be allowed.
func (*Rollback) Rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		may([]string{"get", "patch"}, kindDeployment, kindStatefulSet, kindDaemonSet),
		may([]string{"get", "list"}, kindReplicaSet),
		may([]string{"list"}, kindControllerRevision),
		may([]string{"get"}, kindPod),
	}
}

// rolledBack is what a rollback is, without the templates, which may hold secrets:
// it is the plan's precondition and the outcome's Before.
type rolledBack struct {
	precondition

	Target engine.Target `json:"target"`
	// From and To are the uids of the history's entries, FromTemplate and ToTemplate
	// stand for their templates.
	From         types.UID `json:"from"`
	To           types.UID `json:"to"`
	FromTemplate string    `json:"fromTemplate"`
	ToTemplate   string    `json:"toTemplate"`
	// Left are the rollouts that are not to be gone back to.
	Left left `json:"left"`
	// FromRevision and ToRevision are the numbers, for people.
	FromRevision int64 `json:"fromRevision"`
	ToRevision   int64 `json:"toRevision"`
}

func decodeRolledBack(raw json.RawMessage, of fmt.Stringer) (rolledBack, error) {
	var b rolledBack
	if err := json.Unmarshal(raw, &b); err != nil {
		return b, remediators.Terminal("rollback of %s: %q: %w", of, raw, err)
	}
	if b.UID == "" || b.From == "" || b.To == "" || b.FromTemplate == "" || b.ToTemplate == "" {
		return b, remediators.Terminal("rollback of %s: %q names no object, or no revisions", of, raw)
	}
	return b, nil
}

// Plan implements [remediators.Remediator].
func (r *Rollback) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	params, err := rollbackParamsOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	client, w, err := r.clusters.unchanged(ctx, t)
	if err != nil {
		return engine.Plan{}, err
	}
	if w.halted != "" {
		return engine.Plan{}, remediators.Terminal("%s cannot be rolled back: %s", w, w.halted)
	}
	all, err := client.history(ctx, w.owner())
	if err != nil {
		return engine.Plan{}, err
	}
	p, err := planRollback(t.Target.Cluster, w, all, params)
	if err != nil {
		return engine.Plan{}, err
	}
	done, err := decodeRolledBack(p.Precondition, p.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	made, err := templateOfRevision(ctx, client, w, done.To, done.ToTemplate, leftOf(w).with(done.Left))
	if err != nil {
		return engine.Plan{}, err
	}
	return p, r.clusters.rehearse(ctx, client, t, p, made)
}

func planRollback(cluster string, w *workload, all []revision, params rollbackParams) (engine.Plan, error) {
	from, err := currentOf(w, all)
	if err != nil {
		return engine.Plan{}, err
	}
	choice, err := params.choose(w, all[:len(all)-1], from)
	if err != nil {
		return engine.Plan{}, err
	}
	done, changes, err := compareRevisions(w, from, choice.to)
	if err != nil {
		return engine.Plan{}, err
	}
	done.precondition, done.Target = preconditionOf(&w.meta), w.target(cluster)
	for _, r := range choice.kin {
		done.Left = append(done.Left, r.rollout())
	}
	seen, err := encode(done)
	if err != nil {
		return engine.Plan{}, err
	}
	return engine.Plan{
		Target:       done.Target,
		Summary:      fmt.Sprintf("roll %s in %s back from revision %d to %d (template %s)%s", w, cluster, from.number, choice.to.number, done.ToTemplate, choice.why),
		Changes:      changes,
		Health:       w.health.restarted(),
		Precondition: seen,
	}, nil
}

// Execute implements [remediators.Remediator].
func (r *Rollback) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	done, err := decodeRolledBack(p.Precondition, p.Target)
	if err != nil {
		return engine.Outcome{}, err
	}
	before, err := encode(done)
	if err != nil {
		return engine.Outcome{}, err
	}
	err = r.clusters.carryOut(ctx, t, p, func(ctx context.Context, client *Client) (change, error) {
		w, err := getWorkload(ctx, client, p.Target.Kind, p.Target.Namespace, p.Target.Name)
		if err != nil {
			return change{}, err
		}
		// What this read of the object has, the plan's version fences.
		return templateOfRevision(ctx, client, w, done.To, done.ToTemplate, leftOf(w).with(done.Left))
	})
	if err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{
		Summary: fmt.Sprintf("rolled %s %s/%s in %s back from revision %d to %d",
			p.Target.Kind, p.Target.Namespace, p.Target.Name, p.Target.Cluster, done.FromRevision, done.ToRevision),
		Before: before,
	}, nil
}

// templateOfRevision is the change that puts a revision's template in the place of
// the object's.
func templateOfRevision(ctx context.Context, client *Client, w *workload, uid types.UID, template string, left left) (change, error) {
	all, err := client.history(ctx, w.owner())
	if err != nil {
		return change{}, err
	}
	for _, r := range all {
		if r.uid != uid {
			continue
		}
		pods, err := r.pods()
		if err != nil {
			return change{}, err
		}
		if have, err := templateOf(pods); err != nil || have != template {
			return change{}, remediators.PlanChanged("%s: revision %s has another template now", w, r.name)
		}
		raw, err := r.whole()
		if err != nil {
			return change{}, err
		}
		return change{spec: map[string]any{"template": raw}, annotations: left.annotations(), as: types.StrategicMergePatchType}, nil
	}
	return change{}, remediators.PlanChanged("%s: the revision with template %s is no longer in its history", w, template)
}

// whole is the template as a strategic merge patch takes it to replace all that is
// there, with the fields, too, that the API's types here do not know.
func (r revision) whole() (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(r.template))
	d.UseNumber()
	var raw map[string]any
	if err := d.Decode(&raw); err != nil {
		return nil, remediators.Terminal("revision %s: pod template: %w", r.name, err)
	}
	withoutHash(raw)
	raw["$patch"] = "replace"
	return raw, nil
}

// Observe implements [remediators.Remediator].
func (r *Rollback) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	client, err := r.clusters.client(p.Target)
	if err != nil {
		return engine.Unknown, err
	}
	done, err := decodeRolledBack(p.Precondition, p.Target)
	if err != nil {
		return engine.Unknown, err
	}
	return observe(ctx, client, t.ID, p, func(w *workload) bool {
		have, err := templateOf(w.pods)
		return err != nil || have == done.ToTemplate
	})
}

// Undo implements [remediators.Undoer]: it puts the template back that was left,
// unless somebody has changed it since. An outcome that was observed has no Before;
// t.Plan, the plan that was executed, then tells the same.
func (r *Rollback) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	raw, err := beforeOf(t, o)
	if err != nil {
		return err
	}
	done, err := decodeRolledBack(raw, t.Target)
	if err != nil {
		return err
	}
	return r.clusters.putBack(ctx, t, done.Target, func(ctx context.Context, client *Client, w *workload) (change, bool, error) {
		if back, err := done.isBack(w, t.Undoes); back || err != nil {
			return change{}, back, err
		}
		made, err := templateOfRevision(ctx, client, w, done.From, done.FromTemplate, leftOf(w).without(done.Left))
		return made, false, err
	})
}

// isBack reports whether an object shows that a task was undone, or why it cannot
// be.
func (b rolledBack) isBack(w *workload, task string) (bool, error) {
	have, err := templateOf(w.pods)
	if err != nil {
		return false, err
	}
	changed := ""
	if have != b.ToTemplate {
		changed = fmt.Sprintf("its template was changed since it was rolled back to %d", b.ToRevision)
	}
	return isBack(&w.meta, b.UID, task, fmt.Sprintf("%s is not rolled forward to revision %d", w, b.FromRevision), changed)
}
