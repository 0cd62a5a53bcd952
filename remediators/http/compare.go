package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
)

// Compare asks two URLs with GET whether both give the same value.
type Compare struct{ client *Client }

// NewCompare makes the prober.
func NewCompare(client *Client) *Compare { return &Compare{client} }

const compareKind = "compare"

// side is one of the two that are compared.
type side struct {
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	JSON    string            `json:"json"`

	url *url.URL
}

type compareParams struct {
	Left      *side     `json:"left"`
	Right     *side     `json:"right"`
	Tolerance tolerance `json:"tolerance"`
	Timeout   duration  `json:"timeout"`
}

const compareSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["left", "right"],
  "properties": {
    "left": {"$ref": "#/$defs/side"},
    "right": {"$ref": "#/$defs/side"},
    "tolerance": {
      "description": "How far two numbers may be apart: a number, or a share of the larger one, as 1%.",
      "default": 0,
      "oneOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": "^(100|[1-9]?[0-9](\\.[0-9]{1,9})?)%$"}]
    },
    "timeout": {"type": "string", "default": "5s", "description": "For both answers, which are asked for at the same time."}
  },
  "$defs": {
    "side": {
      "type": "object",
      "additionalProperties": false,
      "required": ["url"],
      "properties": {
        "url": {"type": "string", "minLength": 1, "description": "http or https, asked with GET, which must answer with any 2xx and JSON. Redirects are not followed."},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "json": {"type": "string", "minLength": 1, "description": "The value in the answer, by key, or by path with dots, such as data.count; the whole answer if it is not given."}
      }
    }
  }
}`

// Spec implements [verify.Prober].
func (*Compare) Spec() verify.Spec {
	return verify.Spec{
		Kind:    compareKind,
		Summary: "Two URLs give equal JSON values, or numbers that are no further apart than a tolerance.",
		Params:  json.RawMessage(compareSchema),
	}
}

// Probe implements [verify.Prober]. What a server does not give is equal to nothing,
// and neither is null.
func (p *Compare) Probe(ctx context.Context, _ engine.Target, raw json.RawMessage) (engine.Check, error) {
	check := engine.Check{Kind: compareKind}
	params, err := compareParamsOf(raw)
	if err != nil {
		return check, remediators.Terminal("parameters of %s: %w", compareKind, err)
	}
	ctx, cancel := context.WithTimeout(ctx, params.Timeout.or(defaultProbeTimeout))
	defer cancel()
	var left, right any
	var leftErr, rightErr error
	var both sync.WaitGroup
	both.Go(func() { left, leftErr = params.Left.value(ctx, p.client) })
	both.Go(func() { right, rightErr = params.Right.value(ctx, p.client) })
	both.Wait()
	if leftErr != nil || rightErr != nil {
		check.Detail = errors.Join(leftErr, rightErr).Error()
		return check, nil
	}
	check.OK, check.Detail = params.Tolerance.holds(left, right)
	return check, nil
}

func compareParamsOf(raw json.RawMessage) (compareParams, error) {
	p := compareParams{}
	if err := remediators.DecodeParams(raw, &p); err != nil {
		return p, err
	}
	if p.Left == nil || p.Right == nil {
		return p, errors.New("left and right must both be given, each as {url: ..., json: ...}")
	}
	return p, errors.Join(p.Left.parse("left"), p.Right.parse("right"))
}

func (s *side) parse(name string) (err error) {
	if s.url, err = parseURL(s.URL); err == nil {
		err = checkHeaders(s.Headers)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// value asks for it. The error has no secret.
func (s *side) value(ctx context.Context, client *Client) (any, error) {
	fail := func(format string, args ...any) (any, error) {
		return nil, fmt.Errorf("%s: %w", shown(s.url), fmt.Errorf(format, args...))
	}
	a, err := client.send(ctx, requestParams{Method: http.MethodGet, url: s.url, Headers: s.Headers}.plain())
	switch {
	case err != nil:
		return fail("%w", err)
	case !(expectation{}).status(a.status):
		return fail("%s", statusText(a.status))
	case a.cut != nil:
		return fail("the answer could not be read whole: %w", a.cut)
	}
	value, err := decodeJSON(a.body)
	if err != nil {
		return fail("the answer (%s) is not JSON: %w", contentType(a.header), err)
	}
	if s.JSON != "" {
		var ok bool
		if value, ok = lookUp(value, s.JSON); !ok {
			return fail("the answer has no %q", s.JSON)
		}
	}
	if value == nil {
		return fail("the value is null")
	}
	return value, nil
}
