package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
)

// Probe asks a URL with GET whether something is well.
type Probe struct {
	client *Client
	now    func() time.Time
}

// NewProbe makes the prober; now is what certificates are compared with.
func NewProbe(client *Client, now func() time.Time) *Probe { return &Probe{client, now} }

const defaultProbeTimeout = 5 * time.Second

type probeParams struct {
	URL     string            `json:"url"`
	Spring  string            `json:"spring"`
	Headers map[string]string `json:"headers"`
	Timeout duration          `json:"timeout"`
	// Certificate is how long the server's must be valid still.
	Certificate validity `json:"certificate"`
	expectation
}

const probeSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["url"],
  "properties": {
    "url": {"type": "string", "minLength": 1, "description": "http or https, asked with GET. Redirects are not followed."},
    "spring": {"const": "health", "description": "Ask the actuator of the Spring Boot service at url, which must say that its status is UP unless something else is expected."},
    "headers": {"type": "object", "additionalProperties": {"type": "string"}},
    "timeout": {"type": "string", "default": "5s", "description": "For the whole answer."},
    "certificate": {"type": "string", "pattern": "^([0-9]+d|([0-9]+(\\.[0-9]+)?(h|m|s))+)$", "description": "The server's certificate, and those that vouch for it, must be valid for at least so long still, as 14d or 36h. The URL is https then."},` + expectProperties + `
  },
  ` + expectDefs + `
}`

// Spec implements [verify.Prober].
func (*Probe) Spec() verify.Spec {
	return verify.Spec{
		Kind:    "http",
		Summary: "A URL answers GET with a status, JSON values or text that are expected.",
		Params:  json.RawMessage(probeSchema),
	}
}

// Probe implements [verify.Prober]. A server that cannot be reached is not well.
func (p *Probe) Probe(ctx context.Context, _ engine.Target, raw json.RawMessage) (engine.Check, error) {
	check := engine.Check{Kind: p.Spec().Kind}
	var params probeParams
	if err := remediators.DecodeParams(raw, &params); err != nil {
		return check, remediators.Terminal("parameters of http: %w", err)
	}
	u, err := parseURL(params.URL)
	if err != nil {
		return check, remediators.Terminal("parameters of http: %w", err)
	}
	if params.Spring != "" {
		if u, err = params.spring(u); err != nil {
			return check, remediators.Terminal("parameters of http: %w", err)
		}
	}
	if err := checkHeaders(params.Headers); err != nil {
		return check, remediators.Terminal("parameters of http: %w", err)
	}
	if params.Certificate > 0 && u.Scheme != "https" {
		return check, remediators.Terminal("parameters of http: certificate: %s has none: write an https URL, or leave certificate out", shown(u))
	}
	req := requestParams{Method: http.MethodGet, url: u, Headers: params.Headers}.plain()
	ctx, cancel := context.WithTimeout(ctx, params.Timeout.or(defaultProbeTimeout))
	defer cancel()
	a, err := p.client.send(ctx, req)
	switch {
	case err != nil:
		check.Detail = fmt.Sprintf("%s: %v", shown(u), err)
	case !params.status(a.status):
		check.Detail = fmt.Sprintf("%s: %s", shown(u), statusText(a.status))
	default:
		if err := errors.Join(params.body(a), params.Certificate.check(a.certificates, p.now())); err != nil {
			check.Detail = fmt.Sprintf("%s: %v", shown(u), err)
			break
		}
		check.OK, check.Detail = true, fmt.Sprintf("%s: %s", shown(u), statusText(a.status))
	}
	return check, nil
}
