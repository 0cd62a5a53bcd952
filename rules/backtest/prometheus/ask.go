package prometheus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// The queries.
const (
	queryFiring = `ALERTS{alertstate="firing"}`
	queryActive = `ALERTS_FOR_STATE`
	queryUp     = `count(up)`
)

const (
	// tries is how often a chunk is asked for that fails in passing, and firstWait
	// how long after the first failure; it doubles.
	tries     = 6
	firstWait = time.Second
	// askTime bounds one query. Prometheus' own bound is 2 min unless configured.
	askTime = 3 * time.Minute
	// mostWarnings bounds the server's warnings that are kept.
	mostWarnings = 10
	// mostAnswer bounds one answer, in bytes: decoded, it is several times that.
	mostAnswer = 64 << 20
)

// errTooMuch says that a chunk must be asked for in smaller parts.
var errTooMuch = errors.New("more than can be had at once")

// chunk is what Prometheus has of a span.
type chunk struct {
	span

	firing, active, up model.Matrix
}

// ask asks all three queries about one span.
func (s *Source) ask(ctx context.Context, sp span) (chunk, error) {
	c := chunk{span: sp}
	for _, q := range []struct {
		text string
		into *model.Matrix
	}{{queryFiring, &c.firing}, {queryActive, &c.active}, {queryUp, &c.up}} {
		m, err := s.patiently(ctx, q.text, sp)
		if err != nil {
			return chunk{}, fmt.Errorf("query %s: %w", q.text, err)
		}
		*q.into = m
	}
	return c, nil
}

// patiently asks again where that may help.
func (s *Source) patiently(ctx context.Context, query string, sp span) (model.Matrix, error) {
	wait := firstWait
	for try := 1; ; try++ {
		m, err := s.query(ctx, query, sp)
		if err == nil {
			return m, nil
		}
		if tooMuch(err) && sp.points > 1 {
			return nil, errTooMuch
		}
		if !passing(err) || try == tries || ctx.Err() != nil {
			return nil, err
		}
		if err := s.o.Pause(ctx, wait); err != nil {
			return nil, err
		}
		wait *= 2
	}
}

func (s *Source) query(ctx context.Context, query string, sp span) (model.Matrix, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	v, warnings, _, err := s.api.QueryRange(ctx, query, v1.Range{Start: sp.start, End: sp.end(s.o.Step), Step: s.o.Step})
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		if !slices.Contains(s.found.warnings, w) && len(s.found.warnings) < mostWarnings {
			s.found.warnings = append(s.found.warnings, w)
		}
	}
	m, ok := v.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("the answer is a %s, want a matrix: is this the API of a Prometheus?", v.Type())
	}
	return m, nil
}

// tooMuch reports an answer that a shorter time would not have. What Prometheus
// says is in its promql/engine.go and web/api/v1/api.go.
func tooMuch(err error) bool {
	if errors.Is(err, errTooMuch) {
		return true
	}
	e, ok := errors.AsType[*v1.Error](err)
	if !ok {
		return false
	}
	text := e.Msg + e.Detail
	return e.Type == v1.ErrTimeout || strings.Contains(text, "too many samples") || strings.Contains(text, "exceeded maximum resolution") ||
		strings.Contains(text, errTooMuch.Error())
}

// passing reports an error that may be gone when it is tried again: of the
// network, of the server, or of a limit on requests.
func passing(err error) bool {
	e, ok := errors.AsType[*v1.Error](err)
	if !ok {
		return !errors.Is(err, errTooMuch)
	}
	switch e.Type {
	case v1.ErrServer, v1.ErrTimeout, v1.ErrBadResponse, v1.ErrCanceled:
		return true
	case v1.ErrClient:
		return strings.Contains(e.Msg, "429")
	case v1.ErrBadData, v1.ErrExec:
	}
	return false
}

// transport bounds answers and proves who asks.
type transport struct {
	next  http.RoundTripper
	token string
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.token != "" {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+t.token)
	}
	next := t.next
	if next == nil {
		next = api.DefaultRoundTripper
	}
	resp, err := next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &bounded{ReadCloser: resp.Body, left: mostAnswer}
	return resp, nil
}

// bounded is a body that is an error if it is too long.
type bounded struct {
	io.ReadCloser

	left int
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return n, errTooMuch
	}
	return n, err
}
