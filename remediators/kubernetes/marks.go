package kubernetes

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tripgen/paramedic/remediators"
)

// The annotations by which an object tells which tasks changed it.
const (
	// TaskAnnotation holds the id of the last task. It is set on the object,
	// and by a restart on the pod template too, so that the pods and their
	// ReplicaSet show it.
	TaskAnnotation = "paramedic.dev/task"
	// EarlierAnnotation holds the ids of the tasks before it, a JSON array,
	// latest first, so that a later task does not hide an earlier one.
	EarlierAnnotation = "paramedic.dev/earlier-tasks"
	// RestartedAnnotation is kubectl's own.
	RestartedAnnotation = "kubectl.kubernetes.io/restartedAt"
)

// maxMarks bounds how many ids an object keeps. A task is observed within
// minutes, in which its target sees one or two others. But what is done for a
// night or a weekend is put back after that, and only if the object still shows
// it: so many others may mend it meanwhile.
const maxMarks = 24

// marks are the ids of the last tasks, latest first.
type marks []string

// marksOf reads an object's annotations. Somebody may have edited them, so what
// does not decode counts as absent.
func marksOf(annotations map[string]string) marks {
	latest := annotations[TaskAnnotation]
	if latest == "" {
		return nil
	}
	var earlier []string
	if err := json.Unmarshal([]byte(annotations[EarlierAnnotation]), &earlier); err != nil {
		earlier = nil
	}
	return append(marks{latest}, earlier...)
}

func (m marks) has(task string) bool { return slices.Contains(m, task) }

// notYet refuses a task whose id the object bears already. The outcome is
// unknown to whoever asks, who thereupon observes it.
func (m marks) notYet(task string, of fmt.Stringer) error {
	if m.has(task) {
		return remediators.UnknownOutcome("%s: task %s has already changed it", of, task)
	}
	return nil
}

// add puts a task in front and lets the oldest go.
func (m marks) add(task string) marks {
	all := append(marks{task}, m...)
	return all[:min(len(all), maxMarks)]
}

// annotations is what add's result is written as.
func (m marks) annotations() map[string]any {
	earlier, err := json.Marshal([]string(m[1:]))
	if err != nil {
		// A slice of strings always encodes.
		panic("kubernetes: marks do not encode: " + err.Error())
	}
	return map[string]any{TaskAnnotation: m[0], EarlierAnnotation: string(earlier)}
}
