package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/tripgen/paramedic/remediators"
)

// duration is written as in Go, such as 10s or 1m30s.
type duration time.Duration

// UnmarshalJSON implements [json.Unmarshaler].
func (d *duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return errors.New(`timeout: want text such as "10s"`)
	}
	v, err := time.ParseDuration(s)
	if err != nil || v <= 0 || v > maxTimeout {
		return fmt.Errorf("timeout: %q is no duration above 0 and up to %v", s, maxTimeout)
	}
	*d = duration(v)
	return nil
}

const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = 5 * time.Minute
	// maxBody bounds what is sent.
	maxBody = 256 << 10
)

func (d duration) or(fallback time.Duration) time.Duration {
	if d == 0 {
		return fallback
	}
	return time.Duration(d)
}

// requestParams are those of [Request].
type requestParams struct {
	Method         string            `json:"method"`
	URL            string            `json:"url"`
	Spring         string            `json:"spring"`
	Headers        map[string]string `json:"headers"`
	Body           *string           `json:"body"`
	JSON           json.RawMessage   `json:"json"`
	Expect         expectation       `json:"expect"`
	Timeout        duration          `json:"timeout"`
	Idempotent     bool              `json:"idempotent"`
	IdempotencyKey bool              `json:"idempotencyKey"`

	url *url.URL
}

const requestSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["url"],
  "properties": {
    "method": {"enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]},
    "url": {"type": "string", "minLength": 1, "description": "http or https. Redirects are not followed."},
    "spring": {"enum": ["caches", "refresh"], "description": "Instead of method and body: clear all caches, or read the configuration anew, by the actuator of the Spring Boot service at url."},
    "headers": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Idempotency-Key is set by itself, to the task's id."},
    "body": {"type": "string", "maxLength": 262144, "description": "Sent as it is."},
    "json": {"description": "Sent as JSON."},
    "expect": {"type": "object", "additionalProperties": false, "properties": {` + expectProperties + `}},
    "timeout": {"type": "string", "default": "10s", "description": "For the whole exchange, up to 5m."},
    "idempotent": {"type": "boolean", "default": false, "description": "Sending it twice does what sending it once does, so it may be tried again. True by itself for GET, HEAD, PUT and DELETE."},
    "idempotencyKey": {"type": "boolean", "default": false, "description": "The server acts once on requests with one Idempotency-Key, so the same task may be sent again if its outcome is unknown."}
  },
  "oneOf": [
    {"required": ["method"], "not": {"anyOf": [{"required": ["spring"]}, {"required": ["body", "json"]}]}},
    {"required": ["spring"], "not": {"anyOf": [{"required": ["method"]}, {"required": ["body"]}, {"required": ["json"]}]}}
  ],
  ` + expectDefs + `
}`

// methods says of each method whether sending it twice is the same as once.
// Source: RFC 9110, section 9.2.2.
func methods() map[string]bool {
	return map[string]bool{
		http.MethodGet: true, http.MethodHead: true, http.MethodPut: true, http.MethodDelete: true,
		http.MethodPost: false, http.MethodPatch: false,
	}
}

// repeatable says that another task may send it again.
func (p requestParams) repeatable() bool { return p.Idempotent || methods()[p.Method] }

const idempotencyKeyHeader = "Idempotency-Key"

// reserved are the headers that belong to the client or the protocol.
func reserved() []string {
	return []string{idempotencyKeyHeader, "Connection", "Content-Length", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}
}

func requestParamsOf(raw json.RawMessage) (requestParams, error) {
	var p requestParams
	if err := remediators.DecodeParams(raw, &p); err != nil {
		return p, err
	}
	var err error
	if p.url, err = parseURL(p.URL); err != nil {
		return p, err
	}
	if p.Spring != "" {
		if err := p.spring(); err != nil {
			return p, err
		}
	}
	if _, ok := methods()[p.Method]; !ok {
		return p, fmt.Errorf("method is %q, want one of %v", p.Method, slices.Sorted(maps.Keys(methods())))
	}
	if p.Body != nil && len(p.JSON) > 0 {
		return p, errors.New("body and json exclude each other")
	}
	if n := len(p.body()); n > maxBody {
		return p, fmt.Errorf("body has %d bytes, want %d at most", n, maxBody)
	}
	return p, checkHeaders(p.Headers)
}

// checkHeaders never repeats a value, which may be a password.
func checkHeaders(headers map[string]string) error {
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		key := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			return fmt.Errorf("headers: %q is not a header's name", name)
		case !httpguts.ValidHeaderFieldValue(headers[name]):
			return fmt.Errorf("headers: %s has a value with characters that no header may have", key)
		case seen[key]:
			return fmt.Errorf("headers: %s is given twice", key)
		case slices.Contains(reserved(), key):
			return fmt.Errorf("headers: %s is set by Paramedic itself", key)
		}
		seen[key] = true
	}
	return nil
}

func (p requestParams) body() []byte {
	if p.Body != nil {
		return []byte(*p.Body)
	}
	return p.JSON
}

// plain is the request without a task's id. Its context is set when it is sent.
func (p requestParams) plain() *http.Request {
	req := &http.Request{Method: p.Method, URL: p.url, Host: p.url.Host, Header: http.Header{}, ProtoMajor: 1, ProtoMinor: 1}
	if b := p.body(); len(b) > 0 {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	}
	if len(p.JSON) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range p.Headers {
		if textproto.CanonicalMIMEHeaderKey(name) == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	return req
}

func (p requestParams) request(task string) (*http.Request, error) {
	if task == "" || !httpguts.ValidHeaderFieldValue(task) {
		return nil, fmt.Errorf("task id %q cannot be a header's value", task)
	}
	req := p.plain()
	req.Header.Set(idempotencyKeyHeader, task)
	return req, nil
}
