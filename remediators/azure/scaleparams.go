package azure

import (
	"errors"
	"fmt"
	"math"

	"github.com/tripgen/paramedic/internal/engine"
)

// scaleProperties is the part of a JSON Schema that describes how a number of instances
// changes, and scaleRules what holds between its fields.
const (
	scaleProperties = `
    "count": {"type": "integer", "minimum": 0, "maximum": 1000, "description": "Exactly so many. 0 must be allowed by allowDown."},
    "factor": {"type": "number", "exclusiveMinimum": 0, "not": {"const": 1}, "description": "The number is multiplied by it and rounded up."},
    "step": {"type": "integer", "minimum": -1000, "maximum": 1000, "not": {"const": 0}, "description": "So many are added, or, below 0, taken away."},
    "min": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1, "description": "Never fewer, with factor or step."},
    "max": {"type": "integer", "minimum": 1, "maximum": 1000, "description": "Never more, with factor or step."},
    "allowDown": {"type": "boolean", "default": false, "description": "Must be true for fewer instances than there are."}`
	scaleRules = `
  "oneOf": [{"required": ["count"]}, {"required": ["factor"]}, {"required": ["step"]}],
  "dependentRequired": {"factor": ["max"]}`
)

// maxInstances keeps a slip of the pen from asking for more than Azure has for one.
const maxInstances = 1000

// scaleParams say how a number of instances changes.
type scaleParams struct {
	Count     *int     `json:"count"`
	Factor    *float64 `json:"factor"`
	Step      *int     `json:"step"`
	Min       *int     `json:"min"`
	Max       *int     `json:"max"`
	AllowDown bool     `json:"allowDown"`
}

func (p scaleParams) check(t engine.Task) error {
	given := 0
	for _, is := range []bool{p.Count != nil, p.Factor != nil, p.Step != nil} {
		if is {
			given++
		}
	}
	within := func(n *int, least int) bool { return n == nil || *n >= least && *n <= maxInstances }
	switch {
	case given != 1:
		return badParams(t, "want exactly one of count, factor and step")
	case !within(p.Count, 0):
		return badParams(t, "count is %d: want 0 to %d", *p.Count, maxInstances)
	case p.Factor != nil && (*p.Factor <= 0 || *p.Factor == 1):
		return badParams(t, "factor is %v: want more than 0, and not 1", *p.Factor)
	case !within(p.Step, -maxInstances) || p.Step != nil && *p.Step == 0:
		return badParams(t, "step is %d: want -%d to %d, and not 0", *p.Step, maxInstances, maxInstances)
	case p.Factor != nil && p.Max == nil:
		return badParams(t, "factor without max: write how many instances are too many")
	case !within(p.Min, 1):
		return badParams(t, "min is %d: want 1 to %d", *p.Min, maxInstances)
	case !within(p.Max, 1):
		return badParams(t, "max is %d: want 1 to %d", *p.Max, maxInstances)
	case p.Min != nil && p.Max != nil && *p.Min > *p.Max:
		return badParams(t, "min %d is more than max %d", *p.Min, *p.Max)
	case p.Count != nil && (p.Min != nil || p.Max != nil):
		return badParams(t, "min and max are for factor and step: count says how many")
	}
	return nil
}

// from works out the new number. One that is to grow or to shrink does, or nothing is
// done at all; one that is to have a number may have it already.
func (p scaleParams) from(is int) (int, error) {
	var to int
	var grows bool
	switch {
	case p.Count != nil:
		to, grows = *p.Count, *p.Count > is
	case p.Factor != nil:
		// A product such as 10*1.1 is a little more than 11; that is not 12.
		product := math.Ceil(float64(is)**p.Factor - 1e-9)
		to, grows = int(min(product, maxInstances+1)), *p.Factor > 1
	default:
		to, grows = is+*p.Step, *p.Step > 0
	}
	if p.Count == nil {
		least, most := 1, maxInstances
		if p.Min != nil {
			least = *p.Min
		}
		if p.Max != nil {
			most = *p.Max
		}
		to = min(max(to, least), most)
		switch {
		case is == 0:
			return 0, errors.New("it has no instances, which somebody meant: scale it to 1 by hand first")
		case to == is, to > is != grows:
			return 0, fmt.Errorf("it has %d instances, and between %d and %d there is no number to scale it to", is, least, most)
		}
	}
	if to < is && !p.AllowDown {
		return 0, fmt.Errorf("it has %d instances and would have %d: write allowDown: true if that is meant", is, to)
	}
	return to, nil
}
