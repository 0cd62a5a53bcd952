package kubernetes

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/remediators"
)

// revisionAnnotation is where a Deployment's controller writes the number, on
// the ReplicaSet and then on the Deployment.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// owner is the workload that a history is of.
type owner struct {
	kind, namespace, name string
	uid                   types.UID
	labels                *metav1.LabelSelector
}

func (w *workload) owner() owner {
	return owner{kind: w.kind, namespace: w.meta.Namespace, name: w.meta.Name, uid: w.meta.UID, labels: w.labels}
}

func (o owner) String() string { return fmt.Sprintf("%s %s/%s", o.kind, o.namespace, o.name) }

// recordKind is the kind of object that the controller keeps the history in.
func (o owner) recordKind() string {
	if o.kind == kindDeployment {
		return kindReplicaSet
	}
	return kindControllerRevision
}

// revision is one entry of a history: a ReplicaSet of a Deployment, a
// ControllerRevision of the other kinds.
type revision struct {
	uid  types.UID
	name string
	// number is what `kubectl rollout history` shows. A template that is rolled out
	// again keeps its entry, which then gets the next number.
	number int64
	// began is when the number was written; of a ReplicaSet, which is written for
	// other reasons too, only when it was made.
	began time.Time
	// template is the pod template as it is stored: with fields, too, that the API's
	// types here do not know.
	template json.RawMessage
}

// rollout tells this rollout from all others, also from those of the same
// template, and from those before somebody deleted the history, after which the
// controller may count from 1 again.
func (r revision) rollout() string { return fmt.Sprintf("%s/%d", r.uid, r.number) }

func (r revision) pods() (corev1.PodTemplateSpec, error) {
	var pods corev1.PodTemplateSpec
	if err := json.Unmarshal(r.template, &pods); err != nil {
		return pods, remediators.Terminal("revision %s: pod template: %w", r.name, err)
	}
	return pods, nil
}

// history reads the revisions of a workload, oldest first. The error is classified.
func (c *Client) history(ctx context.Context, of owner) ([]revision, error) {
	kind := of.recordKind()
	selector, err := metav1.LabelSelectorAsSelector(of.labels)
	if err != nil {
		return nil, remediators.Terminal("%s: selector: %w", of, err)
	}
	// The API's types would lose what a newer API server has in a template.
	var list struct {
		Items []record `json:"items"`
	}
	if err := c.list(ctx, kind, of.namespace, of, selection{labels: selector}, &list); err != nil {
		return nil, err
	}
	var all []revision
	for i := range list.Items {
		if r, ok := list.Items[i].revision(of); ok {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b revision) int {
		return cmp.Or(cmp.Compare(a.number, b.number), a.began.Compare(b.began), cmp.Compare(a.name, b.name))
	})
	return all, nil
}

// record is a ReplicaSet, or a ControllerRevision.
type record struct {
	metav1.ObjectMeta `json:"metadata"`

	Spec     withTemplate `json:"spec"`
	Revision int64        `json:"revision"`
	Data     struct {
		Spec withTemplate `json:"spec"`
	} `json:"data"`
}

type withTemplate struct {
	Template json.RawMessage `json:"template"`
}

// revision reports false for what is not an entry of the history.
func (r *record) revision(of owner) (revision, bool) {
	by := metav1.GetControllerOfNoCopy(&r.ObjectMeta)
	if by == nil || by.UID != of.uid {
		return revision{}, false
	}
	made := revision{uid: r.UID, name: r.Name, number: r.Revision, began: r.CreationTimestamp.Time, template: r.Data.Spec.Template}
	if of.recordKind() == kindReplicaSet {
		n, err := strconv.ParseInt(r.Annotations[revisionAnnotation], 10, 64)
		if err != nil {
			return revision{}, false // its controller has yet to count it
		}
		made.number, made.template = n, r.Spec.Template
		return made, true
	}
	for i := range r.ManagedFields {
		f := &r.ManagedFields[i]
		if f.Time != nil && f.FieldsV1 != nil && bytes.Contains(f.FieldsV1.GetRawBytes(), []byte(`"f:revision"`)) && f.Time.After(made.began) {
			made.began = f.Time.Time
		}
	}
	return made, true
}

// essence is what a template has in common with those that only a restart tells
// from it: all but the marks of restarts.
func (r revision) essence() (string, error) {
	pods, err := r.pods()
	if err != nil {
		return "", err
	}
	delete(pods.Annotations, RestartedAnnotation)
	delete(pods.Annotations, TaskAnnotation)
	return templateOf(pods)
}

// restarts reports whether it has the template of the one before, which may be nil,
// but for the marks of a restart.
func (r revision) restarts(before *revision) (bool, error) {
	if before == nil {
		return false, nil
	}
	mine, err := r.essence()
	if err != nil {
		return false, err
	}
	others, err := before.essence()
	return mine == others, err
}

// templateOf is what a Deployment's own template and its ReplicaSet's have in
// common if the one was made from the other: all but the controller's label.
func templateOf(pods corev1.PodTemplateSpec) (string, error) {
	pods = *pods.DeepCopy()
	delete(pods.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return (&workload{pods: pods}).templateHash()
}
