package kubernetes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/tripgen/paramedic/internal/engine"
)

// KeepRunningAnnotation on a Deployment, StatefulSet or Namespace keeps it from ever
// being scaled to zero. Any value but false does: whoever wrote it meant something.
const KeepRunningAnnotation = "paramedic.dev/keep-running"

// exceptions are the parameters of [ScaleToZero] and [Restore]; exceptionsSchema says
// the same to editors and the linter.
type exceptions struct {
	Except       []string `json:"except"`
	ExceptLabels *string  `json:"exceptLabels"`

	selector labels.Selector
}

const (
	// workloadName is a DNS subdomain, as Kubernetes wants it for these kinds.
	workloadName  = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	maxExceptions = 200
)

const exceptionsSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "except": {
      "type": "array", "minItems": 1, "maxItems": 200, "items": {"type": "string", "maxLength": 253, "pattern": "` + workloadName + `"},
      "description": "Names of Deployments and StatefulSets that are left alone."
    },
    "exceptLabels": {
      "type": "string", "pattern": "[^\\s]",
      "description": "Those whose own labels match are left alone, as kubectl takes it: tier=critical,app in (cart, checkout)."
    }
  }
}`

func exceptionsOf(t engine.Task) (exceptions, error) {
	var e exceptions
	if _, err := wholeParams(t, &e); err != nil {
		return e, err
	}
	if n := len(e.Except); e.Except != nil && (n < 1 || n > maxExceptions) {
		return e, badParams(t, "except has %d names; want 1 to %d", n, maxExceptions)
	}
	name := regexp.MustCompile(workloadName)
	for _, one := range e.Except {
		if len(one) > 253 || !name.MatchString(one) {
			return e, badParams(t, "except: %q is no name of a Deployment or StatefulSet", one)
		}
	}
	if e.ExceptLabels == nil {
		return e, nil
	}
	selector, err := labels.Parse(*e.ExceptLabels)
	switch {
	case err != nil:
		return e, badParams(t, "exceptLabels: %w", err)
	case selector.Empty():
		// It would match everything, and hide that nothing is ever done.
		return e, badParams(t, "exceptLabels is empty; leave it out, or write a selector")
	}
	e.selector = selector
	return e, nil
}

// why says why a workload is left alone; empty if it is not.
func (e exceptions) why(meta *metav1.ObjectMeta) string {
	switch {
	case keptRunning(meta) != "":
		return keptRunning(meta)
	case slices.Contains(e.Except, meta.Name):
		return "named in except"
	case e.selector != nil && e.selector.Matches(labels.Set(meta.Labels)):
		return fmt.Sprintf("exceptLabels %q", e.selector)
	}
	return ""
}

func keptRunning(meta *metav1.ObjectMeta) string {
	if value, there := meta.Annotations[KeepRunningAnnotation]; there && !strings.EqualFold(value, "false") {
		return fmt.Sprintf("annotation %s: %q", KeepRunningAnnotation, value)
	}
	return ""
}
