package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/internal/reload"
	"github.com/tripgen/paramedic/internal/responder"
	"github.com/tripgen/paramedic/internal/web"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/rules"
)

// The bounds of the steps of a shutdown; together they stay within the grace
// period that Kubernetes gives if it is set to a minute.
const (
	closeEdge   = 10 * time.Second
	closeWorker = 25 * time.Second
	closePart   = 5 * time.Second
	closeBus    = 10 * time.Second
)

// snapshotEvery is how many ledger records lie between two snapshots: what a
// start has to fold takes a moment at most.
const snapshotEvery = 5000

// Options are what a process is started with.
type Options struct {
	Config  *config.Config
	Roles   []Role
	Version string
	Logger  *slog.Logger
	// Listener takes the place of Config.Listen, if it is set.
	Listener net.Listener
	// AckWait is how soon a task is delivered again after its worker died; zero
	// means 15 s.
	AckWait time.Duration
	// Reload has it look at the rule files at once, instead of within seconds; nil
	// means never.
	Reload <-chan os.Signal
	// Hook is called at the named points where a crash is of interest. It is nil
	// but in the crash test.
	Hook func(point string)
}

// App is a running process.
type App struct {
	o         Options
	life      *lifecycle
	metrics   *prometheus.Registry
	id        string
	bus       *bus.Bus
	responder *responder.Responder
	rules     *reload.Watcher
	systems   Systems
	tools     Tools
	catalog   rules.Catalog
	sources   []receiver.Source
	listener  net.Listener
	web       *web.Server
}

// Start brings a process up. When it returns, webhooks are taken, if that is one
// of its roles. After an error, everything that had been started is ended.
func Start(ctx context.Context, o Options) (*App, error) {
	if o.Roles == nil {
		o.Roles = AllRoles()
	}
	if o.AckWait == 0 {
		o.AckWait = ackWait
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("the host's name: %w", err)
	}
	a := &App{o: o, life: newLifecycle(o.Logger), metrics: prometheus.NewRegistry(), id: host + "-" + newID()}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, start := range []func(context.Context) error{
		a.startSources, a.startBus, a.startTools, a.startReporters, a.startEngine, a.startWorkers, a.startTriggers, a.startEdges,
	} {
		if err := start(ctx); err != nil {
			return nil, errors.Join(err, a.Close(context.WithoutCancel(ctx)))
		}
	}
	return a, nil
}

// Run is Start, Wait and Close.
func Run(ctx context.Context, o Options) error {
	a, err := Start(ctx, o)
	if err != nil {
		return err
	}
	err = a.Wait(ctx)
	return errors.Join(err, a.Close(context.WithoutCancel(ctx)))
}

// Wait returns nil when ctx ends, and the error of a part that failed before.
func (a *App) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		a.o.Logger.Info("stopping")
		return nil
	case err := <-a.life.failed:
		return err
	}
}

// Close ends every part, in the order edges, triggers, workers, engine, reporters,
// bus.
func (a *App) Close(ctx context.Context) error { return a.life.close(ctx) }

// Addr is where the HTTP server listens; nil without a role that needs one.
func (a *App) Addr() net.Addr {
	if a.listener == nil {
		return nil
	}
	return a.listener.Addr()
}

// Bus is the process's bus.
func (a *App) Bus() *bus.Bus { return a.bus }

// Responder is the process's engine; nil without that role.
func (a *App) Responder() *responder.Responder { return a.responder }

func (a *App) has(r Role) bool { return slices.Contains(a.o.Roles, r) }

func (a *App) startBus(ctx context.Context) error {
	c := a.o.Config
	b, err := bus.Open(ctx, bus.Config{
		Dir: c.Data, URL: c.Bus.URL, Credentials: c.Bus.Credentials, Domain: c.Bus.Domain, Join: a.joins(),
		Replicas: c.Bus.Replicas, MaxStore: c.Bus.MaxStore,
		Name: a.id, Logger: a.o.Logger.With("part", "bus"), Hook: a.o.Hook,
	})
	if err != nil {
		return fmt.Errorf("open the bus: %w", err)
	}
	a.bus = b
	a.life.onClose("bus", closeBus, b.Close)
	return nil
}

func (a *App) startTools(context.Context) error {
	if err := a.checkReach(); err != nil {
		return err
	}
	clusters := kubernetes.Clusters{}
	for _, c := range a.o.Config.Clusters {
		if !c.Reachable() {
			continue
		}
		client, err := kubernetes.Connect(kubernetes.ClusterConfig{
			Kubeconfig: c.Kubeconfig, Context: c.Context, InCluster: c.InCluster,
		}, a.o.Version)
		if err != nil {
			return fmt.Errorf("cluster %q: %w", c.Name, err)
		}
		clusters[c.Name] = client
	}
	var err error
	if a.systems, err = systemsOf(a.o.Config, clusters, a.o.Version); err != nil {
		return err
	}
	if a.tools, err = NewTools(a.systems, time.Now, a.o.Version); err != nil {
		return err
	}
	a.catalog, err = a.tools.Configured(a.o.Config)
	return err
}

func (a *App) startEngine(ctx context.Context) error {
	// Without the engine's role the web part still answers from the ledger, so
	// the responder is there, but does not run.
	if !a.has(RoleEngine) && !a.has(RoleWeb) && !a.has(RoleReceiver) {
		return nil
	}
	sources, err := a.loadRules()
	if err != nil {
		return err
	}
	metrics, err := responder.NewMetrics(a.metrics)
	if err != nil {
		return err
	}
	if a.has(RoleEngine) {
		if err := a.makeGroups(ctx); err != nil {
			return err
		}
	}
	catalog := a.catalog
	a.responder, err = responder.New(responder.Options{
		Bus: a.bus, Compile: compileRules(catalog), Admit: a.admitRules(catalog), Rules: sources, Holder: a.id,
		Standby: !a.has(RoleEngine),
		Now:     time.Now, NewID: newID, Logger: a.o.Logger.With("part", "engine"), Metrics: metrics, SnapshotEvery: snapshotEvery,
	})
	if err != nil {
		return err
	}
	a.life.run(ctx, "engine", closePart, a.responder.Run)
	return a.watchRules(ctx, sources)
}

func newID() string { return rand.Text() }
