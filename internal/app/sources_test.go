package app_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/receiver"
)

// TestEverySourceReachesTheEngine posts one body of each type of source, and looks for its alert in the engine's state.
func TestEverySourceReachesTheEngine(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{ // type of source → a body, by its file
		"azuremonitor": "../../receiver/azuremonitor/testdata/metric_static.json",
		"grafana":      "../../receiver/grafana/testdata/unified.good.json",
		"pagerduty":    "../../receiver/pagerduty/testdata/triggered.good.json",
		"alertmanager": "../../receiver/alertmanager/testdata/group.good.json",
		"cloudevents":  filepath.Join(t.TempDir(), "event.json"),
		"json":         filepath.Join(t.TempDir(), "check.json"),
	}
	for kind, text := range map[string]string{
		"cloudevents": `{"specversion":"1.0","id":"1","source":"/shop","type":"com.example.disk.full","subject":"cart","time":"2026-03-01T03:00:00Z"}`,
		"json":        `{"check":"disk","ok":false}`,
	} {
		if err := os.WriteFile(bodies[kind], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var sources strings.Builder
	for _, kind := range config.SourceTypes() {
		mapping := ""
		if kind == "json" {
			mapping = `, mapping: {name: body.check, status: "body.ok ? 'resolved' : 'firing'"}`
		}
		fmt.Fprintf(&sources, "  - {name: %s, type: %s, auth: {bearer: {file: token}}%s}\n", kind, kind, mapping)
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
	if len(bodies) != len(config.SourceTypes()) {
		t.Errorf("there are %d types of source, and bodies of %d", len(config.SourceTypes()), len(bodies))
	}
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

// load reads a configuration with these sources.
func load(t *testing.T, sources string) (*config.Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "paramedic.yaml")
	if err := os.WriteFile(file, []byte("sources:\n"+sources), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(file, config.ProcessEnv())
}

// TestAMistakeInAMappingEndsTheStart tells each where it stands in the file, and starts nothing.
func TestAMistakeInAMappingEndsTheStart(t *testing.T) {
	t.Parallel()
	cfg, err := load(t, `  - name: checks
    type: json
    auth: {bearer: {file: token}}
    mapping:
      name: itme.title
      status: "item.ok ? 'resolved' : 1"
      labels:
        alertname: item.title
        host: |
          item.host +
            boyd.site
`)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Data = filepath.Join(t.TempDir(), "data")
	a, err := app.Start(t.Context(), app.Options{Config: cfg, Version: "test", Logger: slog.New(slog.DiscardHandler)})
	problems, ok := errors.AsType[config.Problems](err)
	if a != nil || !ok {
		t.Fatalf("started %v, error %v; want problems", a, err)
	}
	for _, want := range []string{
		"paramedic.yaml:6:13: field sources[0].mapping.name: undeclared reference to 'itme'",
		"paramedic.yaml:7:24: field sources[0].mapping.status: found no matching overload",
		"paramedic.yaml:9:20: field sources[0].mapping.labels.alertname: this label is set from",
		"paramedic.yaml:12:13: field sources[0].mapping.labels.host: undeclared reference to 'boyd'",
	} {
		if !strings.Contains(problems.Error(), want) {
			t.Errorf("no problem %q in\n%v", want, problems)
		}
	}
	if _, err := os.Stat(cfg.Data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the bus was started (%v)", err)
	}
	if app.CheckSources(cfg) == nil {
		t.Error("CheckSources is content")
	}
}

// TestPresetsOfSignaturesAreTheReceivers holds the names in the configuration to those that the receiver knows, and what
// the configuration believes of their timestamps to what the receiver accepts.
func TestPresetsOfSignaturesAreTheReceivers(t *testing.T) {
	t.Parallel()
	if got, want := config.SignaturePresets(), receiver.SignaturePresets(); !slices.Equal(got, want) {
		t.Errorf("the configuration knows %v, the receiver %v", got, want)
	}
	for _, preset := range config.SignaturePresets() {
		known, _ := receiver.SignaturePreset(preset)
		always := known.TimestampHeader+known.TimestampParam != ""
		for field, want := range map[string]bool{
			"":                          true,
			", tolerance: 1m":           always,
			", timestampHeader: X-Time": strings.Contains(known.Signed, "{timestamp}") && known.TimestampParam == "",
			", timestampHeader: X-Time, signed: \"{timestamp}{body}\"": known.TimestampParam+known.IDHeader == "",
		} {
			cfg, err := load(t, fmt.Sprintf("  - {name: a, type: grafana, auth: {hmac: {preset: %s, secret: {env: A}%s}}}\n", preset, field))
			if err == nil {
				err = app.CheckSources(cfg)
			}
			if (err == nil) != want {
				t.Errorf("%s%s: %v", preset, field, err)
			}
		}
	}
}
