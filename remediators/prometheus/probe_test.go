package prometheus_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/prometheus"
	"github.com/tripgen/paramedic/remediators/webapi"
)

func server(t *testing.T, c webapi.Config) *prometheus.Server {
	t.Helper()
	c.Version = "test"
	s, err := prometheus.NewServer(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// past is the latency of two pods and the errors of none, a sample each half minute
// until now, and what they were a week ago.
func past() string {
	now := time.Now().Truncate(time.Second)
	var b strings.Builder
	write := func(pod string, value float64, until time.Time) {
		for at := until.Add(-10 * time.Minute); !at.After(until); at = at.Add(30 * time.Second) {
			fmt.Fprintf(&b, "latency{pod=%q} %v %d\n", pod, value, at.Unix())
		}
	}
	b.WriteString("# TYPE latency gauge\n")
	write("a", 0.2, now.Add(-7*24*time.Hour))
	write("a", 0.22, now)
	write("b", 0.4, now.Add(-7*24*time.Hour))
	write("b", 0.6, now)
	write("new", 0.1, now)
	b.WriteString("# EOF\n")
	return b.String()
}

func TestRealPrometheus(t *testing.T) {
	t.Parallel()
	running := lab.Prometheus(t, lab.PrometheusOptions{History: past(), Args: []string{"--query.max-samples=1000"}})
	var p verify.Prober = prometheus.NewProbe(prometheus.Servers{"default": server(t, webapi.Config{URL: running.URL() + "/"})})
	for name, c := range map[string]struct {
		params string
		want   bool
		says   string
		class  engine.Class // of the error; empty for none
	}{
		"below":                    {params: `"query": "latency", "below": 0.7`, want: true, says: "all 3 series are below"},
		"one is not":               {params: `"query": "latency", "below": 0.5`, says: `latency{pod="b"} is 0.6, not below 0.5`},
		"a scalar":                 {params: `"query": "scalar(count(latency))", "equals": 3`, want: true, says: "the result is 3"},
		"without labels":           {params: `"query": "sum(latency)", "above": 0.9, "timeout": "1500ms"`, want: true, says: "above 0.9"},
		"last week":                {params: `"query": "latency{pod=\"a\"}", "below": {"query": "latency offset 1w", "factor": 1.2}`, want: true, says: "below 0.24 (1.2 times"},
		"worse than last week":     {params: `"query": "latency{pod!=\"new\"}", "below": {"query": "latency offset 1w", "factor": 1.2}`, says: `latency{pod="b"} is 0.6, not below 0.48`},
		"not there last week":      {params: `"query": "latency", "below": {"query": "latency offset 1w", "factor": 10}`, says: `latency{pod="new"} is 0.1, and the threshold has no series`},
		"all of last week":         {params: `"query": "latency", "below": {"query": "max(latency offset 1w)", "factor": 2}`, want: true, says: "all 3"},
		"last month":               {params: `"query": "latency", "below": {"query": "latency offset 4w"}`, says: "latency offset 4w has no result"},
		"not a number":             {params: `"query": "latency * NaN", "below": 1`, says: "is NaN"},
		"empty":                    {params: `"query": "latencies", "below": 1`, says: "no result; where that is well, write empty: pass"},
		"empty and well":           {params: `"query": "latency > 100", "below": 1, "empty": "pass"`, want: true, says: "no result"},
		"warned":                   {params: `"query": "histogram_quantile(0.9, latency)", "below": 1`, says: "the server warns: PromQL warning: bucket label"},
		"warned of the threshold":  {params: `"query": "vector(1)", "below": {"query": "scalar(histogram_quantile(0.9, latency))"}`, says: "the server warns: PromQL warning: bucket label"},
		"no PromQL":                {params: `"query": "latency{", "below": 1`, class: engine.ClassTerminal, says: "parse error"},
		"no PromQL as a threshold": {params: `"query": "latency", "below": {"query": "("}`, class: engine.ClassTerminal, says: "promql: threshold: query ("},
		"a range":                  {params: `"query": "latency[5m]", "below": 1`, class: engine.ClassTerminal, says: "the answer is a matrix, want a vector"},
		"text":                     {params: `"query": "\"text\"", "below": 1`, class: engine.ClassTerminal, says: `unexpected value type "string"`},
		"many to many":             {params: `"query": "latency * on() latency", "below": 1`, class: engine.ClassTerminal, says: "many-to-many"},
		"too many samples":         {params: `"query": "sum(count_over_time(latency[1w:1s]))", "below": 1`, class: engine.ClassTerminal, says: "too many samples"},
		"another server":           {params: `"query": "latency", "below": 1, "server": "other"`, class: engine.ClassTerminal, says: `"other" is not configured under prometheus; known are: default`},
		"no threshold":             {params: `"query": "latency"`, class: engine.ClassTerminal, says: "exactly one of above, below and equals"},
	} {
		check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage("{"+c.params+"}"))
		said := check.Detail
		if err != nil {
			said = err.Error()
		}
		if (err != nil) != (c.class != "") || err != nil && remediators.ClassOf(err) != c.class || check.OK != c.want || check.Kind != "promql" || !strings.Contains(said, c.says) {
			t.Errorf("%s: %+v, %v; want %t, %q with %q", name, check, err, c.want, c.class, c.says)
		}
	}
}

// TestOtherAnswers are those that a real Prometheus does not give, or not at will.
func TestOtherAnswers(t *testing.T) {
	t.Parallel()
	const ok = `{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "1"]}]}}`
	elsewhere := httptest.NewServer(nethttp.HandlerFunc(func(_ nethttp.ResponseWriter, r *nethttp.Request) {
		t.Errorf("a redirect was followed, with Authorization %q", r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	for name, c := range map[string]struct {
		status int
		body   string
		want   bool
		says   string
		class  engine.Class
	}{
		"fine":                 {200, ok, true, "the result is 1", ""},
		"null":                 {200, `null`, false, "", engine.ClassTerminal},
		"a page":               {200, `<html>`, false, "", engine.ClassRetryable},
		"no data":              {200, `{"status": "success"}`, false, "no result", engine.ClassTerminal},
		"another type":         {200, strings.Replace(ok, "vector", "tensor", 1), false, "tensor", engine.ClassTerminal},
		"a native histogram":   {200, `{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {"a": "b"}, "histogram": [1, {"count": "1", "sum": "1", "buckets": []}]}]}}`, false, "histogram_quantile", engine.ClassTerminal},
		"an error with 200":    {200, `{"status": "error", "errorType": "execution", "error": "no"}`, false, "no", engine.ClassTerminal},
		"half an answer":       {200, ok[:len(ok)-10], false, "", engine.ClassRetryable},
		"too long":             {200, `{"status": "success", "data": {"resultType": "vector", "result": [` + strings.Repeat(" ", 5<<20) + `]}}`, false, "longer than 4 MB: let the query aggregate", engine.ClassTerminal},
		"not allowed":          {401, `no`, false, "401", engine.ClassTerminal},
		"forbidden":            {403, `no`, false, "403", engine.ClassTerminal},
		"no such page":         {404, `no`, false, "404", engine.ClassTerminal},
		"too often":            {429, `no`, false, "429", engine.ClassRetryable},
		"broken":               {500, `no`, false, "500", engine.ClassRetryable},
		"away":                 {502, `no`, false, "502", engine.ClassRetryable},
		"too slow":             {503, `{"status": "error", "errorType": "timeout", "error": "query timed out"}`, false, "timed out", engine.ClassRetryable},
		"a redirect":           {302, ``, false, "302", engine.ClassRetryable},
		"a redirect of a POST": {307, ``, false, "307", engine.ClassRetryable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, _ *nethttp.Request) {
				if c.status/100 == 3 {
					w.Header().Set("Location", elsewhere.URL)
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			t.Cleanup(s.Close)
			p := prometheus.NewProbe(prometheus.Servers{"default": server(t, webapi.Config{URL: s.URL, Bearer: func() (string, error) { return "s3cret", nil }})})
			check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage(`{"query": "up", "equals": 1}`))
			said := check.Detail
			if err != nil {
				said = err.Error()
			}
			if (err != nil) != (c.class != "") || err != nil && remediators.ClassOf(err) != c.class || check.OK != c.want || !strings.Contains(said, c.says) || strings.Contains(said, "s3cret") {
				t.Errorf("%+v, %v; want %t, %q with %q", check, err, c.want, c.class, c.says)
			}
		})
	}
}

func TestWhoAsks(t *testing.T) {
	t.Parallel()
	seen := make(chan *nethttp.Request, 10)
	s := httptest.NewUnstartedServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		seen <- r
		_, _ = w.Write([]byte(`{"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}}`))
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of one that does not trust it
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := s.Client().Transport.(*nethttp.Transport).TLSClientConfig.RootCAs //nolint:forcetypeassert,errcheck // httptest's is one
	secret := func() (string, error) { return "s3cret", nil }
	for name, c := range map[string]struct {
		config webapi.Config
		want   string
	}{
		"nobody": {webapi.Config{}, ""},
		"bearer": {webapi.Config{Bearer: secret}, "Bearer s3cret"},
		"basic":  {webapi.Config{Username: "p", Password: secret}, "Basic cDpzM2NyZXQ="},
	} {
		c.config.URL, c.config.Roots = s.URL+"/prefix/", roots
		p := prometheus.NewProbe(prometheus.Servers{"default": server(t, c.config)})
		if check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage(`{"query": "up", "equals": 1}`)); err != nil || !check.OK {
			t.Fatalf("%s: %+v, %v", name, check, err)
		}
		r := <-seen
		if got := r.Header.Get("Authorization"); got != c.want {
			t.Errorf("%s: Authorization %q, want %q", name, got, c.want)
		}
		if r.URL.Path != "/prefix/api/v1/query" || r.Form.Get("query") != "up" || r.Form.Get("timeout") != "10s" || r.Form.Has("time") || r.UserAgent() != "paramedic/test" {
			t.Errorf("%s: asked %s %v as %s", name, r.URL, r.Form, r.UserAgent())
		}
	}

	lost := func() (string, error) { return "", errors.New("the file is gone") }
	for name, c := range map[string]webapi.Config{
		"not trusted":    {URL: s.URL, Bearer: secret},
		"no secret":      {URL: s.URL, Roots: roots, Bearer: lost},
		"no password":    {URL: s.URL, Roots: roots, Username: "p", Password: lost},
		"nobody listens": {URL: "http://127.0.0.1:1"},
	} {
		p := prometheus.NewProbe(prometheus.Servers{"default": server(t, c)})
		check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage(`{"query": "up", "equals": 1}`))
		if check.OK || remediators.ClassOf(err) != engine.ClassRetryable || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %+v, %v", name, check, err)
		}
	}
	if len(seen) != 0 {
		t.Errorf("%d requests without a secret", len(seen))
	}
}

func TestSlowServer(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	s := httptest.NewServer(nethttp.HandlerFunc(func(nethttp.ResponseWriter, *nethttp.Request) { <-free }))
	t.Cleanup(s.Close)
	defer close(free)
	p := prometheus.NewProbe(prometheus.Servers{"default": server(t, webapi.Config{URL: s.URL})})
	begun := time.Now()
	check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage(`{"query": "up", "equals": 1, "timeout": "100ms"}`))
	if check.OK || remediators.ClassOf(err) != engine.ClassRetryable || time.Since(begun) > 20*time.Second {
		t.Errorf("%+v, %v after %v", check, err, time.Since(begun))
	}
}

func TestServerConfig(t *testing.T) {
	t.Parallel()
	secret := func() (string, error) { return "s3cret", nil }
	for says, c := range map[string]webapi.Config{
		"want http://HOST:PORT":      {URL: "prometheus:9090"},
		"want http://HOST:PORT or":   {URL: "http://"},
		"https://HOST:PORT":          {URL: "http://u:s3cret@[::1"},
		"holds credentials":          {URL: "http://u:s3cret@p:9090"},
		"a query or a fragment":      {URL: "http://p:9090/?token=s3cret"},
		"both a bearer token and":    {URL: "http://p", Bearer: secret, Username: "u", Password: secret},
		"must both be given":         {URL: "http://p", Username: "u"},
		"password must both be":      {URL: "http://p", Password: secret},
		"both a bearer token and a ": {URL: "http://p", Bearer: secret, Password: secret},
	} {
		if _, err := prometheus.NewServer(c); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q", c.URL, err, says)
		}
	}
}
