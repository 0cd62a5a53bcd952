package prometheus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/tripgen/paramedic/remediators"
)

// Secret returns a secret's present value. It is called for every request, and its
// error must not hold the value.
type Secret func() (string, error)

// ServerConfig says how to reach one server.
type ServerConfig struct {
	// URL is its address: http or https, with the path that comes before /api/v1 if
	// there is one, and without credentials.
	URL string
	// Bearer proves who asks, or else Username and Password do. All may be empty.
	Bearer   Secret
	Username string
	Password Secret
	// Roots are the authorities that its certificate is checked against; nil means the
	// system's.
	Roots *x509.CertPool
	// Version is this program's, for the User-Agent.
	Version string
}

// Server is one Prometheus.
type Server struct {
	api   v1.API
	where string
}

// Servers are the configured ones by the name that rules call them. It is not
// changed once in use.
type Servers map[string]*Server

const (
	dialTimeout = 5 * time.Second
	// mostAnswer bounds one answer, in bytes: some ten thousand series.
	mostAnswer = 4 << 20
)

// NewServer checks the configuration. It asks nothing, so a server that is down is
// no error here.
func NewServer(c ServerConfig) (*Server, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return nil, fmt.Errorf("prometheus: the URL is not one: want http://HOST:PORT or https://HOST:PORT")
	case u.User != nil:
		return nil, fmt.Errorf("prometheus %s: the URL holds credentials; give them as username and password", u.Host)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("prometheus %s: the URL has a query or a fragment; want only what comes before /api/v1", u.Host)
	case c.Bearer != nil && (c.Username != "" || c.Password != nil):
		return nil, fmt.Errorf("prometheus %s: both a bearer token and a username or password; give one or the other", u.Host)
	case (c.Username == "") != (c.Password == nil):
		return nil, fmt.Errorf("prometheus %s: username and password must both be given", u.Host)
	}
	client, err := api.NewClient(api.Config{Address: c.URL, Client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &transport{config: c, next: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout: dialTimeout,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
			ForceAttemptHTTP2:   true,
			IdleConnTimeout:     time.Minute,
		}},
	}})
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
	if errors.Is(err, errTooLong) {
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

// transport proves who asks, and bounds answers.
type transport struct {
	config ServerConfig
	next   http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", "paramedic/"+t.config.Version)
	switch {
	case t.config.Bearer != nil:
		token, err := t.config.Bearer()
		if err != nil {
			return nil, fmt.Errorf("bearer token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	case t.config.Password != nil:
		password, err := t.config.Password()
		if err != nil {
			return nil, fmt.Errorf("password: %w", err)
		}
		req.SetBasicAuth(t.config.Username, password)
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &bounded{ReadCloser: resp.Body, left: mostAnswer}
	return resp, nil
}

var errTooLong = errors.New("the answer is longer than 4 MB: let the query aggregate")

// bounded is a body that is an error if it is too long.
type bounded struct {
	io.ReadCloser

	left int
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return n, errTooLong
	}
	return n, err
}
