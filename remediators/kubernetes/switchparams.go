package kubernetes

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
)

// Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
const (
	labelValuePattern = `^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	percentPattern    = `^(100|[1-9]\d?)%$`
)

// switchParams are those of [Switch]; switchSchema says the same to editors and the
// linter.
type switchParams struct {
	Label    string          `json:"label"`
	From     string          `json:"from"`
	To       string          `json:"to"`
	Between  []string        `json:"between"`
	MinReady json.RawMessage `json:"minReady"`

	// count and percent are how many must be ready, one of them, as MinReady says.
	count, percent int
}

const switchSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["label"],
  "properties": {
    "label": {"type": "string", "maxLength": 317, "pattern": "` + qualifiedName + `", "description": "The label of the Service's selector that tells the colours, as version."},
    "to": {"$ref": "#/$defs/value", "description": "The colour that it is to lead to."},
    "from": {"$ref": "#/$defs/value", "description": "It is switched only from this one."},
    "between": {"type": "array", "items": {"$ref": "#/$defs/value"}, "minItems": 2, "maxItems": 2, "uniqueItems": true, "description": "Two colours: it is switched to the one that it is not on."},
    "minReady": {
      "default": "100%",
      "description": "How many pods of the other colour must be ready: a number, or a share of the ready endpoints that there are now. Never none.",
      "oneOf": [{"type": "integer", "minimum": 1, "maximum": 10000}, {"type": "string", "pattern": "^(100|[1-9][0-9]?)%$"}]
    }
  },
  "oneOf": [{"required": ["to"]}, {"required": ["between"]}],
  "dependentRequired": {"from": ["to"]},
  "$defs": {"value": {"type": "string", "pattern": "` + labelValuePattern + `"}}
}`

func switchParamsOf(t engine.Task) (switchParams, error) {
	p := switchParams{percent: 100}
	given, err := wholeParams(t, &p)
	if err != nil {
		return p, err
	}
	if err := p.check(given); err != nil {
		return p, badParams(t, "%w", err)
	}
	return p, nil
}

func (p *switchParams) check(given map[string]json.RawMessage) error {
	_, to := given["to"]
	_, from := given["from"]
	_, between := given["between"]
	colours := p.Between
	if to {
		colours = append(colours, p.To)
	}
	if from {
		colours = append(colours, p.From)
	}
	value := regexp.MustCompile(labelValuePattern)
	for _, c := range colours {
		if !value.MatchString(c) {
			return fmt.Errorf("%q is no value of a label", c)
		}
	}
	switch {
	case len(p.Label) > maxQualifiedName || !regexp.MustCompile(qualifiedName).MatchString(p.Label):
		return fmt.Errorf("label is %q; want the name of a label of the Service's selector, as version", p.Label)
	case to == between:
		return fmt.Errorf("want exactly one of to and between")
	case from && !to:
		return fmt.Errorf("from goes with to; between needs none")
	case from && p.From == p.To:
		return fmt.Errorf("from and to are both %q", p.To)
	case between && (len(p.Between) != 2 || p.Between[0] == p.Between[1]):
		return fmt.Errorf("between is %q; want two colours", p.Between)
	}
	return p.checkMinReady()
}

func (p *switchParams) checkMinReady() error {
	if len(p.MinReady) == 0 {
		return nil
	}
	var share string
	if json.Unmarshal(p.MinReady, &share) == nil {
		if !regexp.MustCompile(percentPattern).MatchString(share) {
			return fmt.Errorf("minReady is %q; want a number from 1, or a share from 1%% to 100%%", share)
		}
		var err error
		p.percent, err = strconv.Atoi(strings.TrimSuffix(share, "%"))
		return err
	}
	if json.Unmarshal(p.MinReady, &p.count) != nil || p.count < 1 || p.count > maxReplicas {
		return fmt.Errorf("minReady is %s; want a number from 1 to %d, or a share from 1%% to 100%%", p.MinReady, maxReplicas)
	}
	return nil
}

// needed is how many pods must be ready where so many endpoints are now.
func (p *switchParams) needed(now int) int {
	if p.count > 0 {
		return p.count
	}
	return max(1, (now*p.percent+99)/100)
}

// choose tells the colour that a selector with this one is to get; the same where it
// has that already.
func (p *switchParams) choose(now string) (string, error) {
	switch {
	case len(p.Between) == 2 && now == p.Between[0]:
		return p.Between[1], nil
	case len(p.Between) == 2 && now == p.Between[1]:
		return p.Between[0], nil
	case len(p.Between) == 2:
		return "", fmt.Errorf("its selector has %s=%s, which is neither %s nor %s", p.Label, now, p.Between[0], p.Between[1])
	case now == p.To || p.From == "" || now == p.From:
		return p.To, nil
	}
	return "", fmt.Errorf("its selector has %s=%s, and it is to be switched only from %s", p.Label, now, p.From)
}
