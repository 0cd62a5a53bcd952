package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/remediators"
)

// fieldManager names Paramedic in an object's managedFields.
const fieldManager = "paramedic"

// change is one write of one workload, fenced by the version it was planned on.
type change struct {
	seen precondition
	// task is what the write is marked with.
	task string
	// spec is merged into the object's.
	spec map[string]any
	// annotations are further ones of the object.
	annotations map[string]any
	// as is the kind of the patch; empty means a merge patch.
	as types.PatchType
}

func (c change) body() ([]byte, error) {
	annotations := c.seen.Tasks.add(c.task).annotations()
	maps.Copy(annotations, c.annotations)
	b, err := json.Marshal(map[string]any{
		"metadata": map[string]any{
			"resourceVersion": c.seen.ResourceVersion,
			"annotations":     annotations,
		},
		"spec": c.spec,
	})
	if err != nil {
		return nil, remediators.Terminal("patch does not encode: %w", err)
	}
	return b, nil
}

// conflictError is the API server's word that the object was written since: it
// refused the change, unless something on the way had sent it twice.
type conflictError struct{ error }

func (e conflictError) Unwrap() error { return e.error }

// send sends the change once. The error is classified, or a conflictError.
func (c change) send(ctx context.Context, client *Client, kind, namespace, name string) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	// Until a connection is there, nothing can have been sent on it.
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	answer, err := client.patchOnce(ctx, cmp.Or(c.as, types.MergePatchType), kind, namespace, name, body)
	const format = "patch %s %s/%s: %w"
	switch code := status(err); {
	case err == nil:
		if err := c.shownBy(answer); err != nil {
			return remediators.UnknownOutcome(format, kind, namespace, name, err)
		}
		return nil
	case code == 0 && !connected.Load(), code == http.StatusTooManyRequests:
		return remediators.Retryable(retryAfter(err), format, kind, namespace, name, err)
	case code == http.StatusConflict:
		return conflictError{err}
	case refused(code):
		return remediators.Terminal(format, kind, namespace, name, err)
	default:
		return remediators.UnknownOutcome(format, kind, namespace, name, err)
	}
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
