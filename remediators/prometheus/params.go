package prometheus

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/tripgen/paramedic/remediators"
)

const (
	defaultServer  = "default"
	defaultTimeout = 10 * time.Second
	maxTimeout     = 2 * time.Minute

	emptyFails  = "fail"
	emptyPasses = "pass"
)

// params are those of [Probe]; schema says the same to editors and the linter.
type params struct {
	Query   string     `json:"query"`
	Server  string     `json:"server"`
	Above   *threshold `json:"above"`
	Below   *threshold `json:"below"`
	Equals  *threshold `json:"equals"`
	Empty   string     `json:"empty"`
	Timeout string     `json:"timeout"`

	timeout time.Duration
}

const schema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["query"],
  "properties": {
    "query": {"type": "string", "minLength": 1, "description": "PromQL, asked for now. Every series of the answer must satisfy the threshold; NaN never does."},
    "server": {"type": "string", "minLength": 1, "default": "default", "description": "One of those configured under prometheus."},
    "above": {"$ref": "#/$defs/threshold"},
    "below": {"$ref": "#/$defs/threshold"},
    "equals": {"$ref": "#/$defs/threshold"},
    "empty": {"enum": ["fail", "pass"], "default": "fail", "description": "What an answer without any series means. A misspelt name gives one, too."},
    "timeout": {"type": "string", "default": "10s", "description": "For all answers together, up to 2m."}
  },
  "oneOf": [{"required": ["above"]}, {"required": ["below"]}, {"required": ["equals"]}],
  "$defs": {
    "threshold": {
      "description": "A number, or the answer to another query, times a factor: one number for all, or for each series one with the same labels, the name aside. scalar(...) makes it one number.",
      "oneOf": [
        {"type": "number"},
        {
          "type": "object",
          "additionalProperties": false,
          "required": ["query"],
          "properties": {
            "query": {"type": "string", "minLength": 1, "description": "PromQL, such as that of the probe, offset 1w."},
            "factor": {"type": "number", "exclusiveMinimum": 0, "default": 1}
          }
        }
      ]
    }
  }
}`

// threshold is a number, or another query.
type threshold struct {
	number float64
	// query is empty where it is a number.
	query  string
	factor float64
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *threshold) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '{' {
		if err := json.Unmarshal(b, &t.number); err != nil || string(b) == "null" {
			return fmt.Errorf("threshold is %s; want a number, or {query: ..., factor: ...}", b)
		}
		return nil
	}
	p := struct {
		Query  string   `json:"query"`
		Factor *float64 `json:"factor"`
	}{}
	if err := remediators.DecodeParams(b, &p); err != nil {
		return fmt.Errorf("threshold: %w", err)
	}
	t.query, t.factor = p.Query, 1
	if p.Factor != nil {
		t.factor = *p.Factor
	}
	if t.query == "" {
		return errors.New("threshold: query is empty")
	}
	if t.factor <= 0 || math.IsInf(t.factor, 0) {
		return fmt.Errorf("threshold: factor is %v; want more than 0", t.factor)
	}
	return nil
}

func paramsOf(raw json.RawMessage) (params, error) {
	p := params{Server: defaultServer, Empty: emptyFails, timeout: defaultTimeout}
	if err := remediators.DecodeParams(raw, &p); err != nil {
		return p, err
	}
	given := 0
	for _, t := range []*threshold{p.Above, p.Below, p.Equals} {
		if t != nil {
			given++
		}
	}
	if p.Timeout != "" {
		d, err := time.ParseDuration(p.Timeout)
		if err != nil || d <= 0 || d > maxTimeout {
			return p, fmt.Errorf("timeout: %q is no duration above 0 and up to %v", p.Timeout, maxTimeout)
		}
		p.timeout = d
	}
	switch {
	case p.Query == "":
		return p, errors.New("query is empty")
	case given != 1:
		return p, errors.New("want exactly one of above, below and equals")
	case p.Empty != emptyFails && p.Empty != emptyPasses:
		return p, fmt.Errorf("empty is %q, want %s or %s", p.Empty, emptyFails, emptyPasses)
	}
	return p, nil
}

// comparison is the threshold that was given, and how to compare with it.
func (p params) comparison() comparison {
	switch {
	case p.Above != nil:
		return comparison{word: "above", to: *p.Above, holds: func(v, t float64) bool { return v > t }}
	case p.Below != nil:
		return comparison{word: "below", to: *p.Below, holds: func(v, t float64) bool { return v < t }}
	default:
		return comparison{word: "equal to", to: *p.Equals, holds: func(v, t float64) bool { return v == t }}
	}
}
