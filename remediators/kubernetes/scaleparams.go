package kubernetes

import (
	"math"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// scaleParams are those of [Scale]; scaleSchema says the same to editors and
// the linter.
type scaleParams struct {
	Factor    float64 `json:"factor"`
	Step      int32   `json:"step"`
	Replicas  *int32  `json:"replicas"`
	Min       *int32  `json:"min"`
	Max       *int32  `json:"max"`
	AllowDown bool    `json:"allowDown"`
}

const scaleSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "factor": {"type": "number", "exclusiveMinimum": 0, "not": {"const": 1}, "description": "Multiplies the replicas, rounded up; needs max."},
    "step": {"type": "integer", "minimum": -10000, "maximum": 10000, "not": {"const": 0}, "description": "Is added to the replicas."},
    "replicas": {"type": "integer", "minimum": 0, "maximum": 10000, "description": "How many there are to be; 0 stops it."},
    "min": {"type": "integer", "minimum": 1, "maximum": 10000, "description": "Never fewer; 1 by default, but for replicas."},
    "max": {"type": "integer", "minimum": 1, "maximum": 10000, "description": "Never more."},
    "allowDown": {"type": "boolean", "default": false, "description": "Must be true for fewer replicas than there are."}
  },
  "oneOf": [{"required": ["factor"]}, {"required": ["step"]}, {"required": ["replicas"]}],
  "dependentRequired": {"factor": ["max"]},
  "allOf": [{
    "if": {"anyOf": [
      {"required": ["factor"], "properties": {"factor": {"exclusiveMaximum": 1}}},
      {"required": ["step"], "properties": {"step": {"exclusiveMaximum": 0}}},
      {"required": ["replicas"], "properties": {"replicas": {"const": 0}}}
    ]},
    "then": {"required": ["allowDown"], "properties": {"allowDown": {"const": true}}}
  }]
}`

// maxReplicas keeps a slip of the pen from asking for more than any cluster has.
const maxReplicas = 10000

func scaleParamsOf(t engine.Task) (scaleParams, error) {
	var p scaleParams
	given, err := wholeParams(t, &p)
	if err != nil {
		return p, err
	}
	_, factor := given["factor"]
	_, step := given["step"]
	_, exact := given["replicas"]
	switch {
	case factor && step, factor && exact, step && exact, !factor && !step && !exact:
		return p, badParams(t, "want exactly one of factor, step and replicas")
	case exact && (*p.Replicas < 0 || *p.Replicas > maxReplicas):
		return p, badParams(t, "replicas is %s; want 0 to %d", given["replicas"], maxReplicas)
	case factor && (p.Factor <= 0 || p.Factor == 1):
		return p, badParams(t, "factor is %v; want more than 0, and not 1", p.Factor)
	case step && (p.Step == 0 || p.Step < -maxReplicas || p.Step > maxReplicas):
		return p, badParams(t, "step is %d; want -%d to %d, and not 0", p.Step, maxReplicas, maxReplicas)
	case factor && p.Max == nil:
		return p, badParams(t, "factor without max; write how many replicas are too many")
	case p.Max != nil && (*p.Max < 1 || *p.Max > maxReplicas):
		return p, badParams(t, "max is %d; want 1 to %d", *p.Max, maxReplicas)
	case p.Min != nil && (*p.Min < 1 || *p.Min > maxReplicas):
		return p, badParams(t, "min is %d; want 1 to %d", *p.Min, maxReplicas)
	case p.Min != nil && p.Max != nil && *p.Min > *p.Max:
		return p, badParams(t, "min %d is more than max %d", *p.Min, *p.Max)
	case p.down() && !p.AllowDown:
		return p, badParams(t, "these lower the number of replicas; write allowDown: true if that is meant")
	}
	return p, nil
}

// down reports whether the number is meant to become less, whatever it is.
func (p scaleParams) down() bool {
	return p.Step < 0 || p.Factor > 0 && p.Factor < 1 || p.Replicas != nil && *p.Replicas == 0
}

// from works out a workload's new number of replicas.
func (p scaleParams) from(current int32) (int32, error) {
	if current == 0 && (p.Replicas == nil || *p.Replicas != 0) {
		return 0, remediators.Terminal("it is scaled to 0, which somebody meant; scale it to 1 by hand first")
	}
	return p.next(current)
}

// next works out the new number. It goes the way that is meant or not at all. What
// is to have a number may have it already.
func (p scaleParams) next(current int32) (int32, error) {
	want := float64(current) + float64(p.Step)
	if p.Factor > 0 {
		// A product such as 10*1.1 is a little more than 11; that is not 12.
		want = math.Ceil(float64(current)*p.Factor - 1e-9)
	}
	least, most := int32(1), int32(maxReplicas)
	if p.Replicas != nil {
		want, least = float64(*p.Replicas), 0
	}
	if p.Min != nil {
		least = *p.Min
	}
	if p.Max != nil {
		most = *p.Max
	}
	to := int32(min(max(want, float64(least)), float64(most)))
	switch {
	case to == current && p.Replicas != nil:
		return to, nil
	case to == current && to == most:
		return 0, remediators.Terminal("it is already at max %d", most)
	case to == current && to == least:
		return 0, remediators.Terminal("it is already at min %d", least)
	case to == current:
		return 0, remediators.Terminal("it has %d replicas, and factor %v leaves them so", current, p.Factor)
	case to < current && !p.AllowDown && p.Replicas != nil:
		return 0, remediators.Terminal("it has %d replicas, and would be lowered to %d; write allowDown: true if that is meant", current, to)
	case to < current && !p.AllowDown:
		return 0, remediators.Terminal("it has %d replicas, more than max %d, and would be lowered; write allowDown: true if that is meant", current, most)
	case to > current && p.down():
		return 0, remediators.Terminal("it has %d replicas, fewer than min %d, and would be raised although it is to be lowered", current, least)
	}
	return to, nil
}
