package app_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/client"
	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/web/api"
)

// patient is a service that is ill until it is restarted.
type patient struct {
	ill      atomic.Bool
	restarts atomic.Int64
}

func (p *patient) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
		p.restarts.Add(1)
		p.ill.Store(false)
	case p.ill.Load():
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// write replaces the rules of a folder by one.
func write(t *testing.T, dir, rule string) {
	t.Helper()
	text := "apiVersion: paramedic.dev/v1\nkind: RuleSet\nmetadata: {name: test}\nspec:\n  rules:\n" + rule
	if err := os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func count(a *app.App, ok func(*engine.Run) bool) (n int) {
	a.Responder().View(func(st *engine.State) {
		for _, r := range st.Runs {
			if ok(r) {
				n++
			}
		}
	})
	return n
}

// probed counts the alerts of probes that fire.
func probed(a *app.App) (n int) {
	a.Responder().View(func(st *engine.State) {
		for _, ep := range st.Episodes {
			if ep.Alert.Source == "trigger/probe" && ep.Firing() {
				n++
			}
		}
	})
	return n
}

// TestAProbeHealsAServiceWhoeverLooks has two processes that decide, of which one
// looks. The service falls ill, is probed, restarted and well again; then whoever
// looks is stopped, and all of that happens again.
func TestAProbeHealsAServiceWhoeverLooks(t *testing.T) {
	t.Parallel()
	service := &patient{}
	s := httptest.NewServer(service)
	t.Cleanup(s.Close)
	dir := folder(t, fmt.Sprintf("bus: {url: %q, replicas: 1, maxStore: 256MiB}\n", natsServer(t)))
	write(t, dir, fmt.Sprintf(`    - name: heal
      on: {probe: {every: 1s, timeout: 1s, failures: 2, successes: 2, http: {url: %q}}}
      target: {http: service}
      mode: auto
      guards: {cooldown: off, relapse: off}
      try:
        - name: restart
          do: [{http.request: {method: POST, url: %q}}]
          verify: [{alert: resolved}]
          within: 1m
`, s.URL, s.URL))
	one, stopOne := start(t, dir, app.RoleEngine, app.RoleWorker, app.RoleWeb)
	other, stopOther := start(t, dir, app.RoleEngine, app.RoleWorker, app.RoleWeb)
	watcher, _ := start(t, dir, app.RoleWeb)
	cured := func(r *engine.Run) bool { return r.Outcome == engine.Cured }
	service.ill.Store(true)
	until(t, "the first cure", func() bool { return count(watcher, cured) == 1 })
	looks := map[*app.App]func(){one: stopOne, other: stopOther}
	for a, stop := range looks {
		if strings.Contains(fetch(t, a, "/metrics"), `paramedic_trigger_running{kind="probe"} 1`) {
			stop()
			delete(looks, a)
			break
		}
	}
	if len(looks) != 1 {
		t.Fatal("no process says that it looks")
	}
	service.ill.Store(true)
	until(t, "the second cure", func() bool { return count(watcher, cured) == 2 })
	if n := service.restarts.Load(); n != 2 {
		t.Errorf("the service was restarted %d times", n)
	}
	until(t, "the resolve", func() bool { return probed(watcher) == 0 })
	if n := count(watcher, func(*engine.Run) bool { return true }); n != 2 {
		t.Errorf("there are %d runs", n)
	}
}

// A person sets a rule off through the API of the running program.
func TestAPersonSetsARuleOff(t *testing.T) {
	t.Parallel()
	dir := folder(t, "api: {auth: none}\n")
	write(t, dir, "    - {name: drain, on: {manual: {inputs: [zone]}}, target: {http: \"${alert.labels.zone}\"}, mode: observe}\n")
	a, _ := start(t, dir)
	ask := func(rule string, labels map[string]string) (api.Triggered, error) {
		c, err := client.New(client.Options{Server: "http://" + a.Addr().String()})
		if err != nil {
			t.Fatal(err)
		}
		return c.Trigger(t.Context(), rule, labels, "why")
	}
	done, err := ask("drain", map[string]string{"zone": "a"})
	if err != nil || !done.Decided || len(done.Runs) != 1 || done.Runs[0].Target != "http/a" || done.Runs[0].Outcome != engine.Observed {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := ask("other", nil); err == nil || !strings.Contains(err.Error(), "those that can be are drain") {
		t.Error(err)
	}
}

// The alert of a trigger that is no longer in the rules is resolved.
func TestARuleThatIsGoneFiresNoLonger(t *testing.T) {
	t.Parallel()
	dir := folder(t, "")
	write(t, dir, `    - name: watch
      on: {probe: {every: 1s, timeout: 1s, failures: 1, tcp: {address: "127.0.0.1:1"}}}
      target: {http: service}
      mode: observe
`)
	a, stop := start(t, dir)
	until(t, "the alert", func() bool { return probed(a) == 1 })
	stop()
	a, _ = start(t, dir)
	if n := probed(a); n != 1 {
		t.Errorf("after a restart %d alerts fire", n)
	}
	if err := os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(ruleFile), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "the resolve", func() bool { return probed(a) == 0 })
	a.Responder().View(func(st *engine.State) {
		for id, ep := range st.Episodes {
			if ep.Alert.Status != alert.Firing || !strings.HasPrefix(string(id), "trigger/probe/") {
				t.Errorf("%s: %+v", id, ep.Alert)
			}
		}
		if len(st.Episodes) != 1 {
			t.Errorf("there are %d episodes", len(st.Episodes))
		}
	})
}

// A trigger that looks at what is not configured would wait for ever.
func TestATriggerOfWhatIsNotConfiguredIsRefused(t *testing.T) {
	t.Parallel()
	for on, want := range map[string]string{
		`{rollout: {cluster: korea, namespace: production, phase: stuck}}`: `rule watch: on.rollout: cluster "korea" is not configured`,
		`{cost: {account: default, budget: 1000}}`:                         `rule watch: on.cost: azure account "default" is not configured`,
	} {
		dir := folder(t, "")
		write(t, dir, "    - {name: watch, on: "+on+", target: {http: x}, mode: observe}\n")
		cfg, err := config.Load(filepath.Join(dir, "paramedic.yaml"), config.ProcessEnv())
		if err != nil {
			t.Fatal(err)
		}
		a, err := app.Start(t.Context(), app.Options{Config: cfg, Version: "test", Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: started %v, or failed otherwise: %v", on, a, err)
		}
	}
}
