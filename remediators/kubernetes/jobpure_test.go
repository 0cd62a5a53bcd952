package kubernetes

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// TestJobParams tries random parameters: what the schema says and what the action takes
// are the same.
func TestJobParams(t *testing.T) {
	t.Parallel()
	schema := remediatortest.Schema(t, json.RawMessage(jobSchema))
	random := rand.New(rand.NewPCG(5, 6))
	accepted := 0
	for range 20_000 {
		params := randomParams(random, map[string][]string{
			"name":                  {"", `"mend"`, `"mend-all-2"`, `""`, `"-mend"`, `"mend-"`, `"Mend"`, `"a.b"`, `"` + strings.Repeat("a", 41) + `"`, "null", "1"},
			"activeDeadlineSeconds": {"", "1", "60", "61", "86400", "86401", "0", "-1", "1.5", `"60"`, "null"},
			"keep":                  {"", `"1h"`, `"1h30m"`, `"600s"`, `"1m"`, `"721h"`, `""`, `"1"`, `"1d"`, `"-1h"`, `"1.5h"`, `"h"`, "null", "60"},
			"args":                  {"", "", "", `["x"]`},
		})
		p, err := jobParamsOf(engine.Task{Params: json.RawMessage(params), Timeout: time.Minute})
		// A schema can compare neither two values nor durations.
		crossed := err != nil && (strings.Contains(err.Error(), "attempt's timeout") || strings.Contains(err.Error(), "want 10m0s to"))
		if ok := remediatortest.Accepts(t, schema, params); ok != (err == nil) && !crossed {
			t.Fatalf("%s: schema says %t, the action %v", params, ok, err)
		}
		if err != nil {
			if remediators.ClassOf(err) != engine.ClassTerminal {
				t.Fatalf("%s: class %s", params, remediators.ClassOf(err))
			}
			continue
		}
		accepted++
		if p.Deadline > 60 || p.keep != 0 && (p.keep < leastKept || p.keep > mostKept) {
			t.Fatalf("%s: %+v", params, p)
		}
	}
	if accepted < 100 {
		t.Errorf("only %d of the parameters were good ones", accepted)
	}
}

func TestJobName(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, cron := range []string{"mend", strings.Repeat("a", 52), "a.b-c", strings.Repeat("a", 45) + "-b"} {
		for _, task := range []string{"run-1/0/kubernetes.job/execute/0", "run-1/0/kubernetes.job/execute/1"} {
			name := jobName(jobParams{}, cron, task)
			if problems := validation.IsDNS1123Label(name); len(problems) > 0 || seen[name] {
				t.Errorf("%q: %v, seen: %t", name, problems, seen[name])
			}
			seen[name] = true
			if again := jobName(jobParams{}, cron, task); again != name {
				t.Errorf("%q is %q the next time", name, again)
			}
		}
	}
	if name := jobName(jobParams{Name: "other"}, "mend", "x"); !strings.HasPrefix(name, "other-") {
		t.Error(name)
	}
}

// TestJobTemplate: nothing of the template is lost, and the pods' own annotations stay.
func TestJobTemplate(t *testing.T) {
	t.Parallel()
	c := &cronJob{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "mend", UID: "u"}}
	c.Spec.JobTemplate = json.RawMessage(`{"metadata": {"labels": {"team": "shop"}}, "spec": {"fieldOfTomorrow": 12345678901234567890,
		"template": {"metadata": {"annotations": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}}`)
	if err := json.Unmarshal([]byte(`{"metadata": {"labels": {"team": "shop"}}}`), &c.template); err != nil {
		t.Fatal(err)
	}
	before, err := c.hash()
	if err != nil {
		t.Fatal(err)
	}
	body, err := c.job(jobParams{}, "t")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"fieldOfTomorrow":12345678901234567890`, `"a":"b"`, `"team":"shop"`, `"paramedic.dev/task":"t"`, `"cronjob.kubernetes.io/instantiate":"manual"`,
		`"ownerReferences":[{"apiVersion":"batch/v1","kind":"CronJob","name":"mend","uid":"u","controller":true}]`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	for _, absent := range []string{"activeDeadlineSeconds", "ttlSecondsAfterFinished"} {
		if strings.Contains(string(body), absent) {
			t.Errorf("%s in %s", absent, body)
		}
	}
	if after, err := c.hash(); err != nil || after != before {
		t.Errorf("making a Job changed the template: %s, %s, %v", before, after, err)
	}
	c.Spec.JobTemplate = json.RawMessage(`{}`)
	if _, err := c.job(jobParams{}, "t"); remediators.ClassOf(err) != engine.ClassTerminal {
		t.Errorf("no template: %v", err)
	}
}

func TestJobKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		keep     time.Duration
		template *int32
		want     *int64
	}{
		{0, nil, nil},
		{time.Hour, nil, new(int64(3600))},
		{time.Hour, new(int32(1)), new(int64(3600))},
		{0, new(int32(1)), new(int64(600))},
		{0, new(int32(7200)), new(int64(7200))},
	} {
		got := jobParams{keep: c.keep}.kept(c.template)
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%v: %v", c, got)
		}
	}
}

func TestEndOf(t *testing.T) {
	t.Parallel()
	job := &batchv1.Job{Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{
		{Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue}, {Type: batchv1.JobFailed, Status: corev1.ConditionFalse},
	}}}
	if end, ended := endOf(job); ended {
		t.Errorf("%+v", end)
	}
	job.Status.Conditions[1].Status = corev1.ConditionTrue
	if end, ended := endOf(job); !ended || end.Type != batchv1.JobFailed {
		t.Errorf("%+v", end)
	}
}

func TestLastFailure(t *testing.T) {
	t.Parallel()
	at := func(minute int) metav1.Time { return metav1.NewTime(time.Unix(int64(minute)*60, 0)) }
	failed := func(name string, minute int, code int32, message string) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}},
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
				Name: "c", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Error", Message: message, FinishedAt: at(minute)}},
			}}},
		}
	}
	if got := lastFailure([]corev1.Pod{failed("old", 1, 1, ""), failed("new", 3, 2, "no space left"), failed("fine", 4, 0, ""), failed("middle", 2, 4, "")}); got != "container c of pod new ended with exit code 2 (Error): no space left" {
		t.Error(got)
	}
	if got := lastFailure(nil); got != "" {
		t.Error(got)
	}
	if got := lastFailure([]corev1.Pod{failed("long", 1, 1, strings.Repeat("ä", 4096))}); len(got) > 400 || !strings.HasSuffix(got, "ä...") {
		t.Error(got)
	}
	logs := failed("logs", 1, 1, "password=1234")
	logs.Spec.Containers[0].TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
	if got := lastFailure([]corev1.Pod{logs}); strings.Contains(got, "password") || !strings.Contains(got, "exit code 1") {
		t.Error(got)
	}
}
