package kubernetes

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// instantiated is kubectl's own mark of a Job that was not made by the schedule.
const instantiated = "cronjob.kubernetes.io/instantiate"

// cronJob is a CronJob, with its template as it came: it may have fields that the
// API's types here do not know.
type cronJob struct {
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		ConcurrencyPolicy          batchv1.ConcurrencyPolicy `json:"concurrencyPolicy"`
		SuccessfulJobsHistoryLimit *int32                    `json:"successfulJobsHistoryLimit"`
		FailedJobsHistoryLimit     *int32                    `json:"failedJobsHistoryLimit"`
		JobTemplate                json.RawMessage           `json:"jobTemplate"`
	} `json:"spec"`

	// template is the part of the template that is looked at.
	template batchv1.JobTemplateSpec
}

func (c *cronJob) String() string { return fmt.Sprintf("%s %s/%s", kindCronJob, c.Namespace, c.Name) }

func (c *Client) cronJob(ctx context.Context, at engine.Target) (*cronJob, error) {
	if at.Kind != kindCronJob {
		return nil, remediators.Terminal("%s has no template of a Job: want a CronJob", at)
	}
	var is cronJob
	if err := c.get(ctx, kindCronJob, at.Namespace, at.Name, &is); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(is.Spec.JobTemplate, &is.template); err != nil {
		return nil, remediators.Terminal("%s: jobTemplate: %w", &is, err)
	}
	if is.DeletionTimestamp != nil {
		return nil, remediators.Terminal("%s is being deleted", &is)
	}
	return &is, nil
}

// runnable refuses a template whose Job would not run, or would be gone before anybody
// has seen how it ended. A CronJob that is suspended is fine: that is how templates for
// such Jobs are kept.
func (c *cronJob) runnable() error {
	for _, limit := range []struct {
		name string
		of   *int32
	}{{"successfulJobsHistoryLimit", c.Spec.SuccessfulJobsHistoryLimit}, {"failedJobsHistoryLimit", c.Spec.FailedJobsHistoryLimit}} {
		if limit.of != nil && *limit.of == 0 {
			return remediators.Terminal("%s is not run: its %s is 0, so the Job would be deleted before its end is seen; make it 1", c, limit.name)
		}
	}
	if s := c.template.Spec.Suspend; s != nil && *s {
		return remediators.Terminal("%s is not run: its jobTemplate has suspend: true, so the Job would wait for ever; take that out (the CronJob's own suspend may stay)", c)
	}
	return nil
}

// images are those of the template's containers, for people.
func (c *cronJob) images() string {
	return strings.Join(imagesOf(c.template.Spec.Template.Spec.Containers), ", ")
}

// raw is the template with all its fields.
func (c *cronJob) raw() (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(c.Spec.JobTemplate))
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil {
		return nil, remediators.Terminal("%s: jobTemplate: %w", c, err)
	}
	return all, nil
}

// hash stands for the whole template.
func (c *cronJob) hash() (string, error) {
	all, err := c.raw()
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(all)
	if err != nil {
		return "", remediators.Terminal("%s: jobTemplate does not encode: %w", c, err)
	}
	return shortHash(string(b), 5), nil
}

func shortHash(text string, size int) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:size])
}

// taskHash stands for a task's id where Kubernetes takes no text as long.
func taskHash(task string) string { return shortHash(task, 8) }

// jobName is the name of a task's Job: always the same, so that the API server itself
// refuses a second one. Names have up to 63 characters, since pods have them as a label.
func jobName(p jobParams, cron, task string) string {
	hash := taskHash(task)
	prefix := p.Name
	if prefix == "" {
		prefix = strings.ReplaceAll(cron, ".", "-")
	}
	prefix = prefix[:min(len(prefix), 63-1-len(hash))]
	return strings.TrimRight(prefix, "-") + "-" + hash
}

// job is the Job that a task makes: as `kubectl create job --from` makes it, with the
// task's marks.
func (c *cronJob) job(p jobParams, task string) ([]byte, error) {
	all, err := c.raw()
	if err != nil {
		return nil, err
	}
	spec, _ := all["spec"].(map[string]any)
	if spec == nil {
		return nil, remediators.Terminal("%s: jobTemplate has no spec", c)
	}
	if p.Deadline > 0 {
		spec["activeDeadlineSeconds"] = p.Deadline
	}
	if kept := p.kept(c.template.Spec.TTLSecondsAfterFinished); kept != nil {
		spec["ttlSecondsAfterFinished"] = *kept
	}
	annotate(spec, task)
	labels := maps.Clone(c.template.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[TaskAnnotation] = taskHash(task)
	annotations := maps.Clone(c.template.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[instantiated], annotations[TaskAnnotation] = "manual", task
	b, err := json.Marshal(map[string]any{
		"apiVersion": batchv1.SchemeGroupVersion.String(), "kind": kindJob,
		"metadata": map[string]any{
			"name": jobName(p, c.Name, task), "namespace": c.Namespace, "labels": labels, "annotations": annotations,
			// Without blockOwnerDeletion, for which one must be allowed to write the
			// CronJob's finalizers.
			"ownerReferences": []metav1.OwnerReference{{
				APIVersion: batchv1.SchemeGroupVersion.String(), Kind: kindCronJob, Name: c.Name, UID: c.UID, Controller: new(true),
			}},
		},
		"spec": spec,
	})
	if err != nil {
		return nil, remediators.Terminal("%s: its Job does not encode: %w", c, err)
	}
	return b, nil
}

// kept is how many seconds a Job is kept after its end; nil leaves that to the
// CronJob's history.
func (p jobParams) kept(template *int32) *int64 {
	switch {
	case p.keep > 0:
		return new(int64(p.keep / time.Second))
	case template != nil:
		return new(max(int64(*template), int64(leastKept/time.Second)))
	}
	return nil
}

// annotate has the pods show the task, too.
func annotate(spec map[string]any, task string) {
	at := spec
	for _, field := range []string{"template", "metadata", "annotations"} {
		next, _ := at[field].(map[string]any)
		if next == nil {
			next = map[string]any{}
		}
		at[field] = next
		at = next
	}
	at[TaskAnnotation] = task
}
