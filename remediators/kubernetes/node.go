package kubernetes

import (
	"context"
	"encoding/json"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// CordonAnnotation holds the id of the task that last closed a node which was open.
const CordonAnnotation = "paramedic.dev/cordoned-by"

const fieldUnschedulable = "spec.unschedulable"

// nodeClient finds the client for a target that must be a node.
func (c Clusters) nodeClient(at engine.Target) (*Client, error) {
	client, err := c.client(at)
	if err == nil && at.Kind != kindNode {
		err = remediators.Terminal("target %q: kind is %s, want %s", at, at.Kind, kindNode)
	}
	return client, err
}

// nodeSeen is a node as a plan saw it.
type nodeSeen struct {
	precondition
	// Cordoned says that it took no pods then.
	Cordoned bool `json:"cordoned,omitempty"`
}

func nodeSeenOf(node *corev1.Node) nodeSeen {
	return nodeSeen{precondition: preconditionOf(&node.ObjectMeta), Cordoned: node.Spec.Unschedulable}
}

func (s nodeSeen) encode() (json.RawMessage, error) { return encode(s) }

func decodeNodeSeen(p engine.Plan) (nodeSeen, error) {
	var seen nodeSeen
	if _, err := decodePrecondition(p); err != nil {
		return seen, err
	}
	if err := json.Unmarshal(p.Precondition, &seen); err != nil {
		return seen, remediators.Terminal("plan for %s: precondition %q: %w", p.Target, p.Precondition, err)
	}
	return seen, nil
}

// planNode reads a node that a task is to close.
func planNode(ctx context.Context, client *Client, t engine.Task) (*corev1.Node, error) {
	var node corev1.Node
	if err := client.get(ctx, kindNode, "", t.Target.Name, &node); err != nil {
		return nil, err
	}
	if node.DeletionTimestamp != nil {
		return nil, remediators.Terminal("node %s is being deleted", node.Name)
	}
	return &node, marksOf(node.Annotations).notYet(t.ID, t.Target)
}

// leaves refuses to close a node that would leave fewer others than least which are
// ready and take pods. One with a taint takes some only, and whose they are is for the
// scheduler to say.
func leaves(ctx context.Context, client *Client, at engine.Target, least int) error {
	var list corev1.NodeList
	if err := client.list(ctx, kindNode, "", at, selection{}, &list); err != nil {
		return err
	}
	others := 0
	for i := range list.Items {
		if n := &list.Items[i]; n.Name != at.Name && takesPods(n) {
			others++
		}
	}
	if others < least {
		return remediators.Terminal("node %s stays open: of the others %d are ready and take any pods, and minReadyNodes is %d", at.Name, others, least)
	}
	return nil
}

func takesPods(n *corev1.Node) bool {
	if n.Spec.Unschedulable || n.DeletionTimestamp != nil {
		return false
	}
	if slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Effect != corev1.TaintEffectPreferNoSchedule }) {
		return false
	}
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// closed is the change that closes a node as it is.
func closed(node *corev1.Node, task string) change {
	made := change{seen: preconditionOf(&node.ObjectMeta), task: task}
	if !node.Spec.Unschedulable {
		made.spec = map[string]any{"unschedulable": true}
		made.annotations = map[string]any{CordonAnnotation: task}
	}
	return made
}

// cordon closes the planned node, if it still is as open as it was planned, and marks
// it with the task. Again it does nothing. A call that comes late is refused by the API
// server, since something was written after the read that it goes by.
func (c Clusters) cordon(ctx context.Context, t engine.Task, p engine.Plan, least int) error {
	seen, err := decodeNodeSeen(p)
	if err != nil {
		return err
	}
	if _, err := c.nodeClient(p.Target); err != nil {
		return err
	}
	return c.writeObject(ctx, t.ID, p.Target, func(ctx context.Context, client *Client) (change, bool, error) {
		var node corev1.Node
		if err := client.get(ctx, kindNode, "", p.Target.Name, &node); err != nil {
			return change{}, false, err
		}
		marked := marksOf(node.Annotations).has(t.ID)
		switch {
		case node.UID != seen.UID, node.DeletionTimestamp != nil:
			return change{}, false, remediators.PlanChanged("%s is being deleted, or another one of the same name", p.Target)
		case marked && node.Spec.Unschedulable:
			return change{}, true, nil
		case marked:
			return change{}, false, remediators.UnknownOutcome("%s: task %s has cordoned it, and somebody has opened it since", p.Target, t.ID)
		case node.Spec.Unschedulable != seen.Cordoned:
			return change{}, false, remediators.PlanChanged("%s was cordoned or opened by somebody since it was planned", p.Target)
		case node.Spec.Unschedulable:
			return closed(&node, t.ID), false, nil
		}
		return closed(&node, t.ID), false, leaves(ctx, client, p.Target, least)
	})
}

// cordoned is an Outcome's Before: what an undo needs.
type cordoned struct {
	Target engine.Target `json:"target"`
	UID    types.UID     `json:"uid"`
	// Before says that the node took no pods before either.
	Before bool `json:"before,omitempty"`
}

func cordonedBy(p engine.Plan) (cordoned, error) {
	seen, err := decodeNodeSeen(p)
	return cordoned{Target: p.Target, UID: seen.UID, Before: seen.Cordoned}, err
}

// uncordon opens a node that a task has closed, and only if it is as that task has left
// it. An outcome that was observed has no Before; the plan then tells the same.
func (c Clusters) uncordon(ctx context.Context, t engine.Task, o engine.Outcome) error {
	var done cordoned
	if t.Undoes == "" {
		return remediators.Terminal("undo task %s does not name the task that it undoes", t.ID)
	}
	var err error
	if len(o.Before) == 0 && t.Plan != nil {
		done, err = cordonedBy(*t.Plan)
	} else if json.Unmarshal(o.Before, &done) != nil || done.UID == "" {
		err = remediators.Terminal("undo of task %s: what was before, %q, names no node", t.Undoes, o.Before)
	}
	if err != nil {
		return err
	}
	if _, err := c.nodeClient(done.Target); err != nil {
		return err
	}
	return c.putBackObject(ctx, t, done.Target, func(ctx context.Context, client *Client) (change, bool, error) {
		var node corev1.Node
		if err := client.get(ctx, kindNode, "", done.Target.Name, &node); err != nil {
			return change{}, false, err
		}
		back, err := done.isBack(&node, t.Undoes)
		return change{
			seen: preconditionOf(&node.ObjectMeta), spec: map[string]any{"unschedulable": nil},
			annotations: map[string]any{CordonAnnotation: nil},
		}, back, err
	})
}

// isBack reports whether there is nothing to put back, or why it cannot be.
func (d cordoned) isBack(node *corev1.Node, task string) (bool, error) {
	switch {
	case node.UID != d.UID:
		return false, remediators.Terminal("%s is not opened: it is another one of the same name", d.Target)
	case marksOf(node.Annotations).has(task + undoSuffix), d.Before:
		return true, nil
	case !node.Spec.Unschedulable:
		return false, remediators.PlanChanged("%s is not opened: somebody has done so since", d.Target)
	case node.Annotations[CordonAnnotation] != task || !oursClosed(&node.ObjectMeta):
		return false, remediators.PlanChanged("%s is not opened: it was cordoned anew since, by somebody who may still need that", d.Target)
	}
	return false, nil
}

// oursClosed reports whether the value that a node is closed by is one that was written
// from here: whoever opens a node and closes it again takes the field over
// (https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management).
func oursClosed(m *metav1.ObjectMeta) bool {
	for i := range m.ManagedFields {
		entry := &m.ManagedFields[i]
		if entry.Manager != fieldManager || entry.FieldsV1 == nil {
			continue
		}
		var owned struct {
			Spec map[string]json.RawMessage `json:"f:spec"`
		}
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &owned); err != nil {
			continue
		}
		if _, ok := owned.Spec["f:unschedulable"]; ok {
			return true
		}
	}
	return false
}

// observeNode concludes whether a task has marked a node.
func observeNode(ctx context.Context, client *Client, t engine.Task, p engine.Plan) (engine.Effect, *corev1.Node, error) {
	var node corev1.Node
	effect, err := observeObject(t.ID, p, func() (*metav1.ObjectMeta, bool, error) {
		err := client.get(ctx, kindNode, "", p.Target.Name, &node)
		return &node.ObjectMeta, node.Spec.Unschedulable, err
	})
	return effect, &node, err
}
