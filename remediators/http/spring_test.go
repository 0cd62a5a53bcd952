package http_test

import (
	"encoding/json"
	"fmt"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/http"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// boot answers as Spring Boot's Actuator does, and is as strict about methods.
func boot(t *testing.T, prefix string) (url string, done func() []string) {
	t.Helper()
	var mu sync.Mutex
	var all []string
	mux := nethttp.NewServeMux()
	handle := func(pattern string, status int, body string) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+prefix+path, func(w nethttp.ResponseWriter, r *nethttp.Request) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, r.Method+" "+r.URL.Path)
			if r.ContentLength > 0 {
				t.Errorf("%s has a body", r.URL.Path)
			}
			w.Header().Set("Content-Type", "application/vnd.spring-boot.actuator.v3+json")
			w.WriteHeader(status)
			answer(w, body)
		})
	}
	handle("DELETE /actuator/caches", nethttp.StatusNoContent, "")
	handle("POST /actuator/refresh", nethttp.StatusOK, `["config.client.version"]`)
	handle("GET /actuator/health", nethttp.StatusOK, `{"status":"UP"}`)
	handle("GET /sick/actuator/health", nethttp.StatusServiceUnavailable, `{"status":"DOWN"}`)
	handle("GET /odd/actuator/health", nethttp.StatusOK, `{"status":"OUT_OF_SERVICE"}`)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + prefix, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func TestSpring(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "/shop/api"} {
		url, got := boot(t, prefix)
		r := http.NewRequest(http.NewClient("test", nil), time.Now)
		for _, params := range []string{
			`{"url": "URL", "spring": "caches"}`, `{"url": "URL/", "spring": "refresh"}`, `{"url": "URL/actuator", "spring": "caches"}`,
			`{"url": "URL/actuator/", "spring": "refresh", "timeout": "2s", "headers": {"Authorization": "Bearer x"}, "expect": {"status": 200}}`,
		} {
			task := request(strings.ReplaceAll(params, "URL", url))
			p, err := r.Plan(t.Context(), task)
			if err != nil || !strings.Contains(p.Summary, url+"/actuator/") {
				t.Errorf("%s: plan %+v, %v", params, p, err)
			}
			if _, err := r.Execute(t.Context(), task, p); err != nil || !remediators.Idempotent(r, task) {
				t.Errorf("%s: %v, idempotent %t", params, err, remediators.Idempotent(r, task))
			}
		}
		want := fmt.Sprintf("[DELETE %[1]s/actuator/caches POST %[1]s/actuator/refresh DELETE %[1]s/actuator/caches POST %[1]s/actuator/refresh]", prefix)
		if fmt.Sprint(got()) != want {
			t.Errorf("got %v, want %s", got(), want)
		}
		probe := http.NewProbe(http.NewClient("test", nil), time.Now)
		for params, ok := range map[string]bool{
			`{"url": "URL", "spring": "health"}`: true, `{"url": "URL/sick", "spring": "health"}`: false, `{"url": "URL/odd", "spring": "health"}`: false,
			`{"url": "URL/odd", "spring": "health", "json": {"status": "OUT_OF_SERVICE"}}`: true, `{"url": "URL/sick", "spring": "health", "status": 503}`: true,
		} {
			check, err := probe.Probe(t.Context(), engine.Target{}, json.RawMessage(strings.ReplaceAll(params, "URL", url)))
			if err != nil || check.OK != ok {
				t.Errorf("%s: %+v, %v", params, check, err)
			}
		}
	}
}

func TestSpringRefuses(t *testing.T) {
	t.Parallel()
	r, probe := http.NewRequest(http.NewClient("test", nil), time.Now), http.NewProbe(http.NewClient("test", nil), time.Now)
	schema := remediatortest.Schema(t, r.Spec().Params)
	for _, params := range []string{
		`{"url": "http://h"}`, `{"url": "http://h", "spring": "shutdown"}`, `{"url": "http://h", "spring": "health"}`, `{"url": "http://h", "method": "GET", "spring": "caches"}`,
		`{"url": "http://h", "spring": "caches", "body": ""}`, `{"url": "http://h", "spring": "refresh", "json": {}}`,
	} {
		if _, err := r.Plan(t.Context(), request(params)); remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%s: %v", params, err)
		}
		if remediatortest.Accepts(t, schema, params) {
			t.Errorf("the schema accepts %s", params)
		}
	}
	if _, err := r.Plan(t.Context(), request(`{"url": "http://h?a=b", "spring": "caches"}`)); remediators.ClassOf(err) != engine.ClassTerminal {
		t.Errorf("a query: %v", err)
	}
	for _, params := range []string{`{"url": "http://h", "spring": "health"}`, `{"url": "http://h", "method": "GET"}`} {
		if got := remediatortest.Accepts(t, remediatortest.Schema(t, probe.Spec().Params), params); got != strings.Contains(params, "health") {
			t.Errorf("the probe's schema of %s: %t", params, got)
		}
	}
	if check, err := probe.Probe(t.Context(), engine.Target{}, json.RawMessage(`{"url": "http://h", "spring": "caches"}`)); err == nil || check.OK {
		t.Errorf("a probe that clears: %+v, %v", check, err)
	}
}
