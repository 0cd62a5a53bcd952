package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// leftover is an object that may be one.
type leftover struct {
	Name string    `json:"name"`
	UID  types.UID `json:"uid"`

	version string
	// about is what a person wants to know beside its name, with a comma behind.
	about string
	// kept says that it bears the annotation, deleted that it is on its way out.
	kept, deleted, used bool
	// since is when it was last used, or may have been; zero if nothing tells.
	since time.Time
}

func leftoverOf(m *metav1.ObjectMeta) leftover {
	return leftover{
		Name: m.Name, UID: m.UID, version: m.ResourceVersion,
		kept: m.Annotations[KeepAnnotation] == "true", deleted: m.DeletionTimestamp != nil,
	}
}

// isLeft reports whether nothing has used it for so long.
func (l leftover) isLeft(grace time.Duration, now time.Time) bool {
	return !l.kept && !l.deleted && !l.used && !l.since.IsZero() && now.Sub(l.since) >= grace
}

// leftovers is the precondition of a cleanup's plans.
type leftovers struct {
	Left []leftover `json:"left"`
}

func decodeLeftovers(p engine.Plan, most int) (leftovers, error) {
	var plan leftovers
	if err := json.Unmarshal(p.Precondition, &plan); err != nil || len(plan.Left) == 0 || len(plan.Left) > most {
		return plan, remediators.Terminal("plan for %s: precondition %q names nothing, or too much, to delete", p.Target, p.Precondition)
	}
	for _, l := range plan.Left {
		if l.Name == "" || l.UID == "" {
			return plan, remediators.Terminal("plan for %s: precondition %q has one without name or uid", p.Target, p.Precondition)
		}
	}
	return plan, nil
}

// unusedKind is a kind of object that can be left over in a namespace.
type unusedKind interface {
	kind() string
	// list reads all that belong to the namespace; the error is classified.
	list(ctx context.Context, client *Client, namespace engine.Target) ([]leftover, error)
	// one reads a single one anew.
	one(ctx context.Context, client *Client, namespace engine.Target, name string) (leftover, error)
	// in is the namespace that the object is in.
	in(namespace engine.Target) string
}

// unusedVolumes are PersistentVolumes that outlived their claim, since their reclaim
// policy is Retain. Their status tells since when
// (https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/persistent-volume-v1).
type unusedVolumes struct{}

func (unusedVolumes) kind() string            { return kindVolume }
func (unusedVolumes) in(engine.Target) string { return "" }

func (unusedVolumes) list(ctx context.Context, client *Client, namespace engine.Target) ([]leftover, error) {
	var list corev1.PersistentVolumeList
	if err := client.list(ctx, kindVolume, "", namespace, selection{}, &list); err != nil {
		return nil, err
	}
	var all []leftover
	for i := range list.Items {
		if claim := list.Items[i].Spec.ClaimRef; claim != nil && claim.Namespace == namespace.Name {
			all = append(all, ofVolume(&list.Items[i]))
		}
	}
	return all, nil
}

func (unusedVolumes) one(ctx context.Context, client *Client, namespace engine.Target, name string) (leftover, error) {
	var v corev1.PersistentVolume
	if err := client.get(ctx, kindVolume, "", name, &v); err != nil {
		return leftover{}, err
	}
	l := ofVolume(&v)
	l.used = l.used || v.Spec.ClaimRef == nil || v.Spec.ClaimRef.Namespace != namespace.Name
	return l, nil
}

func ofVolume(v *corev1.PersistentVolume) leftover {
	l := leftoverOf(&v.ObjectMeta)
	l.used = v.Status.Phase != corev1.VolumeReleased || v.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimRetain
	if v.Spec.ClaimRef != nil {
		l.about = "was of claim " + v.Spec.ClaimRef.Name + ", "
	}
	if at := v.Status.LastPhaseTransitionTime; at != nil {
		l.since = at.Time
	}
	return l
}

// unusedBalancers are Services of type LoadBalancer that have no endpoint at all, ready
// or not: behind one that is not ready there still is something.
//
// Kubernetes does not tell since when. What it tells of the Service and of its
// EndpointSlices is when each field was last written, and taking the last endpoint away
// is such a write. The latest of all these, and of the Service's creation, is taken: it
// has been unused for at least so long. A Service without any EndpointSlice tells
// nothing.
type unusedBalancers struct{}

func (unusedBalancers) kind() string                      { return kindService }
func (unusedBalancers) in(namespace engine.Target) string { return namespace.Name }

func (k unusedBalancers) list(ctx context.Context, client *Client, namespace engine.Target) ([]leftover, error) {
	var list corev1.ServiceList
	if err := client.list(ctx, kindService, namespace.Name, namespace, selection{}, &list); err != nil {
		return nil, err
	}
	var slices discoveryv1.EndpointSliceList
	if err := client.list(ctx, kindEndpointSlice, namespace.Name, namespace, selection{}, &slices); err != nil {
		return nil, err
	}
	var all []leftover
	for i := range list.Items {
		if list.Items[i].Spec.Type == corev1.ServiceTypeLoadBalancer {
			all = append(all, ofService(&list.Items[i], slices.Items))
		}
	}
	return all, nil
}

func (unusedBalancers) one(ctx context.Context, client *Client, namespace engine.Target, name string) (leftover, error) {
	var s corev1.Service
	if err := client.get(ctx, kindService, namespace.Name, name, &s); err != nil {
		return leftover{}, err
	}
	var slices discoveryv1.EndpointSliceList
	only := selection{labels: labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: name})}
	if err := client.list(ctx, kindEndpointSlice, namespace.Name, namespace, only, &slices); err != nil {
		return leftover{}, err
	}
	return ofService(&s, slices.Items), nil
}

func ofService(s *corev1.Service, slices []discoveryv1.EndpointSlice) leftover {
	l := leftoverOf(&s.ObjectMeta)
	l.used = s.Spec.Type != corev1.ServiceTypeLoadBalancer
	written, told := lastWritten(&s.ObjectMeta)
	found := false
	for i := range slices {
		slice := &slices[i]
		if slice.Labels[discoveryv1.LabelServiceName] != s.Name {
			continue
		}
		at, ok := lastWritten(&slice.ObjectMeta)
		found, told = true, told && ok
		l.used = l.used || len(slice.Endpoints) > 0
		written = later(written, at)
	}
	if found && told {
		l.since = written
	}
	return l
}

// lastWritten is when an object was made, or one of its fields written last. ok is false
// if its managedFields do not tell.
func lastWritten(m *metav1.ObjectMeta) (at time.Time, ok bool) {
	at = m.CreationTimestamp.Time
	for i := range m.ManagedFields {
		if t := m.ManagedFields[i].Time; t != nil {
			at, ok = later(at, t.Time), true
		}
	}
	return at, ok
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// fate is what became of a leftover.
type fate int

const (
	fateDeleted fate = iota
	// fateGone is one that was deleted already, by an earlier call or by others.
	fateGone
	// fateSpared is one that is not left over any more.
	fateSpared
)

// delete deletes one, if it still is as it was. The error is classified.
func (c *Cleanup) delete(ctx context.Context, client *Client, at engine.Target, params cleanupParams, l leftover) (fate, error) {
	now, err := params.kind.one(ctx, client, at, l.Name)
	switch {
	case notFound(err), err == nil && (now.UID != l.UID || now.deleted):
		return fateGone, nil
	case err != nil:
		return 0, err
	case !now.isLeft(params.grace, c.now()):
		return fateSpared, nil
	}
	err = client.remove(ctx, params.kind.kind(), params.kind.in(at), now, false)
	if _, conflict := errors.AsType[conflictError](err); !conflict && !notFound(err) {
		return fateDeleted, err
	}
	// Written in between, or deleted.
	again, readErr := params.kind.one(ctx, client, at, l.Name)
	switch {
	case notFound(readErr), readErr == nil && (again.UID != l.UID || again.deleted):
		return fateGone, nil
	case readErr != nil:
		return 0, remediators.UnknownOutcome("%w; then: %w", err, readErr)
	case notFound(err):
		return 0, err // something on the way says so
	}
	return fateSpared, nil
}
