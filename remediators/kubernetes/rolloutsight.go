package kubernetes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// sight is what a watch keeps of a workload, as it was at one time.
type sight struct {
	owner

	// progress is without its stuck.
	progress progress
	// halted is the workload's.
	halted string
	// hint is how the workload itself names its revision: a Deployment by its
	// number, a StatefulSet by its name, a DaemonSet not at all.
	hint string
	// template stands for a Deployment's own template.
	template string
	// progressing is a Deployment's condition, failure the message of another, and
	// patience how long its controller lets nothing happen.
	progressing appsv1.DeploymentCondition
	failure     string
	patience    time.Duration
	leaving     bool
}

// sightOf reads an object as a list or a watch delivers it.
func sightOf(object any) (sight, error) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		s := seen(fromDeployment(o), deploymentProgress(o))
		s.hint = o.Annotations[revisionAnnotation]
		if n := o.Spec.ProgressDeadlineSeconds; n != nil {
			s.patience = time.Duration(*n) * time.Second
		}
		for i := range o.Status.Conditions {
			if c := o.Status.Conditions[i]; c.Type == appsv1.DeploymentProgressing {
				s.progressing = c
			} else if c.Type == appsv1.DeploymentReplicaFailure {
				s.failure = c.Message
			}
		}
		var err error
		s.template, err = templateOf(o.Spec.Template)
		return s, err
	case *appsv1.StatefulSet:
		s := seen(fromStatefulSet(o), statefulSetProgress(o))
		s.hint = o.Status.UpdateRevision
		if o.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
			s.progress.open = false // its controller ends no such rollout
		}
		return s, nil
	case *appsv1.DaemonSet:
		return seen(fromDaemonSet(o), daemonSetProgress(o)), nil
	default:
		return sight{}, fmt.Errorf("watch rollouts: got a %T, no Deployment, StatefulSet or DaemonSet", object)
	}
}

func seen(w *workload, p progress) sight {
	p.stuck = "" // what it counts as stuck is halted or leaving here, or in conditions
	return sight{owner: w.owner(), progress: p, halted: w.halted, leaving: w.meta.DeletionTimestamp != nil}
}

// observed reports whether the status is of the latest spec.
func (s *sight) observed() bool { return s.progress.observed >= s.progress.generation }

// history names the state of the history that this sight can belong to: if it is
// another one, the history must be read anew. A Deployment says itself when it has
// changed. The other kinds do not where a rollout goes back to an earlier template,
// but none begins without a new generation.
func (s *sight) history() string {
	if s.kind == kindDeployment {
		if c := s.progressing; c.Reason == "NewReplicaSetCreated" {
			// Somebody may have deleted the one of that number.
			return fmt.Sprintf("%s, new at %v", s.hint, c.LastUpdateTime)
		}
		return s.hint
	}
	return fmt.Sprintf("generation %d, %t", s.progress.generation, s.observed())
}

// verdict is a phase and what there is to say about it. detail is how far the
// rollout is, due when time alone makes it stuck.
type verdict struct {
	phase          RolloutPhase
	reason, detail string
	due            time.Time
}

// judge says how far the rollout of a revision is, whose numbers these are. It
// began at since.
func (s *sight) judge(r *revision, since, now time.Time, deadline time.Duration) verdict {
	done, detail := s.progress.complete()
	v := verdict{phase: RolloutStarted, reason: s.halted, detail: detail}
	switch {
	case done:
		v.phase, v.reason = RolloutComplete, ""
		return v
	case s.progress.wanted == 0 && s.progress.total == 0:
		v.phase, v.reason = RolloutComplete, detail
		return v
	case s.halted != "":
		return v
	case s.kind == kindDeployment && (s.names(r) || s.progressing.Type == ""):
		if c := s.progressing; c.Status == corev1.ConditionFalse {
			v.phase, v.reason = RolloutStuck, strings.TrimSpace(fmt.Sprintf("%s: %s %s", c.Reason, c.Message, s.failure))
		}
		return v
	}
	// Of a Deployment, this is only for a controller that has lost sight of the
	// rollout: that of strategy Recreate takes one that goes back to an earlier
	// template for what is long available, while there are no pods.
	deadline = max(deadline, s.patience)
	if now.Before(since.Add(deadline)) {
		v.due = since.Add(deadline)
	} else {
		v.phase, v.reason = RolloutStuck, fmt.Sprintf("not complete %v after it began: %s", deadline, detail)
	}
	return v
}

// names reports whether the condition is about a revision. It stays as it was for a
// moment when a rollout goes back to an earlier one.
func (s *sight) names(r *revision) bool {
	return strings.Contains(s.progressing.Message, strconv.Quote(r.name))
}

// over reports whether a rollout that was not seen to begin must have been complete
// before, so that it is something else that its pods lack now.
func (s *sight) over(r *revision, now time.Time, deadline time.Duration) bool {
	if s.progress.total != s.progress.updated {
		return false
	}
	if s.kind == kindDeployment {
		// Its controller remembers.
		return s.progressing.Reason == "NewReplicaSetAvailable" && s.names(r) && s.progress.updated >= s.progress.wanted
	}
	return now.After(r.began.Add(2 * deadline))
}

// imagesOf are sorted, each one once.
func imagesOf(containers []corev1.Container) []string {
	images := make([]string, 0, len(containers))
	for i := range containers {
		images = append(images, containers[i].Image)
	}
	slices.Sort(images)
	return slices.Compact(images)
}

// objectOf is an empty object of a kind.
func objectOf(kind string) runtime.Object {
	switch kind {
	case kindDeployment:
		return &appsv1.Deployment{}
	case kindStatefulSet:
		return &appsv1.StatefulSet{}
	default:
		return &appsv1.DaemonSet{}
	}
}
