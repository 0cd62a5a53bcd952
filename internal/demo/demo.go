package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/receiver/alertmanager/webhook"
)

//go:embed rules.yaml
var rulesFile []byte

// Options are what the demo is told.
type Options struct {
	// Dir is where it keeps its files; the caller removes it.
	Dir     string
	Out     io.Writer
	Color   bool
	Logger  *slog.Logger
	Version string
	// Keep leaves everything up after the acts, until the context ends.
	Keep bool
	// Token is the monitor's credential.
	Token string
}

// Run plays the acts. It returns nil only if everything that broke was really
// healed, or really held, and the ledger proves it.
func Run(ctx context.Context, o Options) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, end, err := build(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end(context.WithoutCancel(ctx))) }()
	watching := make(chan error, 1)
	go func() {
		watching <- s.monitor.watch(ctx, []string{"profile", "itinerary", "place"})
		cancel()
	}()
	defer func() {
		cancel()
		err = errors.Join(<-watching, err)
	}()
	telling, stop, err := s.tell.follow(ctx, s.app.Bus())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	started := time.Now()
	for i, a := range acts() {
		s.tell.title(i+1, a.title)
		if err := a.play(ctx, s); err != nil {
			return fmt.Errorf("act %d: %w", i+1, err)
		}
		if err := telling.caughtUp(ctx); err != nil {
			return err
		}
	}
	records, events, err := s.verifyLedger(ctx)
	if err != nil {
		return fmt.Errorf("the ledger does not verify: %w", err)
	}
	s.tell.end("Everything healed or held in %.1f s. The ledger verifies: %d records, %d events.", time.Since(started).Seconds(), records, events)
	if o.Keep {
		s.tell.keep(s, o)
		<-ctx.Done()
	}
	return nil
}

// build brings the services and Paramedic up. end takes them down again.
func build(ctx context.Context, o Options) (s *stage, end func(context.Context) error, err error) {
	s = &stage{town: town{}, tell: newTeller(o.Out, o.Color)}
	for _, name := range []string{"profile", "itinerary", "place"} {
		s.town[name] = newService(name)
	}
	for i := range stormSize {
		name := fmt.Sprintf("instance-%03d", i)
		s.town[name] = newService(name)
		s.fleet = append(s.fleet, name)
	}
	services, err := serve(ctx, s.town)
	if err != nil {
		return nil, nil, err
	}
	if s.app, err = start(ctx, o); err != nil {
		return nil, nil, errors.Join(err, services.Close())
	}
	client := &http.Client{Timeout: 10 * time.Second}
	s.monitor = &monitor{
		client: client, base: "http://" + services.Addr,
		webhook: webhook.Sender{Client: client, URL: "http://" + s.app.Addr().String() + "/v1/webhooks/alertmanager", Token: o.Token},
	}
	return s, func(ctx context.Context) error {
		return errors.Join(s.app.Close(ctx), services.Close())
	}, nil
}

// serve serves the services on a free port of the loopback interface.
func serve(ctx context.Context, handler http.Handler) (*http.Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the sample services: %w", err)
	}
	server := &http.Server{Handler: handler, Addr: l.Addr().String(), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		// Close ends it; a listener that fails shows in every probe.
		_ = server.Serve(l)
	}()
	return server, nil
}

// start brings Paramedic up as `paramedic serve` would, with this file as its
// configuration:
func start(ctx context.Context, o Options) (*app.App, error) {
	files := map[string][]byte{"rules.yaml": rulesFile, "token": []byte(o.Token), "paramedic.yaml": []byte(`listen: 127.0.0.1:0
data: data
rules: [rules.yaml]
sources:
  - {name: alertmanager, type: alertmanager, auth: {bearer: {file: token}}}
worker: {concurrency: 16}
api: {auth: none}
`)}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(o.Dir, name), text, 0o600); err != nil {
			return nil, fmt.Errorf("the demo's files: %w", err)
		}
	}
	cfg, err := config.Load(filepath.Join(o.Dir, "paramedic.yaml"), config.ProcessEnv())
	if err != nil {
		return nil, err
	}
	cfg.Reporters.Log.All = false
	return app.Start(ctx, app.Options{Config: cfg, Version: o.Version, Logger: o.Logger})
}
