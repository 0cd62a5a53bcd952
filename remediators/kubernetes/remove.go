package kubernetes

import (
	"context"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/remediators"
)

// remove deletes an object once, if it is the one of that uid and version. The error is
// classified, or a conflictError.
func (c *Client) remove(ctx context.Context, kind, namespace string, l leftover, rehearse bool) error {
	what := "delete " + kind + " " + namespace + "/" + l.Name
	options := metav1.DeleteOptions{
		TypeMeta:      metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"},
		Preconditions: &metav1.Preconditions{UID: &l.UID, ResourceVersion: &l.version},
	}
	if rehearse {
		options.DryRun = []string{metav1.DryRunAll}
	}
	body, err := json.Marshal(options)
	if err != nil {
		return remediators.Terminal("%s: it does not encode: %w", what, err)
	}
	r, err := of(c.api.Delete(), kind, namespace)
	if err != nil {
		return err
	}
	r = r.Name(l.Name).SetHeader("Content-Type", "application/json").Body(body)
	if rehearse {
		// The API server goes by the body alone; this is for whoever reads its log.
		r = r.Param("dryRun", metav1.DryRunAll)
	}
	answer, err := write(ctx, r, what)
	if err != nil {
		return err
	}
	// It is a Status that says so, or the object, which its finalizers still keep.
	var said struct {
		Status   json.RawMessage   `json:"status"`
		Metadata metav1.ObjectMeta `json:"metadata"`
	}
	if err := json.Unmarshal(answer, &said); err != nil || string(said.Status) != `"`+metav1.StatusSuccess+`"` && said.Metadata.UID != l.UID {
		return remediators.UnknownOutcome("%s: answered with success, but not with what was deleted", what)
	}
	return nil
}

// rehearseRemoval has the API server go through a deletion without making it: rights and
// admission. An error is never of an unknown outcome.
func (c *Client) rehearseRemoval(ctx context.Context, kind, namespace string, l leftover) error {
	err := c.remove(ctx, kind, namespace, l, true)
	if notFound(err) {
		return remediators.Retryable(0, "dry run: it is gone by now: %w", err)
	}
	return rehearsed(err)
}
