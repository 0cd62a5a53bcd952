// Package webtest runs the API for tests as it runs in production: a real HTTP
// server on the loopback interface, the embedded bus in a temporary directory,
// and a responder that decides. Only the worker is the test itself, which takes
// tasks from WORK and answers them.
//
// [Start] makes a [World]; everything in it ends with the test. Its methods end
// the test when something fails, so they belong to the test's own goroutine.
package webtest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/responder"
	"github.com/tripgen/paramedic/internal/web"
)

// patience bounds every wait of a test.
const patience = 30 * time.Second

// World is a running API and what is behind it.
type World struct {
	URL       string
	Bus       *bus.Bus
	Responder *responder.Responder
	Web       *web.Server
	Registry  *prometheus.Registry

	t    *testing.T
	stop func()
}

// Start runs a world. adapt may change the server's options; the API is open to
// the loopback interface if it does not.
func Start(t *testing.T, adapt ...func(*web.Options)) *World {
	t.Helper()
	w := &World{t: t, Registry: prometheus.NewRegistry()}
	w.openBus()
	w.startResponder()
	o := web.Options{
		Log: slog.New(slog.DiscardHandler), Now: time.Now, Metrics: w.Registry, Gatherer: w.Registry,
		Checks: []web.Check{{Name: "bus", Do: w.Bus.Health}},
		API: &web.API{
			Engine: w.Responder, Pauses: w.Bus.Pauses(), Ledger: w.Bus, Inbox: w.Bus, Quarantine: w.Bus, Raise: Raise, Auth: web.Auth{Open: true},
		},
	}
	for _, a := range adapt {
		a(&o)
	}
	w.Web, w.URL = Serve(t, o)
	return w
}

// Serve runs a server with these options until the test ends.
func Serve(t *testing.T, o web.Options) (server *web.Server, url string) {
	t.Helper()
	server, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	server.Mount(e)
	listening := httptest.NewServer(e)
	t.Cleanup(func() {
		server.Close()
		listening.Close()
	})
	return server, listening.URL
}

func (w *World) openBus() {
	b, err := bus.Open(w.t.Context(), bus.Config{Dir: w.t.TempDir(), MaxStore: 1 << 30})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := b.Close(context.WithoutCancel(w.t.Context())); err != nil {
			w.t.Error(err)
		}
	})
	w.Bus = b
}

func (w *World) startResponder() {
	metrics, err := responder.NewMetrics(w.Registry)
	if err != nil {
		w.t.Fatal(err)
	}
	var ids atomic.Int64
	r, err := responder.New(responder.Options{
		Bus: w.Bus, Compile: compile, Rules: []engine.Source{{Name: "rules.yaml", Text: "v1"}}, Holder: "test", Now: time.Now,
		NewID:  func() string { return strconv.FormatInt(ids.Add(1), 10) },
		Logger: slog.New(slog.DiscardHandler), Metrics: metrics, SnapshotEvery: 1000,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx); err != nil {
			w.t.Errorf("responder: %v", err)
		}
	}()
	w.stop = func() {
		cancel()
		<-done
	}
	w.t.Cleanup(w.stop)
	ready, enough := context.WithTimeout(w.t.Context(), patience)
	defer enough()
	if err := r.AwaitReady(ready); err != nil {
		w.t.Fatal(err)
	}
	w.Responder = r
}

// StopEngine ends the responder, as if its process had died: inputs are stored,
// and nobody decides.
func (w *World) StopEngine() { w.stop() }

// Submit stores an input and waits until it is decided.
func (w *World) Submit(in engine.Input) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	seq, err := w.Responder.Submit(ctx, "test", in)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.Responder.Decided(ctx, seq); err != nil {
		w.t.Fatal(err)
	}
}

// Fire has the alert of a service fire, and returns the run that handles it. The
// rules are service-down, in mode auto, or approved-down, in mode approve.
func (w *World) Fire(rule, service string) string {
	w.t.Helper()
	w.Submit(delivery(rule, service, alert.Firing))
	var run string
	w.Responder.View(func(st *engine.State) {
		for _, r := range st.ActiveRuns() {
			if r.Rule == rule && r.Stated.Name == service {
				run = r.ID
			}
		}
	})
	if run == "" {
		w.t.Fatalf("no run of rule %s handles %s", rule, service)
	}
	return run
}

// Resolve has the alert of a service resolve.
func (w *World) Resolve(rule, service string) {
	w.t.Helper()
	w.Submit(delivery(rule, service, alert.Resolved))
}

// Plan answers the next task, which must ask for a plan.
func (w *World) Plan() engine.Plan {
	w.t.Helper()
	task := w.next(engine.TaskPlan)
	p := engine.Plan{
		Target: task.Target, Summary: "restart " + task.Target.Name,
		Changes: []engine.Change{{Field: "generation", From: "1", To: "2"}},
	}
	w.Submit(engine.Input{Result: &engine.Result{Task: task.ID, Worker: "test", At: time.Now(), Plan: &p}})
	return p
}

// Execute answers the next task, which must be an action, as done.
func (w *World) Execute() {
	w.t.Helper()
	task := w.next(engine.TaskExecute)
	w.Submit(engine.Input{Result: &engine.Result{
		Task: task.ID, Worker: "test", At: time.Now(), Outcome: &engine.Outcome{Summary: "restarted " + task.Target.Name},
	}})
}

func (w *World) next(kind engine.TaskKind) engine.Task {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	q, err := w.Bus.Work(ctx, group, []string{action}, time.Minute)
	if err != nil {
		w.t.Fatal(err)
	}
	job, err := q.Next(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	var task engine.Task
	if err := json.Unmarshal(job.Data, &task); err != nil {
		w.t.Fatal(err)
	}
	if err := job.Ack(ctx); err != nil {
		w.t.Fatal(err)
	}
	if task.Kind != kind {
		w.t.Fatalf("the next task is %s %s, want a task of kind %s", task.Kind, task.ID, kind)
	}
	return task
}

// delivery is a notification about the alert of a rule and a service.
func delivery(rule, service string, status alert.Status) engine.Input {
	now := time.Now()
	a := alert.Alert{
		Source: "alertmanager", Name: "ServiceDown", Severity: "critical", Fingerprint: rule + "-" + service, Status: status,
		Labels: map[string]string{"rule": rule, "service": service}, StartsAt: now.Truncate(24 * time.Hour),
	}
	if status == alert.Resolved {
		a.EndsAt = now
	}
	id := fmt.Sprintf("%s-%s-%d", service, status, now.UnixNano())
	return engine.Input{Delivery: &alert.Delivery{ID: id, Source: a.Source, ReceivedAt: now, Alerts: []alert.Alert{a}}}
}
