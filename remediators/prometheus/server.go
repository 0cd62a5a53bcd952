package prometheus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/webapi"
)

// Server is one Prometheus.
type Server struct {
	api   v1.API
	where string
}

// Servers are the configured ones by the name that rules call them. It is not
// changed once in use.
type Servers map[string]*Server

// NewServer checks the configuration. It asks nothing, so a server that is down is
// no error here.
func NewServer(c webapi.Config) (*Server, error) {
	u, asking, err := webapi.NewClient(c)
	if err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	client, err := api.NewClient(api.Config{Address: c.URL, Client: asking})
	if err != nil {
		return nil, fmt.Errorf("prometheus %s: %w", u.Host, err)
	}
	return &Server{api: v1.NewAPI(client), where: c.URL}, nil
}

// named finds a server.
func (s Servers) named(name string) (*Server, error) {
	server, ok := s[name]
	if !ok {
		return nil, remediators.Terminal("server %q is not configured under prometheus; known are: %s", name, strings.Join(slices.Sorted(maps.Keys(s)), ", "))
	}
	return server, nil
}

// answer is what a query gives now. A scalar is one series without labels.
type answer struct {
	series   model.Vector
	warnings []string
}

// ask asks one query, to be answered within limit. The error is classified.
func (s *Server) ask(ctx context.Context, query string, limit time.Duration) (answer, error) {
	// The server's own clock says what is now. It takes whole seconds only.
	limit = max(limit.Round(time.Second), time.Second)
	value, warnings, _, err := s.api.Query(ctx, query, time.Time{}, v1.WithTimeout(limit))
	fail := func(class func(string, ...any) error, err error) (answer, error) {
		return answer{}, class("query %s at %s: %w", query, s.where, err)
	}
	if err != nil {
		return fail(classOf(err), inWords(err))
	}
	switch v := value.(type) {
	case *model.Scalar:
		return answer{series: model.Vector{{Value: v.Value}}, warnings: warnings}, nil
	case model.Vector:
		for _, sample := range v {
			if sample.Histogram != nil {
				return fail(remediators.Terminal, fmt.Errorf("%s is a native histogram; take a number from it, as by histogram_quantile", sample.Metric))
			}
		}
		return answer{series: v, warnings: warnings}, nil
	case nil:
		return fail(remediators.Terminal, errors.New("the answer has no result: is this the API of a Prometheus?"))
	default:
		return fail(remediators.Terminal, fmt.Errorf("the answer is a %s, want a vector or a scalar", v.Type()))
	}
}

// classOf says whether asking again may help.
func classOf(err error) func(string, ...any) error {
	retryable := func(format string, args ...any) error { return remediators.Retryable(0, format, args...) }
	if errors.Is(err, webapi.ErrTooLong) {
		return remediators.Terminal
	}
	e, ok := errors.AsType[*v1.Error](err)
	if !ok {
		return retryable // of the network
	}
	switch e.Type {
	case v1.ErrServer, v1.ErrTimeout, v1.ErrCanceled:
		return retryable
	case v1.ErrBadResponse:
		// Text is a result, too, if one that the client does not know.
		if !strings.Contains(e.Msg, "value type") {
			return retryable
		}
	case v1.ErrClient:
		// The client's words for a status that no Prometheus answers a query with.
		if strings.Contains(e.Msg, "429") {
			return retryable
		}
	case v1.ErrBadData, v1.ErrExec:
	}
	return remediators.Terminal
}

// inWords takes off net/http's own wrapping, which repeats the address, and adds
// why a server failed, which the client leaves aside.
func inWords(err error) error {
	if errors.Is(err, webapi.ErrTooLong) {
		return fmt.Errorf("%w: let the query aggregate", webapi.ErrTooLong)
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	var said struct {
		Error string `json:"error"`
	}
	if e, ok := errors.AsType[*v1.Error](err); ok && json.Unmarshal([]byte(e.Detail), &said) == nil && said.Error != "" {
		return fmt.Errorf("%w: %s", err, said.Error)
	}
	return err
}
