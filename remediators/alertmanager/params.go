package alertmanager

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tripgen/paramedic/remediators"
)

const (
	defaultServer  = "default"
	defaultTimeout = 10 * time.Second
	maxTimeout     = 2 * time.Minute
	maxMatchers    = 32
)

// params are those of [Probe]; schema says the same to editors and the linter.
type params struct {
	Matchers []string `json:"matchers"`
	Server   string   `json:"server"`
	Timeout  string   `json:"timeout"`

	timeout time.Duration
}

const schema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["matchers"],
  "properties": {
    "matchers": {
      "type": "array", "minItems": 1, "maxItems": 32,
      "items": {"type": "string", "pattern": "\\S"},
      "description": "In Alertmanager's own syntax, as alertname=\"ServiceDown\". An alert counts if all of them agree. A misspelt one agrees with none, and then nothing fires."
    },
    "server": {"type": "string", "minLength": 1, "default": "default", "description": "One of those configured under alertmanagers."},
    "timeout": {"type": "string", "default": "10s", "description": "For the answer, up to 2m."}
  }
}`

func paramsOf(raw json.RawMessage) (params, error) {
	p := params{Server: defaultServer, timeout: defaultTimeout}
	if err := remediators.DecodeParams(raw, &p); err != nil {
		return p, err
	}
	if p.Timeout != "" {
		d, err := time.ParseDuration(p.Timeout)
		if err != nil || d <= 0 || d > maxTimeout {
			return p, fmt.Errorf("timeout: %q is no duration above 0 and up to %v", p.Timeout, maxTimeout)
		}
		p.timeout = d
	}
	switch n := len(p.Matchers); {
	case n == 0:
		return p, errors.New(`matchers: there are none; name the alerts, as alertname="ServiceDown"`)
	case n > maxMatchers:
		return p, fmt.Errorf("matchers: %d are too many, want up to %d", n, maxMatchers)
	}
	for i, m := range p.Matchers {
		if strings.TrimSpace(m) == "" {
			return p, fmt.Errorf(`matchers: number %d is empty; write one, as alertname="ServiceDown", or remove it`, i+1)
		}
	}
	return p, nil
}
