package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/client"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/web/api"
)

// The sources with a mistake each, and without.
const (
	wrongSources = `sources:
  - {name: am, type: cloudevents, auth: {bearer: {file: token}}}
  - {name: hook, type: json, auth: {bearer: {file: token}}, mapping: {name: body.titel, status: "'firing'"}}
`
	rightSources = `sources:
  - {name: am, type: alertmanager, auth: {bearer: {file: token}}}
  - {name: hook, type: json, auth: {bearer: {file: token}}, mapping: {name: body.title, status: "'firing'"}}
`
)

const operatorToken = "kim-of-the-test"

func configure(t *testing.T, dir, bus, sources string) {
	t.Helper()
	text := "listen: 127.0.0.1:0\nrules: [rules.yaml]\napi: {auth: {tokens: [{name: kim, role: operator, token: {file: kim}}]}}\n" + sources + bus
	for name, text := range map[string]string{"paramedic.yaml": text, "kim": operatorToken} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func operator(t *testing.T, a *app.App) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Server: "http://" + a.Addr().String(), Token: operatorToken})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// posted sends a body, and returns the status.
func posted(t *testing.T, a *app.App, source, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.Addr().String()+"/v1/webhooks/"+source, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

func down(t *testing.T, job, url string, at time.Time) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"version": "4", "status": "firing", "alerts": []any{map[string]any{
		"status": "firing", "fingerprint": "f-" + job, "startsAt": at,
		"labels": map[string]string{"alertname": "ServiceDown", "job": job, "url": url},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// replayed are the outcomes, in order.
func replayed(t *testing.T, a *app.App, in api.ReplayRequest) []string {
	t.Helper()
	var all []string
	err := operator(t, a).ReplayQuarantined(t.Context(), in, func(e api.ReplayedEntry) error {
		all = append(all, e.Source+" "+string(e.Outcome))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What a mistaken configuration could not use outlives restarts, and is taken in
// order once the mistake is mended. What is old by then starts nothing.
func TestAMendedConfigurationReplaysTheQuarantine(t *testing.T) {
	t.Parallel()
	url, restarts := target(t)
	dir := folder(t, "")
	configure(t, dir, "", wrongSources)
	a, stop := start(t, dir)
	now := time.Now()
	for _, c := range []struct{ source, body string }{
		{"am", down(t, "new", url, now)}, {"hook", `{"title":"one"}`}, {"am", down(t, "newer", url, now)}, {"hook", `{"title":"two"}`},
	} {
		if code := posted(t, a, c.source, c.body); code != http.StatusBadRequest {
			t.Fatalf("%s: %d", c.source, code)
		}
	}
	old := map[string]string{"Paramedic-Received-At": now.Add(-3 * time.Hour).Format(time.RFC3339Nano), "Content-Type": "application/json"}
	if _, err := a.Bus().PublishQuarantine(t.Context(), "am", "old", old, []byte(down(t, "old", url, now.Add(-3*time.Hour)))); err != nil {
		t.Fatal(err)
	}
	if got := replayed(t, a, api.ReplayRequest{All: true}); !slices.Equal(got, []string{"am refused", "hook refused", "am skipped", "hook skipped", "am skipped"}) {
		t.Errorf("before the mend: %v", got)
	}
	list, err := operator(t, a).Quarantine(t.Context(), client.QuarantineFilter{})
	if err != nil || len(list.Entries) != 5 {
		t.Fatalf("%+v, %v", list, err)
	}
	if text := fetch(t, a, "/metrics"); !strings.Contains(text, `paramedic_quarantine_messages{source="am"} 3`) || !strings.Contains(text, "paramedic_quarantine_oldest_age_seconds 0.") {
		t.Error("the quarantine is not in the metrics")
	}
	stop()

	configure(t, dir, "", rightSources)
	a, _ = start(t, dir)
	again, err := operator(t, a).Quarantine(t.Context(), client.QuarantineFilter{})
	if err != nil || !slices.Equal(again.Entries, list.Entries) {
		t.Fatalf("after a restart %+v, %v", again, err)
	}
	if got := replayed(t, a, api.ReplayRequest{All: true}); !slices.Equal(got, []string{"am replayed", "hook replayed", "am replayed", "hook replayed", "am replayed"}) {
		t.Errorf("after the mend: %v", got)
	}
	if left, err := operator(t, a).Quarantine(t.Context(), client.QuarantineFilter{}); err != nil || len(left.Entries) != 0 {
		t.Errorf("left %+v, %v", left, err)
	}
	await(t, a, "two runs that act and one that does not", func(runs []engine.Run) bool {
		outcomes := map[string]engine.RunFinal{}
		for _, r := range runs {
			if !r.Active() || r.Phase == engine.PhaseVerifying {
				outcomes[r.Stated.Name] = r.Outcome
			}
		}
		return len(outcomes) == 3 && outcomes["old"] == engine.HeldBack && outcomes["new"] == "" && outcomes["newer"] == ""
	})
	if n := restarts.Load(); n != 2 {
		t.Errorf("the targets were restarted %d times", n)
	}
	a.Responder().View(func(st *engine.State) {
		if len(st.Episodes) != 5 {
			t.Errorf("%d episodes", len(st.Episodes))
		}
	})
}

// A process with the API alone replays what another one has received, and takes no
// webhooks itself.
func TestAProcessWithoutTheReceiverReplays(t *testing.T) {
	t.Parallel()
	url, restarts := target(t)
	dir := folder(t, "")
	bus := fmt.Sprintf("bus: {url: %q, replicas: 1, maxStore: 256MiB}\n", natsServer(t))
	configure(t, dir, bus, wrongSources)
	edge, stop := start(t, dir, app.RoleReceiver, app.RoleEngine, app.RoleWorker)
	body := down(t, "new", url, time.Now())
	if code := posted(t, edge, "am", body); code != http.StatusBadRequest {
		t.Fatalf("answered %d", code)
	}
	configure(t, dir, bus, rightSources)
	page, _ := start(t, dir, app.RoleWeb)
	if code := posted(t, page, "am", body); code != http.StatusNotFound {
		t.Errorf("a webhook at the API is answered with %d", code)
	}
	list, err := operator(t, page).Quarantine(t.Context(), client.QuarantineFilter{})
	if err != nil || len(list.Entries) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if now, err := operator(t, page).TryQuarantined(t.Context(), list.Entries[0].ID); err != nil || now.Outcome != api.Replayed || now.Alerts != 1 {
		t.Errorf("tried: %+v, %v", now, err)
	}
	if got := replayed(t, page, api.ReplayRequest{Source: "am"}); !slices.Equal(got, []string{"am replayed"}) {
		t.Errorf("%v", got)
	}
	await(t, edge, "the run", phase(engine.PhaseVerifying))
	if n := restarts.Load(); n != 1 {
		t.Errorf("the target was restarted %d times", n)
	}
	stop()

	configure(t, dir, bus, "")
	bare, _ := start(t, dir, app.RoleWeb)
	err = operator(t, bare).ReplayQuarantined(t.Context(), api.ReplayRequest{All: true}, nil)
	if err == nil || !strings.Contains(err.Error(), "without sources") {
		t.Errorf("without sources: %v", err)
	}
}
