package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/internal/engine"
)

const token = "a token of the test"

const ruleFile = `apiVersion: paramedic.dev/v1
kind: RuleSet
metadata: {name: test}
spec:
  rules:
    - name: restart
      on: {alerts: ['alertname="ServiceDown"']}
      target: {http: "${alert.labels.job}"}
      mode: auto
      try:
        - name: restart
          do: [{http.request: {method: POST, url: "${alert.labels.url}/restart"}}]
          verify: [{alert: resolved}]
          within: 1m
`

// target counts the requests that change something.
func target(t *testing.T) (url string, restarts *atomic.Int64) {
	t.Helper()
	restarts = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			restarts.Add(1)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(s.Close)
	return s.URL, restarts
}

// folder holds a configuration; bus stands in it as it is.
func folder(t *testing.T, bus string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"rules.yaml": ruleFile, "token": token, "paramedic.yaml": `listen: 127.0.0.1:0
rules: [rules.yaml]
sources:
  - {name: am, type: alertmanager, auth: {bearer: {file: token}}}
` + bus} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func start(t *testing.T, dir string, roles ...app.Role) (a *app.App, stop func()) {
	t.Helper()
	return startWith(t, dir, nil, roles...)
}

func startWith(t *testing.T, dir string, reload <-chan os.Signal, roles ...app.Role) (a *app.App, stop func()) {
	t.Helper()
	cfg, err := config.Load(filepath.Join(dir, "paramedic.yaml"), config.ProcessEnv())
	if err != nil {
		t.Fatal(err)
	}
	if len(roles) == 0 {
		roles = nil
	}
	a, err = app.Start(t.Context(), app.Options{
		Config: cfg, Roles: roles, Version: "test", AckWait: 2 * time.Second, Reload: reload,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		// The test's context has ended when this is called by Cleanup.
		if err := a.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return a, stop
}

func post(t *testing.T, a *app.App, status, url string) int {
	t.Helper()
	return postOf(t, a, "place", status, url)
}

func postOf(t *testing.T, a *app.App, job, status, url string) int {
	t.Helper()
	body, err := json.Marshal(map[string]any{"version": "4", "status": status, "alerts": []any{map[string]any{
		"status": status, "fingerprint": "f1-" + job, "startsAt": "2026-03-01T03:00:00Z",
		"labels": map[string]string{"alertname": "ServiceDown", "job": job, "url": url},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.Addr().String()+"/v1/webhooks/am", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// runs are as the process at hand knows them, when ok says so.
func await(t *testing.T, a *app.App, what string, ok func([]engine.Run) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var runs []engine.Run
		a.Responder().View(func(st *engine.State) {
			for _, r := range st.Runs {
				runs = append(runs, *r)
			}
		})
		if ok(runs) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited for %s in vain; runs: %+v", what, runs)
		}
	}
}

func phase(p engine.Phase) func([]engine.Run) bool {
	return func(runs []engine.Run) bool { return len(runs) == 1 && runs[0].Phase == p }
}

func TestARunGoesOnAfterARestartOfTheProcess(t *testing.T) {
	t.Parallel()
	url, restarts := target(t)
	dir := folder(t, "")
	first, stop := start(t, dir)
	if code := post(t, first, "firing", url); code != http.StatusAccepted {
		t.Fatalf("answered %d", code)
	}
	await(t, first, "the verification", phase(engine.PhaseVerifying))
	stop()
	second, _ := start(t, dir)
	post(t, second, "firing", url) // a repeat changes nothing
	post(t, second, "resolved", url)
	await(t, second, "the end", phase(engine.PhaseEnded))
	await(t, second, "the cure", func(runs []engine.Run) bool { return runs[0].Outcome == engine.Cured })
	if n := restarts.Load(); n != 1 {
		t.Errorf("the target was restarted %d times", n)
	}
}

// natsServer is a bus of its own, for several processes.
func natsServer(t *testing.T) (url string) {
	t.Helper()
	nats, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, SyncAlways: true})
	if err != nil {
		t.Fatal(err)
	}
	nats.Start()
	t.Cleanup(func() {
		nats.Shutdown()
		nats.WaitForShutdown()
	})
	if !nats.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	return nats.ClientURL()
}

// TestRolesAroundACluster splits the process up, around a bus of its own.
func TestRolesAroundACluster(t *testing.T) {
	t.Parallel()
	url, restarts := target(t)
	dir := folder(t, fmt.Sprintf("bus: {url: %q, replicas: 1, maxStore: 256MiB}\n", natsServer(t)))
	one, _ := start(t, dir, app.RoleEngine)
	other, _ := start(t, dir, app.RoleEngine)
	edge, _ := start(t, dir, app.RoleReceiver, app.RoleWeb)
	start(t, dir, app.RoleWorker)
	start(t, dir, app.RoleWorker)
	if code := post(t, edge, "firing", url); code != http.StatusAccepted {
		t.Fatalf("answered %d", code)
	}
	await(t, edge, "the verification", phase(engine.PhaseVerifying))
	if one.Responder().Leading() == other.Responder().Leading() {
		t.Error("of two engines not exactly one leads")
	}
	if edge.Responder().Leading() {
		t.Error("a process without the role of the engine leads")
	}
	post(t, edge, "resolved", url)
	await(t, edge, "the cure", func(runs []engine.Run) bool { return runs[0].Outcome == engine.Cured })
	if n := restarts.Load(); n != 1 {
		t.Errorf("the target was restarted %d times", n)
	}
}

func TestWithoutRulesFilesItDoesNotStart(t *testing.T) {
	t.Parallel()
	dir := folder(t, "")
	if err := os.Remove(filepath.Join(dir, "rules.yaml")); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(filepath.Join(dir, "paramedic.yaml"), config.ProcessEnv())
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.Start(t.Context(), app.Options{Config: cfg, Version: "test", Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "rules.yaml") {
		t.Errorf("started %v, or failed without naming the file: %v", a, err)
	}
}

func TestParseRoles(t *testing.T) {
	t.Parallel()
	roles, err := app.ParseRoles("receiver, worker")
	if want := []app.Role{app.RoleReceiver, app.RoleWorker}; err != nil || !slices.Equal(roles, want) {
		t.Errorf("%v, %v; want %v", roles, err, want)
	}
	for _, bad := range []string{"", "receiver,", "receivers"} {
		if roles, err := app.ParseRoles(bad); err == nil {
			t.Errorf("%q was read as %v", bad, roles)
		}
	}
}
