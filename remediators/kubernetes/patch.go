package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// change is one write of one object, fenced by the version it was planned on.
type change struct {
	seen precondition
	// task is what the write is marked with.
	task string
	// spec is merged into the object's.
	spec map[string]any
	// annotations are further ones of the object; nil takes one away.
	annotations map[string]any
	// as is the kind of the patch; empty means a merge patch.
	as types.PatchType
}

func (c change) body() ([]byte, error) {
	annotations := c.seen.Tasks.add(c.task).annotations()
	maps.Copy(annotations, c.annotations)
	metadata := map[string]any{"annotations": annotations}
	if c.seen.ResourceVersion != "" {
		metadata["resourceVersion"] = c.seen.ResourceVersion
	}
	patch := map[string]any{"metadata": metadata}
	if c.spec != nil {
		patch["spec"] = c.spec
	}
	b, err := json.Marshal(patch)
	if err != nil {
		return nil, remediators.Terminal("patch does not encode: %w", err)
	}
	return b, nil
}

// send sends the change once. The error is classified, or a conflictError.
func (c change) send(ctx context.Context, client *Client, kind, namespace, name string) error {
	answer, err := c.patch(ctx, client, kind, namespace, name, nil)
	if err != nil {
		return err
	}
	if err := c.shownBy(answer); err != nil {
		return remediators.UnknownOutcome("patch %s %s/%s: %w", kind, namespace, name, err)
	}
	return nil
}

// rehearse has the API server go through the change without making it: validation,
// admission and rights. It goes by the object as it is, since it proves nothing about
// versions. An error is classified, and never of an unknown outcome.
func (c change) rehearse(ctx context.Context, client *Client, at engine.Target) error {
	c.seen.ResourceVersion = ""
	_, err := c.patch(ctx, client, at.Kind, at.Namespace, at.Name, map[string]string{"dryRun": metav1.DryRunAll})
	return rehearsed(err)
}

func (c change) patch(ctx context.Context, client *Client, kind, namespace, name string, params map[string]string) ([]byte, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	r, err := of(client.api.Patch(cmp.Or(c.as, types.MergePatchType)), kind, namespace)
	if err != nil {
		return nil, err
	}
	r = r.Name(name).Param("fieldManager", fieldManager).Body(body)
	for k, v := range params {
		r = r.Param(k, v)
	}
	return write(ctx, r, fmt.Sprintf("patch %s %s/%s", kind, namespace, name))
}

// shownBy reads the object that the API server answers with, since something else
// on the way can answer 200 as well.
func (c change) shownBy(answer []byte) error {
	var object metav1.PartialObjectMetadata
	if err := json.Unmarshal(answer, &object); err != nil {
		return fmt.Errorf("answered with success, but not with an object: %w", err)
	}
	if !marksOf(object.Annotations).has(c.task) {
		return fmt.Errorf("answered with success, but the object does not show task %s", c.task)
	}
	return nil
}
