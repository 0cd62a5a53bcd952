package kubernetes

import (
	"math"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/tripgen/paramedic/internal/engine"
)

// memoryParams are those of [Memory]; memorySchema says the same to editors and the
// linter.
type memoryParams struct {
	Factor    float64 `json:"factor"`
	Max       string  `json:"max"`
	Container *string `json:"container"`
	Requests  *bool   `json:"requests"`
	How       *string `json:"how"`

	// most is Max in bytes.
	most int64
}

// How memory is raised.
const (
	howAuto    = "auto"
	howInPlace = "inPlace"
	howRollout = "rollout"
	// howAutoscaler is what the plan says where a VerticalPodAutoscaler has the say.
	howAutoscaler = "autoscaler"
)

const (
	// memoryAmount is a quantity of bytes as people write it: no fractions of a byte,
	// no exponents.
	memoryAmount = `^[1-9][0-9]{0,14}([.][0-9]{1,3})?(Ki|Mi|Gi|Ti|k|M|G|T)$`
	// containerName is that of an object of Kubernetes.
	containerName = `^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`
	// mostFactor keeps a slip of the pen from asking for what no node has.
	mostFactor = 16
)

const memorySchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["factor", "max"],
  "properties": {
    "factor": {"type": "number", "exclusiveMinimum": 1, "maximum": 16, "description": "Multiplies the memory limit of each container."},
    "max": {"type": "string", "pattern": "` + memoryAmount + `", "description": "No container's limit is raised beyond this, such as 2Gi."},
    "container": {"type": "string", "pattern": "` + containerName + `", "description": "The one to raise; by default all that have a memory limit."},
    "requests": {"type": "boolean", "default": true, "description": "Raises the memory requests in the same proportion."},
    "how": {"enum": ["auto", "inPlace", "rollout"], "default": "auto",
      "description": "inPlace resizes the pods that run, for as long as they last; rollout changes the template, and replaces them; auto resizes where that needs no restart."}
  }
}`

func memoryParamsOf(t engine.Task) (memoryParams, error) {
	var p memoryParams
	if _, err := wholeParams(t, &p); err != nil {
		return p, err
	}
	switch {
	case p.Factor <= 1 || p.Factor > mostFactor:
		return p, badParams(t, "factor is %v; want more than 1, and at most %d", p.Factor, mostFactor)
	case !regexp.MustCompile(memoryAmount).MatchString(p.Max): //nolint:gocritic // as it stands in the JSON of the schema
		return p, badParams(t, "max is %q; want how much memory is too much, such as 2Gi", p.Max)
	case p.Container != nil && !regexp.MustCompile(containerName).MatchString(*p.Container):
		return p, badParams(t, "container is %q, which is no container's name", *p.Container)
	case p.How != nil && *p.How != howAuto && *p.How != howInPlace && *p.How != howRollout:
		return p, badParams(t, "how is %q; want one of %s", *p.How, strings.Join([]string{howAuto, howInPlace, howRollout}, ", "))
	}
	most, err := resource.ParseQuantity(p.Max)
	if err != nil {
		return p, badParams(t, "max is %q: %w", p.Max, err)
	}
	p.most = most.Value()
	return p, nil
}

func (p memoryParams) how() string { return given(p.How, howAuto) }

func (p memoryParams) requests() bool { return given(p.Requests, true) }

// given is a parameter, or what holds without it.
func given[T any](value *T, otherwise T) T {
	if value == nil {
		return otherwise
	}
	return *value
}

const mebibyte = 1 << 20

// raisedLimit is a limit times the factor, in whole mebibytes, and never more than
// max. It is at most the old one where that has reached max.
func (p memoryParams) raisedLimit(limit int64) int64 {
	want := math.Ceil(float64(limit)*p.Factor/mebibyte) * mebibyte
	return int64(min(want, float64(p.most)))
}

// raisedRequest grows a request as its limit does, and leaves one that is below its
// limit below it: a pod whose requests are its limits is of another class of service,
// which a resize may not change.
func raisedRequest(request, from, to int64) int64 {
	if request >= from {
		return to
	}
	want := int64(float64(request) * (float64(to) / float64(from)))
	if whole := want / mebibyte * mebibyte; whole > request {
		want = whole
	}
	return min(max(want, request), to-1)
}

// ofBytes is an amount of memory as Kubernetes writes it.
func ofBytes(n int64) string { return resource.NewQuantity(n, resource.BinarySI).String() }
