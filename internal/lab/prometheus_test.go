package lab_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/lab"
)

const upRule = `
groups:
- name: lab
  rules:
  - alert: Up
    expr: up{job="sample"} == 1
`

// write puts a rule file into a folder of the test's own.
func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// series counts the series of a range query's answer and the samples of all.
func series(ctx context.Context, t *testing.T, p *lab.PrometheusServer, query string, from, to time.Time, step time.Duration) (count, samples int) {
	t.Helper()
	form := url.Values{
		"query": {query}, "start": {from.Format(time.RFC3339)}, "end": {to.Format(time.RFC3339)}, "step": {step.String()},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL()+"/api/v1/query_range?"+form.Encode(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
	}()
	var answer struct {
		Status string `json:"status"`
		Error  string `json:"error"`
		Data   struct {
			Result []struct {
				Values []json.RawMessage `json:"values"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Status != "success" {
		t.Fatalf("query %s: %v, %+v", query, err, answer)
	}
	for _, s := range answer.Data.Result {
		samples += len(s.Values)
	}
	return len(answer.Data.Result), samples
}

func TestPrometheusRaisesAlerts(t *testing.T) {
	t.Parallel()
	sample := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte("sample_total 1\n")) // the scraper may be gone
	}))
	t.Cleanup(sample.Close)
	address, received := receive(t)
	a := lab.RunAlertmanager(t, fmt.Sprintf(alertmanagerConfig, "500ms", address))
	started := time.Now()
	lab.Prometheus(t, lab.PrometheusOptions{
		Rules:         []string{write(t, upRule)},
		Targets:       map[string][]string{"sample": {strings.TrimPrefix(sample.URL, "http://")}},
		Alertmanagers: []string{strings.TrimPrefix(a.URL(), "http://")},
		Interval:      200 * time.Millisecond,
	})
	t.Logf("ready after %v", time.Since(started).Round(time.Millisecond))
	n := next(within(t, 30*time.Second), t, received)
	if n.Status != "firing" || len(n.Alerts) != 1 || n.Alerts[0].Labels["alertname"] != "Up" || n.Alerts[0].Labels["job"] != "sample" {
		t.Errorf("received %+v", n)
	}
}

func TestPrometheusHasAPast(t *testing.T) {
	t.Parallel()
	end := time.Now().Add(-24 * time.Hour).Truncate(time.Hour)
	begin := end.Add(-14 * 24 * time.Hour)
	var past strings.Builder
	past.WriteString("# TYPE ALERTS gauge\n")
	samples := 0
	for at := begin; at.Before(end); at = at.Add(10 * time.Minute) {
		_, _ = fmt.Fprintf(&past, "ALERTS{alertname=\"ServiceDown\",alertstate=\"firing\"} 1 %d\n", at.Unix()) // a builder never fails
		samples++
	}
	past.WriteString("# EOF\n")
	p := lab.Prometheus(t, lab.PrometheusOptions{History: past.String()})
	got, values := series(within(t, 30*time.Second), t, p, `ALERTS{alertstate="firing"}`, begin, end.Add(-time.Minute), 10*time.Minute)
	if got != 1 || values != samples {
		t.Errorf("%d series with %d samples, want 1 with %d", got, values, samples)
	}
}

func TestPrometheusTellsWhyItDoesNotStart(t *testing.T) {
	t.Parallel()
	_, err := lab.StartPrometheus(t.Context(), lab.PrometheusOptions{
		Rules: []string{write(t, strings.ReplaceAll(upRule, "==", "===="))}, Folder: t.TempDir(),
	})
	var failed *lab.StartError
	if !errors.As(err, &failed) || !strings.Contains(failed.Log, "parse error") {
		t.Errorf("error %v, want a StartError that shows the rule's", err)
	}
	if _, err := lab.StartPrometheus(t.Context(), lab.PrometheusOptions{History: "no metrics", Folder: t.TempDir()}); err == nil {
		t.Error("a history that cannot be read is no error")
	}
}

func TestPromtool(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), lab.Promtool(t), "check", "rules", write(t, upRule)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1 rules found") {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
