package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// endOf is how a Job ended, if it has.
func endOf(job *batchv1.Job) (batchv1.JobCondition, bool) {
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return c, true
		}
	}
	return batchv1.JobCondition{}, false
}

// followJob waits for the end of a Job. The error is retryable when ctx ends first, and
// has the status 404 if the Job is gone, however it ended.
func (c *Client) followJob(ctx context.Context, job *batchv1.Job) (*batchv1.Job, error) {
	what := fmt.Sprintf("Job %s/%s", job.Namespace, job.Name)
	for {
		var now batchv1.Job
		err := c.get(ctx, kindJob, job.Namespace, job.Name, &now)
		if err != nil && remediators.ClassOf(err) != engine.ClassRetryable {
			return nil, err
		}
		if err == nil && now.UID != job.UID {
			gone := apierrors.NewNotFound(schema.GroupResource{Group: batchv1.GroupName, Resource: "jobs"}, job.Name)
			return nil, remediators.Terminal("%s was replaced by another one of its name: %w", what, gone)
		}
		if _, ended := endOf(&now); ended {
			return &now, nil
		}
		if !pause(ctx, followEvery) {
			return nil, remediators.Retryable(0, "%s goes on: %w", what, context.Cause(ctx))
		}
	}
}

// took is how long a Job took, for people.
func took(job *batchv1.Job) string {
	if job.Status.StartTime == nil || job.Status.CompletionTime == nil {
		return ""
	}
	return fmt.Sprintf(", which took %v", job.Status.CompletionTime.Sub(job.Status.StartTime.Time).Round(time.Second))
}

// mostMessage bounds what is shown of a container's termination message, in bytes.
const mostMessage = 300

// whyFailed says how a Job failed, and its last pod that did.
func (c *Client) whyFailed(ctx context.Context, job *batchv1.Job, end batchv1.JobCondition) string {
	text := end.Reason
	if end.Message != "" {
		text += ": " + end.Message
	}
	selector, err := metav1.LabelSelectorAsSelector(job.Spec.Selector)
	if err != nil || selector.Empty() {
		return text
	}
	var pods corev1.PodList
	if c.list(ctx, kindPod, job.Namespace, named(job.Name), selection{labels: selector}, &pods) != nil {
		return text // they are a help where they can be read
	}
	if last := lastFailure(pods.Items); last != "" {
		text += "; " + last
	}
	return text
}

// named is a name as messages call it.
type named string

func (n named) String() string { return kindJob + " " + string(n) }

// lastFailure tells of the container that ended in failure last.
func lastFailure(pods []corev1.Pod) string {
	var text string
	var latest metav1.Time
	for i := range pods {
		pod := &pods[i]
		for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			end := cmp.Or(s.State.Terminated, s.LastTerminationState.Terminated)
			if end == nil || end.ExitCode == 0 || text != "" && end.FinishedAt.Before(&latest) {
				continue
			}
			latest = end.FinishedAt
			text = fmt.Sprintf("container %s of pod %s ended with exit code %d", s.Name, pod.Name, end.ExitCode)
			if end.Reason != "" {
				text += " (" + end.Reason + ")"
			}
			if message := terminationMessage(pod, s.Name, end.Message); message != "" {
				text += ": " + message
			}
		}
	}
	return text
}

// terminationMessage is what a container wrote for whoever reads its end. Where the end
// of its log takes that place, it is not shown: logs may hold secrets.
func terminationMessage(pod *corev1.Pod, container, message string) string {
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if c.Name == container && c.TerminationMessagePolicy == corev1.TerminationMessageFallbackToLogsOnError {
			return ""
		}
	}
	message = strings.ToValidUTF8(strings.TrimSpace(message), "")
	if len(message) > mostMessage {
		message = strings.ToValidUTF8(message[:mostMessage], "") + "..."
	}
	return message
}
