package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Request sends one HTTP request.
type Request struct {
	client *Client
	now    func() time.Time
}

// NewRequest makes the action. Now is what a Retry-After date is compared with.
func NewRequest(client *Client, now func() time.Time) *Request {
	return &Request{client: client, now: now}
}

// Spec implements [remediators.Remediator].
func (*Request) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "http.request",
		System:  engine.SystemHTTP,
		Summary: "Sends one HTTP request, without following redirects, with the task's id as its Idempotency-Key.",
		Params:  json.RawMessage(requestSchema),
	}
}

// IdempotentFor implements [remediators.IdempotentFor]: by its method, by the
// rule's word, or since the server knows the task by its key.
func (*Request) IdempotentFor(t engine.Task) bool {
	p, err := requestParamsOf(t.Params)
	return err == nil && (p.repeatable() || p.IdempotencyKey)
}

func paramsOf(t engine.Task) (requestParams, error) {
	p, err := requestParamsOf(t.Params)
	if err != nil {
		return p, remediators.Terminal("task %s: parameters of %s: %w", t.ID, t.Action, err)
	}
	return p, nil
}

// Plan implements [remediators.Remediator]. It sends nothing; whether the server
// is there shows when it is sent.
func (r *Request) Plan(_ context.Context, t engine.Task) (engine.Plan, error) {
	p, err := paramsOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	if t.Target.System != engine.SystemHTTP {
		return engine.Plan{}, remediators.Terminal("target %q: system is %q, want %q", t.Target, t.Target.System, engine.SystemHTTP)
	}
	if err := t.Target.Validate(); err != nil {
		return engine.Plan{}, remediators.Terminal("%w", err)
	}
	if err := r.client.egress.host(p.url); err != nil {
		return engine.Plan{}, remediators.Terminal("%s: %w", p.what(), err)
	}
	summary := fmt.Sprintf("send %s to %s", p.what(), t.Target.Name)
	if n := len(p.body()); n > 0 {
		summary += fmt.Sprintf(", with a body of %d bytes", n)
	}
	if len(p.Headers) > 0 {
		names := make([]string, 0, len(p.Headers))
		for _, name := range slices.Sorted(maps.Keys(p.Headers)) {
			names = append(names, textproto.CanonicalMIMEHeaderKey(name))
		}
		summary += ", with headers " + strings.Join(names, ", ")
	}
	target := engine.Target{System: engine.SystemHTTP, Name: t.Target.Name}
	return engine.Plan{Target: target, Summary: summary}, nil
}

func (p requestParams) what() string { return p.Method + " " + shown(p.url) }

// Execute implements [remediators.Remediator]. Of a request that may be sent
// again by another task it says retryable also where the server may have acted
// on it.
func (r *Request) Execute(ctx context.Context, t engine.Task, _ engine.Plan) (engine.Outcome, error) {
	p, err := paramsOf(t)
	if err != nil {
		return engine.Outcome{}, err
	}
	req, err := p.request(t.ID)
	if err != nil {
		return engine.Outcome{}, remediators.Terminal("%w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout.or(defaultTimeout))
	defer cancel()
	a, err := r.client.send(ctx, req)
	if err != nil {
		return engine.Outcome{}, p.unanswered(err)
	}
	if !p.Expect.status(a.status) {
		return engine.Outcome{}, p.unexpected(a, r.now())
	}
	if err := p.Expect.body(a); err != nil {
		return engine.Outcome{}, p.doubtful(0, "%s: %s, but %w", p.what(), statusText(a.status), err)
	}
	return engine.Outcome{Summary: fmt.Sprintf("%s: %s", p.what(), statusText(a.status))}, nil
}

// unanswered classifies a request without an answer.
func (p requestParams) unanswered(err error) error {
	failed, ok := errors.AsType[*sendError](err)
	switch {
	case ok && !failed.sent && (failed.untrusted() || failed.denied()):
		return remediators.Terminal("%s: not sent: %w", p.what(), err)
	case ok && !failed.sent:
		return remediators.Retryable(0, "%s: not sent: %w", p.what(), err)
	default:
		return p.doubtful(0, "%s: sent, but not answered: %w", p.what(), err)
	}
}

// unexpected classifies an answer by its status.
func (p requestParams) unexpected(a answer, now time.Time) error {
	after, given := retryAfter(a.header, now)
	format, args := "%s: %s", []any{p.what(), statusText(a.status)}
	switch {
	case a.status == http.StatusRequestTimeout, a.status == http.StatusTooEarly, a.status == http.StatusTooManyRequests,
		a.status == http.StatusServiceUnavailable && given:
		return remediators.Retryable(after, format, args...)
	case a.status >= 400 && a.status < 500:
		return remediators.Terminal(format, args...)
	case a.status >= 300 && a.status < 400:
		return p.doubtful(0, format+"; redirects are not followed", args...)
	default:
		return p.doubtful(after, format, args...)
	}
}

// doubtful is for a request that the server may have acted on.
func (p requestParams) doubtful(after time.Duration, format string, args ...any) error {
	if p.repeatable() {
		return remediators.Retryable(after, format, args...)
	}
	return remediators.UnknownOutcome(format, args...)
}

// Observe implements [remediators.Remediator]. Nothing in HTTP tells whether a
// request was acted on. One that may be sent again is told by IdempotentFor.
func (*Request) Observe(context.Context, engine.Task, engine.Plan) (engine.Effect, error) {
	return engine.Unknown, nil
}

func statusText(code int) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
}

// maxRetryAfter keeps a server from putting off a run for ever.
const maxRetryAfter = 15 * time.Minute

// retryAfter reads the header of that name, seconds or a date. Source: RFC 9110,
// section 10.2.3.
func retryAfter(h http.Header, now time.Time) (d time.Duration, given bool) {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter), true
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter), true
	}
	return 0, false
}
