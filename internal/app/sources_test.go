package app_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// TestEverySourceReachesTheEngine posts one body of each type of source, and looks for its alert in the engine's state.
func TestEverySourceReachesTheEngine(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{ // type of source → a body, by its file
		"azuremonitor": "../../receiver/azuremonitor/testdata/metric_static.json",
		"grafana":      "../../receiver/grafana/testdata/unified.good.json",
		"pagerduty":    "../../receiver/pagerduty/testdata/triggered.good.json",
		"cloudevents":  filepath.Join(t.TempDir(), "event.json"),
	}
	event := `{"specversion":"1.0","id":"1","source":"/shop","type":"com.example.disk.full","subject":"cart","time":"2026-03-01T03:00:00Z"}`
	if err := os.WriteFile(bodies["cloudevents"], []byte(event), 0o600); err != nil {
		t.Fatal(err)
	}
	var sources strings.Builder
	for kind := range bodies {
		fmt.Fprintf(&sources, "  - {name: %s, type: %s, auth: {bearer: {file: token}}}\n", kind, kind)
	}
	a, _ := start(t, folder(t, sources.String()))
	for kind, file := range bodies {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.Addr().String()+"/v1/webhooks/"+kind, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		if kind == "cloudevents" {
			req.Header.Set("Content-Type", "application/cloudevents+json")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if resp.StatusCode != http.StatusAccepted {
			t.Errorf("%s is answered with %d", kind, resp.StatusCode)
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	missing := len(bodies)
	for deadline := time.Now().Add(30 * time.Second); missing > 0 && time.Now().Before(deadline); <-tick.C {
		seen := map[string]bool{}
		a.Responder().View(func(st *engine.State) {
			for _, ep := range st.Episodes {
				seen[ep.Alert.Source] = true
			}
		})
		missing = len(bodies) - len(seen)
	}
	if missing > 0 {
		t.Errorf("the alerts of %d sources never came to the engine", missing)
	}
}
