package http

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// TestEveryStatus holds what each status means for a request that must not be
// repeated, and for one that may.
func TestEveryStatus(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for code := 100; code < 600; code++ {
		for after, delay := range map[string]time.Duration{"": 0, "30": 30 * time.Second, "Fri, 02 Jan 2026 03:05:05 GMT": time.Minute} {
			a := answer{status: code, header: http.Header{}}
			if after != "" {
				a.header.Set("Retry-After", after)
			}
			u := &url.URL{Scheme: "http", Host: "h"}
			once := remediators.Failure(requestParams{Method: http.MethodPost, url: u}.unexpected(a, now))
			again := remediators.Failure(requestParams{Method: http.MethodPut, url: u}.unexpected(a, now))
			refused := code >= 400 && code < 500
			want := engine.ClassUnknown
			switch {
			case code == 408, code == 425, code == 429, code == 503 && after != "":
				want = engine.ClassRetryable
				if once.RetryAfter != delay {
					t.Errorf("%d with Retry-After %q: %v", code, after, once.RetryAfter)
				}
			case refused:
				want = engine.ClassTerminal
			}
			if once.Class != want {
				t.Errorf("POST, %d with Retry-After %q: %s, want %s", code, after, once.Class, want)
			}
			if want == engine.ClassUnknown {
				want = engine.ClassRetryable
			}
			if again.Class != want {
				t.Errorf("PUT, %d with Retry-After %q: %s, want %s", code, after, again.Class, want)
			}
			if !strings.Contains(once.Message, statusText(code)) {
				t.Errorf("%d: message %q", code, once.Message)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"0": 0, "5": 5 * time.Second, "86400": maxRetryAfter, "2147483647": maxRetryAfter,
		"Fri, 02 Jan 2026 03:04:00 GMT": 0, "Sat, 02 Jan 2027 03:04:00 GMT": maxRetryAfter,
	} {
		if got, ok := retryAfter(http.Header{"Retry-After": {value}}, now); got != want || !ok {
			t.Errorf("%q: %v, %t", value, got, ok)
		}
	}
	for _, value := range []string{"", "-1", "soon", "1.5", "99999999999999999999"} {
		if got, ok := retryAfter(http.Header{"Retry-After": {value}}, now); ok {
			t.Errorf("%q: %v", value, got)
		}
	}
}

func TestExpectation(t *testing.T) {
	t.Parallel()
	const up = `{"status": "UP", "a.b": 1, "components": {"db": {"status": "UP", "pool": 10.0}}, "items": [{"name": "x"}, null]}`
	for _, c := range []struct {
		expect, body string
		cut          error
		want         string // "": fine
	}{
		{`{}`, ``, nil, ""},
		{`{"json": {"status": "UP"}}`, up, nil, ""},
		{`{"json": {"components.db.status": "UP", "components.db.pool": 10, "a.b": 1}}`, up, nil, ""},
		{`{"json": {"items.0.name": "x", "items.1": null, "components.db": {"pool": 10, "status": "UP"}}}`, up, nil, ""},
		{`{"json": {"status": "DOWN"}}`, up, nil, `"status" is "UP", want "DOWN"`},
		{`{"json": {"components.db.pool": "10"}}`, up, nil, `is 10.0, want "10"`},
		{`{"json": {"components.cache": 1}}`, up, nil, `has no "components.cache"`},
		{`{"json": {"items.2": null}}`, up, nil, `has no "items.2"`},
		{`{"json": {"items.-1": null}}`, up, nil, `has no`},
		{`{"json": {"status.deeper": null}}`, up, nil, `has no`},
		{`{"json": {"status": "UP"}}`, `<html>`, nil, `is not JSON`},
		{`{"json": {"status": "UP"}}`, ``, nil, `is not JSON`},
		{`{"json": {"status": "UP"}}`, `{"status": "UP"} {}`, nil, `is not JSON`},
		{`{"json": {"status": "UP"}}`, `{"status": "UP"}`, errors.New("cut"), `could not be read whole: cut`},
		{`{"contains": "UP"}`, up, errors.New("cut"), ``},
		{`{"contains": "DOWN"}`, up, nil, `does not contain "DOWN"`},
		{`{"contains": "UP", "json": {"status": "DOWN"}}`, up, nil, `want "DOWN"`},
	} {
		var e expectation
		if err := json.Unmarshal([]byte(c.expect), &e); err != nil {
			t.Fatal(err)
		}
		err := e.body(answer{body: []byte(c.body), cut: c.cut})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s of %s: %v, want %q", c.expect, c.body, err, c.want)
		}
	}
	for text, want := range map[string]map[int]bool{
		`{}`:                     {200: true, 204: true, 299: true, 199: false, 300: false, 500: false},
		`{"status": 404}`:        {404: true, 200: false},
		`{"status": [200, 302]}`: {200: true, 302: true, 201: false},
	} {
		var e expectation
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		for code, ok := range want {
			if e.status(code) != ok {
				t.Errorf("%s of %d: %t", text, code, !ok)
			}
		}
	}
}

// TestParams holds that the schema and the action accept the same, but for what
// a schema cannot say.
func TestParams(t *testing.T) {
	t.Parallel()
	schema := remediatortest.Schema(t, json.RawMessage(requestSchema))
	for _, c := range []struct {
		params string
		want   string // "": fine
		beyond bool   // what the schema cannot say
	}{
		{params: `{"method": "POST", "url": "http://h/p"}`},
		{params: `{"method": "PUT", "url": "https://[::1]:8443/p?q", "headers": {"Host": "x", "X-A": ""}, "body": "", "timeout": "1m30s"}`},
		{params: `{"method": "POST", "url": "http://h", "json": null, "expect": {"status": [200], "contains": "x"}, "idempotent": true}`},
		{params: ``, want: "there are none", beyond: true},
		{params: `{"url": "http://h"}`, want: "method"},
		{params: `{"method": "post", "url": "http://h"}`, want: "method"},
		{params: `{"method": "CONNECT", "url": "http://h"}`, want: "method"},
		{params: `{"method": "GET"}`, want: "url is missing"},
		{params: `{"method": "GET", "url": "file:///etc/passwd"}`, want: "http or https", beyond: true},
		{params: `{"method": "GET", "url": "h/p"}`, want: "http or https", beyond: true},
		{params: `{"method": "GET", "url": "http://"}`, want: "names no host", beyond: true},
		{params: `{"method": "GET", "url": "http://:80"}`, want: "names no host", beyond: true},
		{params: `{"method": "GET", "url": "http://u:hunter2@h:x"}`, want: "malformed", beyond: true},
		{params: `{"method": "GET", "url": "http://h", "body": "x", "json": {}}`, want: "exclude"},
		{params: `{"method": "GET", "url": "http://h", "headers": {"idempotency-key": "hunter2"}}`, want: "Idempotency-Key is set by", beyond: true},
		{params: `{"method": "GET", "url": "http://h", "headers": {"Content-Length": "hunter2"}}`, want: "Content-Length", beyond: true},
		{params: `{"method": "GET", "url": "http://h", "headers": {"a": "1", "A": "2"}}`, want: "A is given twice", beyond: true},
		{params: `{"method": "GET", "url": "http://h", "headers": {"a b": "1"}}`, want: "not a header's name", beyond: true},
		{params: `{"method": "GET", "url": "http://h", "headers": {"a": "hunter2\r\nX: y"}}`, want: "A has a value", beyond: true},
		{params: `{"method": "GET", "url": "http://h", "timeout": "0s"}`, want: "timeout", beyond: true},
		{params: `{"method": "GET", "url": "http://h", "timeout": "1h"}`, want: "timeout", beyond: true},
		{params: `{"method": "GET", "url": "http://h", "timeout": 5}`, want: "timeout"},
		{params: `{"method": "GET", "url": "http://h", "expect": {"status": []}}`, want: "empty"},
		{params: `{"method": "GET", "url": "http://h", "expect": {"status": 99}}`, want: "99"},
		{params: `{"method": "GET", "url": "http://h", "expect": {"state": 200}}`, want: "state"},
	} {
		_, err := requestParamsOf(json.RawMessage(c.params))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.params, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error repeats a secret: %v", c.params, err)
		}
		if c.params != "" && !c.beyond && remediatortest.Accepts(t, schema, c.params) != (err == nil) {
			t.Errorf("%s: the schema and the action differ: %v", c.params, err)
		}
	}
	if _, err := requestParamsOf(json.RawMessage(`{"method": "POST", "url": "http://h", "body": "` + strings.Repeat("x", maxBody+1) + `"}`)); err == nil {
		t.Error("a body beyond the limit is accepted")
	}
}

func TestIdempotentFor(t *testing.T) {
	t.Parallel()
	r := NewRequest(NewClient("test", nil), time.Now)
	for params, want := range map[string]bool{
		`{"method": "GET", "url": "http://h"}`:                          true,
		`{"method": "HEAD", "url": "http://h"}`:                         true,
		`{"method": "PUT", "url": "http://h"}`:                          true,
		`{"method": "DELETE", "url": "http://h"}`:                       true,
		`{"method": "POST", "url": "http://h"}`:                         false,
		`{"method": "PATCH", "url": "http://h"}`:                        false,
		`{"method": "POST", "url": "http://h", "idempotent": true}`:     true,
		`{"method": "POST", "url": "http://h", "idempotencyKey": true}`: true,
		`{"method": "PUT", "url": "http://h", "typo": true}`:            false,
		``: false,
	} {
		if got := remediators.Idempotent(r, engine.Task{Params: json.RawMessage(params)}); got != want {
			t.Errorf("%s: %t", params, got)
		}
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://h/p": "http://h/p",
		"https://user:hunter2@h:8443/a%2Fb/c#frag":   "https://h:8443/a%2Fb/c",
		"http://h/p?token=hunter2&b=hunter2&b=again": "http://h/p?b=…&token=…",
		"http://h?bad=%zz&ok=hunter2":                "http://h?ok=…",
	} {
		u, err := url.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := shown(u); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// FuzzParams holds that whatever is accepted can be sent, and that no error
// repeats a value.
func FuzzParams(f *testing.F) {
	f.Add(`{"method": "POST", "url": "http://h/p?q=1", "headers": {"A": "b"}, "json": {"a": [1]}, "expect": {"status": [200, 204]}}`)
	f.Add(`{"method": "GET", "url": "https://u:p@h", "timeout": "5s", "expect": {"json": {"a.b": null}}}`)
	f.Fuzz(func(t *testing.T, params string) {
		p, err := requestParamsOf(json.RawMessage(params))
		if err != nil {
			return
		}
		req, err := p.request("task")
		if err != nil {
			t.Fatalf("%s is accepted, but: %v", params, err)
		}
		if req.URL.Hostname() == "" || (req.URL.Scheme != "http" && req.URL.Scheme != "https") {
			t.Errorf("%s goes to %s", params, req.URL)
		}
		if got := req.Header.Values("Idempotency-Key"); len(got) != 1 || got[0] != "task" {
			t.Errorf("%s: keys %q", params, got)
		}
		if u := p.url.User; u != nil {
			if secret, _ := u.Password(); len(secret) > 8 && !strings.Contains(p.url.Host+p.url.Path+p.url.RawQuery, secret) && strings.Contains(p.what(), secret) {
				t.Errorf("%s shows its password", params)
			}
		}
	})
}
