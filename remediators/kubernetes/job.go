package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Job runs a Job from the template of a CronJob, as `kubectl create job --from` does,
// and waits for its end.
//
// The Job's name is made of the task's id, so the API server makes one at most. One
// that is not there proves nothing, since Jobs are deleted: what proves that it never
// was is the API server's own record of the time since the plan (see [Client.neverWas]).
type Job struct{ clusters Clusters }

// NewJob makes the action.
func NewJob(clusters Clusters) *Job { return &Job{clusters: clusters} }

// Spec implements [remediators.Remediator].
func (*Job) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "kubernetes.job",
		System:  engine.SystemKubernetes,
		Summary: "Runs a Job from the template of a CronJob, and waits until it has completed.",
		Params:  json.RawMessage(jobSchema),
		Fenced:  true,
	}
}

// Rules is what it needs to be allowed.
func (*Job) Rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		may([]string{"get"}, kindCronJob),
		may([]string{"create", "get", "list", "watch"}, kindJob),
		may([]string{"list"}, kindPod),
	}
}

// jobPlan is the precondition of a plan.
type jobPlan struct {
	UID types.UID `json:"uid"`
	// Template stands for the template that was planned.
	Template string `json:"template"`
	// Since is the version of the namespace's Jobs at which the task's was not there.
	Since string `json:"since"`
}

func jobPlanOf(p engine.Plan) (jobPlan, error) {
	var seen jobPlan
	if err := json.Unmarshal(p.Precondition, &seen); err != nil {
		return seen, remediators.Terminal("plan for %s: precondition %q: %w", p.Target, p.Precondition, err)
	}
	if seen.UID == "" || seen.Template == "" || seen.Since == "" {
		return seen, remediators.Terminal("plan for %s: precondition %q lacks uid, template or since", p.Target, p.Precondition)
	}
	return seen, nil
}

// Plan implements [remediators.Remediator].
func (j *Job) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	params, err := jobParamsOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	client, err := j.clusters.client(t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	cron, err := client.cronJob(ctx, t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	if err = cron.runnable(); err != nil {
		return engine.Plan{}, err
	}
	since, err := client.notYetRun(ctx, cron, jobName(params, cron.Name, t.ID), t.ID)
	if err != nil {
		return engine.Plan{}, err
	}
	hash, err := cron.hash()
	if err != nil {
		return engine.Plan{}, err
	}
	seen, err := encode(jobPlan{UID: cron.UID, Template: hash, Since: since})
	if err != nil {
		return engine.Plan{}, err
	}
	p := engine.Plan{
		Target:       t.Target,
		Summary:      fmt.Sprintf("run a Job of %s in %s, with image %s (template %s)", cron, t.Target.Cluster, cron.images(), hash),
		Precondition: seen,
	}
	if params.Deadline > 0 {
		p.Summary += fmt.Sprintf(", for %d s at most", params.Deadline)
	}
	_, err = client.createJob(ctx, cron, params, t.ID, map[string]string{"dryRun": metav1.DryRunAll})
	return p, rehearsed(err)
}

// notYetRun makes sure that a task's Job is not there, and that another one does not
// keep it from running. It gives the version of the Jobs at which this was so.
func (c *Client) notYetRun(ctx context.Context, cron *cronJob, name, task string) (since string, err error) {
	var jobs batchv1.JobList
	var which selection
	alone := cron.Spec.ConcurrencyPolicy == batchv1.ForbidConcurrent || cron.Spec.ConcurrencyPolicy == batchv1.ReplaceConcurrent
	if !alone {
		which.fields = fields.OneTermEqualSelector(metav1.ObjectNameField, name)
	}
	if err := c.list(ctx, kindJob, cron.Namespace, cron, which, &jobs); err != nil {
		return "", err
	}
	for i := range jobs.Items {
		job := &jobs.Items[i]
		_, ended := endOf(job)
		switch {
		case job.Name == name && job.Annotations[TaskAnnotation] == task:
			return "", remediators.UnknownOutcome("%s: task %s has already run it, as Job %s", cron, task, name)
		case job.Name == name:
			return "", remediators.Terminal("%s is not run: there is another Job %s", cron, name)
		case alone && metav1.IsControlledBy(job, cron) && !ended:
			return "", remediators.Retryable(0, "%s is not run: its Job %s is at work, and its concurrencyPolicy is %s", cron, job.Name, cron.Spec.ConcurrencyPolicy)
		}
	}
	if jobs.ResourceVersion == "" {
		return "", remediators.Retryable(0, "%s: the list of its Jobs has no version", cron)
	}
	return jobs.ResourceVersion, nil
}

// createJob makes a task's Job, once. The error is classified, or a conflictError.
func (c *Client) createJob(ctx context.Context, cron *cronJob, params jobParams, task string, query map[string]string) (*batchv1.Job, error) {
	body, err := cron.job(params, task)
	if err != nil {
		return nil, err
	}
	r, err := of(c.api.Post(), kindJob, cron.Namespace)
	if err != nil {
		return nil, err
	}
	r = r.Param("fieldManager", fieldManager).SetHeader("Content-Type", "application/json").Body(body)
	for k, v := range query {
		r = r.Param(k, v)
	}
	what := fmt.Sprintf("create Job %s/%s", cron.Namespace, jobName(params, cron.Name, task))
	answer, err := write(ctx, r, what)
	if err != nil {
		return nil, err
	}
	var job batchv1.Job
	// Something else on the way can answer with success, too.
	if err := json.Unmarshal(answer, &job); err != nil || job.UID == "" || job.Annotations[TaskAnnotation] != task {
		return nil, remediators.UnknownOutcome("%s: answered with success, but not with the Job of task %s", what, task)
	}
	return &job, nil
}

// keptJob is what a checkpoint holds.
type keptJob struct {
	UID types.UID `json:"uid"`
}

// Execute implements [remediators.Remediator].
func (j *Job) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	params, err := jobParamsOf(t)
	if err != nil {
		return engine.Outcome{}, err
	}
	seen, err := jobPlanOf(p)
	if err != nil {
		return engine.Outcome{}, err
	}
	client, err := j.clusters.client(p.Target)
	if err != nil {
		return engine.Outcome{}, err
	}
	cron, err := client.cronJob(ctx, p.Target)
	if err != nil {
		return engine.Outcome{}, err
	}
	if hash, err := cron.hash(); err != nil || hash != seen.Template || cron.UID != seen.UID {
		return engine.Outcome{}, remediators.PlanChanged("%s: its template was changed since it was planned, or it is another one", cron)
	}
	job, err := client.createJob(ctx, cron, params, t.ID, nil)
	if conflict, ok := errors.AsType[conflictError](err); ok {
		job, err = client.settleJob(ctx, cron.Namespace, jobName(params, cron.Name, t.ID), t.ID, conflict)
	}
	if err != nil {
		return engine.Outcome{}, err
	}
	what := fmt.Sprintf("Job %s/%s", job.Namespace, job.Name)
	kept, err := json.Marshal(keptJob{UID: job.UID})
	if err != nil {
		return engine.Outcome{}, remediators.UnknownOutcome("%s was made: %w", what, err)
	}
	_ = remediators.Checkpoint(ctx, kept) // where it is not kept the worker says so; the Job goes on
	ended, err := client.followJob(ctx, job)
	if err != nil {
		return engine.Outcome{}, remediators.UnknownOutcome("%s was made, but then: %w", what, err)
	}
	if end, _ := endOf(ended); end.Type != batchv1.JobComplete {
		return engine.Outcome{}, remediators.UnknownOutcome("%s was made, and failed: %s", what, client.whyFailed(ctx, ended, end))
	}
	return engine.Outcome{Summary: fmt.Sprintf("ran %s of %s in %s%s", what, cron, p.Target.Cluster, took(ended))}, nil
}

// settleJob judges a refused creation: the Job may have been made nonetheless, by an
// earlier call of the task.
func (c *Client) settleJob(ctx context.Context, namespace, name, task string, conflict error) (*batchv1.Job, error) {
	var job batchv1.Job
	err := c.get(ctx, kindJob, namespace, name, &job)
	switch {
	case err == nil && job.Annotations[TaskAnnotation] == task:
		return &job, nil
	case err == nil:
		return nil, remediators.Terminal("there is another Job of the name: %w", conflict)
	case notFound(err) && !apierrors.IsAlreadyExists(conflict):
		return nil, remediators.Retryable(0, "%w", conflict) // a quota that was written at the same moment
	}
	return nil, remediators.UnknownOutcome("%w; then: %w", conflict, err)
}

// Observe implements [remediators.Remediator].
func (j *Job) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	params, err := jobParamsOf(t)
	if err != nil {
		return engine.Unknown, err
	}
	seen, err := jobPlanOf(p)
	if err != nil {
		return engine.Unknown, err
	}
	client, err := j.clusters.client(p.Target)
	if err != nil {
		return engine.Unknown, err
	}
	var job batchv1.Job
	err = client.get(ctx, kindJob, p.Target.Namespace, jobName(params, p.Target.Name, t.ID), &job)
	if notFound(err) {
		if remediators.CheckpointOf(ctx) != nil {
			return engine.Unknown, nil // it was there
		}
		never, err := client.neverWas(ctx, kindJob, p.Target.Namespace, jobName(params, p.Target.Name, t.ID), seen.Since)
		if err != nil || !never {
			return engine.Unknown, err
		}
		return engine.NotApplied, nil
	}
	if err != nil {
		return engine.Unknown, err
	}
	if job.Annotations[TaskAnnotation] != t.ID || !keptIs(remediators.CheckpointOf(ctx), job.UID) {
		return engine.Unknown, nil
	}
	ended, err := client.followJob(ctx, &job)
	switch {
	case notFound(err):
		return engine.Unknown, nil
	case err != nil:
		return engine.Unknown, err
	}
	if end, _ := endOf(ended); end.Type != batchv1.JobComplete {
		return engine.Unknown, nil // it ran, and failed, maybe half-way
	}
	return engine.Applied, nil
}

// keptIs says that a checkpoint, if there is one, is of this Job.
func keptIs(checkpoint json.RawMessage, uid types.UID) bool {
	if checkpoint == nil {
		return true
	}
	var kept keptJob
	return json.Unmarshal(checkpoint, &kept) == nil && strings.EqualFold(string(kept.UID), string(uid))
}
