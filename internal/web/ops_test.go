package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/web"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/internal/web/webtest"
)

func TestReadyNamesWhatIsNot(t *testing.T) {
	t.Parallel()
	var sick atomic.Bool
	var clock atomic.Int64
	var looks atomic.Int64
	w := webtest.Start(t, func(o *web.Options) {
		o.Now = func() time.Time { return time.Unix(1_700_000_000+clock.Load(), 0) }
		o.Checks = append(o.Checks, web.Check{Name: "engine", Do: func(context.Context) error {
			looks.Add(1)
			if sick.Load() {
				return errors.New("the ledger is not read to its end")
			}
			return nil
		}})
	})
	r := into[api.Ready](t, want(t, get(t, w.URL+"/readyz"), 200))
	if !r.Ready || !r.Components["bus"].Ready || !r.Components["engine"].Ready {
		t.Errorf("%+v", r)
	}
	sick.Store(true)
	want(t, get(t, w.URL+"/readyz"), 200)
	if looks.Load() != 1 {
		t.Errorf("%d looks within a second", looks.Load())
	}
	clock.Add(1)
	r = into[api.Ready](t, want(t, get(t, w.URL+"/readyz"), 503))
	if r.Ready || !r.Components["bus"].Ready || r.Components["engine"].Ready || r.Components["engine"].Reason == "" {
		t.Errorf("%+v", r)
	}
	want(t, get(t, w.URL+"/healthz"), 200)
	sick.Store(false)
	clock.Add(1)
	want(t, get(t, w.URL+"/readyz"), 200)
	w.Web.Close()
	r = into[api.Ready](t, want(t, get(t, w.URL+"/readyz"), 503))
	if r.Components["server"].Reason == "" {
		t.Errorf("shutting down, and said %+v", r)
	}
}

func TestMetricsCountRequestsByRoute(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	want(t, get(t, w.URL+"/api/v1/runs/r1"), 404)
	want(t, get(t, w.URL+"/api/v1/runs/r2"), 404)
	body := string(want(t, get(t, w.URL+"/metrics"), 200).body)
	if line := `paramedic_api_requests_total{route="/api/v1/runs/:id",status="404"} 2`; !strings.Contains(body, line) {
		t.Errorf("no %s in\n%s", line, body)
	}
}

func TestWithoutAnAPIOnlyHealthAndMetricsAreServed(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t, func(o *web.Options) { o.API = nil })
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		want(t, get(t, w.URL+path), 200)
	}
	want(t, get(t, w.URL+"/api/v1/runs"), 404)
	want(t, send(t, http.MethodPost, w.URL+"/api/v1/pauses", `{"scope":"all"}`, nil), 404)
}
