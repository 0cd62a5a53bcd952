package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/web"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/internal/web/webtest"
)

// answer is what came back, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) problem(t *testing.T) api.Problem {
	t.Helper()
	if media := a.header.Get("Content-Type"); media != "application/problem+json" {
		t.Fatalf("%d with Content-Type %q: %s", a.status, media, a.body)
	}
	p := into[api.Problem](t, a)
	if p.Status != a.status || p.Title == "" {
		t.Errorf("status %d came with problem %+v", a.status, p)
	}
	return p
}

func into[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return v
}

// send sends a request; change may be nil.
func send(t *testing.T, method, url, body string, change func(*http.Request)) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if change != nil {
		change(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

func get(t *testing.T, url string) answer {
	t.Helper()
	return send(t, http.MethodGet, url, "", nil)
}

func want(t *testing.T, a answer, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// options are those of a world, for another server beside it.
func options(w *webtest.World, auth web.Auth) web.Options {
	reg := prometheus.NewRegistry()
	return web.Options{
		Log: slog.New(slog.DiscardHandler), Now: time.Now, Metrics: reg, Gatherer: reg,
		API: &web.API{Engine: w.Responder, Pauses: w.Bus.Pauses(), Ledger: w.Bus, Inbox: w.Bus, Quarantine: w.Bus, Raise: webtest.Raise, Auth: auth},
	}
}
