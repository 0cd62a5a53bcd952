package kubernetes_test

import (
	"context"
	"encoding/json"
	nethttp "net/http"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// cronJob makes one that is suspended, changed before it is made.
func (b *bed) cronJob(t *testing.T, namespace string, change func(*batchv1.CronJob)) engine.Target {
	t.Helper()
	pods := lab.Deployment(namespace, "repair", 1).Spec.Template
	pods.Spec.RestartPolicy = corev1.RestartPolicyNever
	c := &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: b.name("repair")},
		Spec: batchv1.CronJobSpec{
			Schedule: "0 0 1 1 *", Suspend: new(true),
			JobTemplate: batchv1.JobTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"team": "shop"}, Annotations: map[string]string{"runbook": "42"}},
				Spec:       batchv1.JobSpec{Template: pods, BackoffLimit: new(int32)},
			},
		},
	}
	if change != nil {
		change(c)
	}
	c = must(b.Client().BatchV1().CronJobs(namespace).Create(t.Context(), c, metav1.CreateOptions{}))(t)
	return target("CronJob", namespace, c.Name)
}

// jobs are those of a CronJob.
func (b *bed) jobs(t *testing.T, at engine.Target) []batchv1.Job {
	t.Helper()
	var own []batchv1.Job
	for _, j := range must(b.Client().BatchV1().Jobs(at.Namespace).List(t.Context(), metav1.ListOptions{}))(t).Items {
		if owner := metav1.GetControllerOf(&j); owner != nil && owner.Name == at.Name {
			own = append(own, j)
		}
	}
	return own
}

// created counts the Jobs by a runner that the API server has made, by its own audit log.
func (b *bed) created(t *testing.T, at engine.Target) int {
	t.Helper()
	n := 0
	for _, e := range must(b.Audit(t.Context(), lab.AuditFilter{User: runner, Namespace: at.Namespace}))(t) {
		if !strings.Contains(string(e.Body), `"`+at.Name+`"`) {
			continue
		}
		if e.Verb != "create" || e.Resource != "jobs" {
			t.Errorf("%s did %s %s, which makes no Job", runner, e.Verb, e.URI)
		}
		if e.Code == nethttp.StatusCreated {
			n++
		}
	}
	return n
}

func jobConforms(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	remediatortest.Run(t, b.subject(t, runner, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewJob(clusters),
			Fresh: func(t *testing.T) remediatortest.Scene {
				at := b.cronJob(t, namespace, nil)
				return remediatortest.Scene{
					Task:    engine.Task{Target: at, Params: json.RawMessage(`{"activeDeadlineSeconds": 20}`)},
					Effects: func(t *testing.T) int { return b.created(t, at) },
					Change: func(t *testing.T) {
						crons := b.Client().BatchV1().CronJobs(namespace)
						c := must(crons.Get(t.Context(), at.Name, metav1.GetOptions{}))(t)
						c.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Image += ".1"
						must(crons.Update(t.Context(), c, metav1.UpdateOptions{}))(t)
					},
				}
			},
			Missing: engine.Task{Target: target("CronJob", namespace, "nobody")},
		}
	}))
}

func jobRuns(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	j := kubernetes.NewJob(b.clusters(t, runner))
	at := b.cronJob(t, namespace, func(c *batchv1.CronJob) { c.Spec.JobTemplate.Spec.TTLSecondsAfterFinished = new(int32(1)) })
	run := task("run-1/0/mend", at, `{"activeDeadlineSeconds": 15}`)
	p := must(j.Plan(t.Context(), run))(t)
	if len(b.jobs(t, at)) != 0 || !strings.Contains(p.Summary, "run a Job of CronJob "+namespace+"/"+at.Name+" in korea, with image registry.invalid/repair:1") {
		t.Errorf("%d Jobs, %s", len(b.jobs(t, at)), p.Summary)
	}
	o := must(j.Execute(t.Context(), run, p))(t)
	jobs := b.jobs(t, at)
	if len(jobs) != 1 {
		t.Fatalf("%d Jobs", len(jobs))
	}
	job := jobs[0]
	if job.Status.Succeeded != 1 || !strings.Contains(o.Summary, job.Name) || !strings.HasPrefix(job.Name, at.Name+"-") {
		t.Errorf("%s: %+v", o.Summary, job.Status)
	}
	if job.Labels["team"] != "shop" || job.Annotations["runbook"] != "42" || job.Annotations["cronjob.kubernetes.io/instantiate"] != "manual" ||
		job.Annotations[kubernetes.TaskAnnotation] != run.ID || job.Labels[kubernetes.TaskAnnotation] == "" {
		t.Errorf("labels %v, annotations %v", job.Labels, job.Annotations)
	}
	if *job.Spec.ActiveDeadlineSeconds != 15 || *job.Spec.TTLSecondsAfterFinished != 600 {
		t.Errorf("deadline %d, kept %d", *job.Spec.ActiveDeadlineSeconds, *job.Spec.TTLSecondsAfterFinished)
	}
	if got := job.Spec.Template.Annotations[kubernetes.TaskAnnotation]; got != run.ID {
		t.Errorf("pods show task %q", got)
	}
	if _, err := j.Plan(t.Context(), run); err == nil || remediators.ClassOf(err) != engine.ClassUnknown {
		t.Errorf("the same task planned anew: %v", err)
	}
	named := task("run-2/0/mend", at, `{"name": "mend", "keep": "1h"}`)
	applied(t, j, named)
	for _, job := range b.jobs(t, at) {
		if strings.HasPrefix(job.Name, "mend-") && *job.Spec.TTLSecondsAfterFinished == 3600 {
			return
		}
	}
	t.Errorf("no Job has the name and is kept: %+v", b.jobs(t, at))
}

// jobFails: that it ran is no success, nor is it as if it had not run.
func jobFails(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	j := kubernetes.NewJob(b.clusters(t, runner))
	failing := func(c *batchv1.CronJob) {
		c.Spec.JobTemplate.Spec.Template.Labels[lab.BehaviourLabel] = string(lab.Fail)
	}
	for message, change := range map[string]func(*batchv1.CronJob){
		"ended with exit code 3 (Error): the lab lets it fail": failing,
		"ended with exit code 3 (Error)": func(c *batchv1.CronJob) {
			failing(c)
			c.Spec.JobTemplate.Spec.Template.Spec.Containers[0].TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
		},
	} {
		at := b.cronJob(t, namespace, change)
		run := task("fails", at, "")
		p := must(j.Plan(t.Context(), run))(t)
		_, err := j.Execute(t.Context(), run, p)
		if err == nil || remediators.ClassOf(err) != engine.ClassUnknown || !strings.Contains(err.Error(), "BackoffLimitExceeded") || !strings.HasSuffix(err.Error(), message) {
			t.Errorf("error %v, want one that ends with %q", err, message)
		}
		if got := must(j.Observe(t.Context(), run, p))(t); got != engine.Unknown {
			t.Errorf("a Job that failed is observed as %s", got)
		}
	}
}

// jobGoesOn: whoever waits for it is told so when the time is up.
func jobGoesOn(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	j := kubernetes.NewJob(b.clusters(t, runner))
	at := b.cronJob(t, namespace, func(c *batchv1.CronJob) {
		c.Spec.ConcurrencyPolicy = batchv1.ForbidConcurrent
		c.Spec.JobTemplate.Spec.Template.Spec.NodeSelector = map[string]string{"there-is": "none"}
	})
	run := task("goes-on", at, "")
	p := must(j.Plan(t.Context(), run))(t)
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var kept json.RawMessage
	_, err := j.Execute(remediators.WithKeeper(short, func(k json.RawMessage) error { kept = k; return nil }), run, p)
	if err == nil || remediators.ClassOf(err) != engine.ClassUnknown || !strings.Contains(err.Error(), "goes on") || kept == nil {
		t.Errorf("%v; kept %s", err, kept)
	}
	short, cancel = context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if got, err := j.Observe(short, run, p); got == engine.Applied || remediators.ClassOf(err) != engine.ClassRetryable {
		t.Errorf("observed while it goes on: %s, %v", got, err)
	}
	_, err = j.Plan(t.Context(), task("beside", at, ""))
	if remediators.ClassOf(err) != engine.ClassRetryable || !strings.Contains(err.Error(), "concurrencyPolicy is Forbid") {
		t.Errorf("another beside it: %v", err)
	}
	deleted := b.jobs(t, at)[0].Name
	background := metav1.DeletePropagationBackground
	if err := b.Client().BatchV1().Jobs(namespace).Delete(t.Context(), deleted, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Fatal(err)
	}
	// Gone is not the same as never made, with and without what was kept.
	for _, ctx := range []context.Context{t.Context(), remediators.WithCheckpoint(t.Context(), kept)} {
		if got := must(j.Observe(ctx, run, p))(t); got != engine.Unknown {
			t.Errorf("a Job that is gone is observed as %s", got)
		}
	}
	never := task("never", at, "")
	p = must(j.Plan(t.Context(), never))(t)
	if got := must(j.Observe(t.Context(), never, p))(t); got != engine.NotApplied {
		t.Errorf("a Job that never was is observed as %s", got)
	}
	if got := must(j.Observe(remediators.WithCheckpoint(t.Context(), kept), never, p))(t); got != engine.Unknown {
		t.Errorf("a Job that somebody has seen is observed as %s", got)
	}
}

func jobRefuses(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	j := kubernetes.NewJob(b.clusters(t, runner))
	crons := b.Client().BatchV1().CronJobs(namespace)
	for name, c := range map[string]struct {
		change func(*batchv1.CronJob)
		params string
		why    string
	}{
		"a suspended template":  {func(c *batchv1.CronJob) { c.Spec.JobTemplate.Spec.Suspend = new(true) }, ``, "suspend: true"},
		"no history":            {func(c *batchv1.CronJob) { c.Spec.SuccessfulJobsHistoryLimit = new(int32) }, ``, "successfulJobsHistoryLimit is 0"},
		"no history of failure": {func(c *batchv1.CronJob) { c.Spec.FailedJobsHistoryLimit = new(int32) }, ``, "failedJobsHistoryLimit is 0"},
		"longer than is waited": {nil, `{"activeDeadlineSeconds": 21}`, "longer than the attempt's timeout of 20s"},
		"kept too short":        {nil, `{"keep": "1m"}`, "keep"},
		"a command":             {nil, `{"command": ["rm"]}`, "command"},
		"no name":               {nil, `{"name": "Mend"}`, "name"},
	} {
		_, err := j.Plan(t.Context(), task("x", b.cronJob(t, namespace, c.change), c.params))
		if err == nil || remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: error %v, want a terminal one with %q", name, err, c.why)
		}
	}
	going := b.cronJob(t, namespace, func(c *batchv1.CronJob) { c.Finalizers = []string{keep} })
	run := task("x", going, "")
	p := must(j.Plan(t.Context(), run))(t)
	if err := crons.Delete(t.Context(), going.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Plan(t.Context(), run); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "being deleted") {
		t.Errorf("being deleted: %v", err)
	}
	if _, err := j.Execute(t.Context(), run, p); remediators.ClassOf(err) != engine.ClassTerminal {
		t.Errorf("being deleted, executed: %v", err)
	}
	if _, err := j.Plan(t.Context(), task("x", target("Deployment", namespace, "x"), "")); remediators.ClassOf(err) != engine.ClassTerminal {
		t.Errorf("a Deployment: %v", err)
	}
	if n := b.created(t, going); n != 0 {
		t.Errorf("%d Jobs", n)
	}
}
