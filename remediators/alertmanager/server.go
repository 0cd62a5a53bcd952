package alertmanager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/webapi"
)

// Server is one Alertmanager.
type Server struct {
	client *http.Client
	alerts *url.URL
}

// Servers are the configured ones by the name that rules call them. It is not
// changed once in use.
type Servers map[string]*Server

// NewServer checks the configuration. It asks nothing, so a server that is down is
// no error here.
func NewServer(c webapi.Config) (*Server, error) {
	u, client, err := webapi.NewClient(c)
	if err != nil {
		return nil, fmt.Errorf("alertmanager: %w", err)
	}
	return &Server{client: client, alerts: u.JoinPath("api/v2/alerts")}, nil
}

// named finds a server.
func (s Servers) named(name string) (*Server, error) {
	server, ok := s[name]
	if !ok {
		return nil, remediators.Terminal("server %q is not configured under alertmanagers; known are: %s", name, strings.Join(slices.Sorted(maps.Keys(s)), ", "))
	}
	return server, nil
}

// alert is the part of an alert that is looked at. Source: gettableAlert of
// https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
type alert struct {
	Labels      map[string]string `json:"labels"`
	Fingerprint string            `json:"fingerprint"`
	Status      struct {
		State string `json:"state"`
	} `json:"status"`
}

// states are those that an alert of the answer may have; suppressed is one that the
// time of day mutes, since those that are silenced or inhibited are not asked for.
func states() []string { return []string{"active", "unprocessed", "suppressed"} }

// firing asks for the alerts that agree with all matchers. The error is classified.
func (s *Server) firing(ctx context.Context, matchers []string) ([]alert, error) {
	u := *s.alerts
	u.RawQuery = url.Values{
		"active": {"true"}, "silenced": {"false"}, "inhibited": {"false"}, "filter": matchers,
	}.Encode()
	fail := func(class func(string, ...any) error, err error) ([]alert, error) {
		return nil, class("%s: %w", s.alerts, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return fail(remediators.Terminal, withoutURL(err))
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return fail(retryable, withoutURL(err))
	}
	defer func() { _ = resp.Body.Close() }() // all that counts of it was read
	body, err := io.ReadAll(resp.Body)
	switch {
	case resp.StatusCode != http.StatusOK:
		return fail(classOf(resp.StatusCode), refusal(resp.StatusCode, body))
	case errors.Is(err, webapi.ErrTooLong):
		return fail(remediators.Terminal, fmt.Errorf("%w: name fewer alerts with the matchers", err))
	case err != nil:
		return fail(retryable, err)
	}
	found, err := alertsOf(body)
	if err != nil {
		return fail(remediators.Terminal, fmt.Errorf("%w: is this the API of an Alertmanager?", err))
	}
	return found, nil
}

// alertsOf reads a whole answer. Fields that later versions add are no harm; an
// answer that lacks what every alert has is none.
func alertsOf(body []byte) ([]alert, error) {
	var all []alert
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, fmt.Errorf("the answer is no list of alerts: %w", err)
	}
	if all == nil {
		return nil, errors.New("the answer is null, not a list of alerts")
	}
	for i, a := range all {
		if len(a.Labels) == 0 || a.Fingerprint == "" || !slices.Contains(states(), a.Status.State) {
			return nil, fmt.Errorf("number %d of the answer's list is no alert with labels, a fingerprint and a state", i+1)
		}
	}
	return all, nil
}

func retryable(format string, args ...any) error { return remediators.Retryable(0, format, args...) }

// classOf says whether asking again may help.
func classOf(status int) func(string, ...any) error {
	if status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout {
		return retryable
	}
	return remediators.Terminal
}

// refusal repeats what a server says is wrong with a request, such as a matcher that
// it cannot read, which it does as a text in JSON.
func refusal(status int, body []byte) error {
	err := fmt.Errorf("%d %s", status, http.StatusText(status))
	var said string
	if status == http.StatusBadRequest && json.Unmarshal(body, &said) == nil {
		err = fmt.Errorf("%w: %s", err, brief(said))
	}
	return err
}

// withoutURL takes off net/http's own wrapping, which repeats the address.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
