package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
)

// Engine is what the API asks of the responder.
type Engine interface {
	// Submit stores an input and returns its place in INBOX.
	Submit(ctx context.Context, kind string, in engine.Input) (uint64, error)
	// Decided waits until the input at that place was decided and is in View.
	Decided(ctx context.Context, seq uint64) error
	// View calls look with the state, which it must not change or keep.
	View(look func(st *engine.State))
	// Ready reports whether View shows the ledger's end.
	Ready() bool
}

// Pauses is the kill switch as the workers see it.
type Pauses interface {
	Put(ctx context.Context, scope string, value []byte) error
	Delete(ctx context.Context, scope string) error
	List(ctx context.Context) (map[string][]byte, error)
}

// Ledger reads the ledger.
type Ledger interface {
	Ledger(ctx context.Context, from uint64) (*bus.Reader, error)
	LedgerAt(ctx context.Context, seq uint64) (bus.Msg, error)
	LedgerLast(ctx context.Context) (uint64, error)
}

// Inbox reads recorded inputs.
type Inbox interface {
	Inbox(ctx context.Context, from uint64) (*bus.Reader, error)
	InboxLast(ctx context.Context) (uint64, error)
}

// Check is one component's part in /readyz. Do returns nil when it is ready, and
// otherwise an error that may be shown to anybody.
type Check struct {
	Name string
	Do   func(ctx context.Context) error
	// Warn, if it is set, says what somebody should mend although the component is
	// ready; empty if nothing. It, too, may be shown to anybody.
	Warn func() string
}

// Options are what a Server needs. Log, Now, Metrics and Gatherer must be set.
type Options struct {
	Log *slog.Logger
	Now func() time.Time
	// Metrics takes this package's own, Gatherer is what /metrics shows.
	Metrics  prometheus.Registerer
	Gatherer prometheus.Gatherer
	// Checks are the components that must be ready.
	Checks []Check
	// API is nil where there is no API: then only health and metrics are served.
	API *API
}

// API is what /api/v1 needs. Engine, Pauses, Ledger, Inbox, Quarantine, Raise
// and Auth must be set; for the rest zero means the default.
type API struct {
	Engine     Engine
	Pauses     Pauses
	Ledger     Ledger
	Inbox      Inbox
	Quarantine Quarantine
	Raise      Raiser
	Auth       Auth

	// Replay is nil where no sources are configured: nothing can be replayed there.
	Replay Replayer

	// DecideTimeout bounds how long a command waits to be decided: 5 s.
	DecideTimeout time.Duration
	// MaxStreams bounds the live streams at one time: 32. MaxScans bounds the
	// reads of the ledger, of recorded inputs and of the quarantine: 4.
	MaxStreams, MaxScans int
	// Heartbeat is how often a silent live stream says that it lives: 15 s.
	Heartbeat time.Duration
	// StreamFor is when a live stream ends, so that its client comes again with
	// credentials that are judged anew: 1 h.
	StreamFor time.Duration
}

// Server serves the routes of this package.
type Server struct {
	log      *slog.Logger
	now      func() time.Time
	metrics  *metrics
	gatherer prometheus.Gatherer
	ready    *readiness
	api      *API

	auth *authenticator
	// streams, scans and replays have a place for each that may run.
	streams, scans, replays chan struct{}
	// life ends with Close.
	life  context.Context // the server's own life, not a request's
	close context.CancelFunc
}

// New checks the options. It starts nothing.
func New(o Options) (*Server, error) {
	if o.Log == nil || o.Now == nil || o.Metrics == nil || o.Gatherer == nil {
		return nil, errors.New("web: Log, Now, Metrics and Gatherer must be set")
	}
	for _, c := range o.Checks {
		if c.Name == "" || c.Do == nil {
			return nil, errors.New("web: each of Checks needs a Name and a Do")
		}
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.Background())
	s := &Server{
		log: o.Log, now: o.Now, metrics: m, gatherer: o.Gatherer, life: life, close: stop,
		ready: &readiness{checks: o.Checks, now: o.Now},
	}
	if o.API != nil {
		if err := s.withAPI(*o.API); err != nil {
			stop()
			return nil, err
		}
	}
	return s, nil
}

func (s *Server) withAPI(a API) error {
	if a.Engine == nil || a.Pauses == nil || a.Ledger == nil || a.Inbox == nil || a.Quarantine == nil || a.Raise == nil {
		return errors.New("web: API needs Engine, Pauses, Ledger, Inbox, Quarantine and Raise")
	}
	auth, err := newAuthenticator(a.Auth, s.log)
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	orDefault(&a.DecideTimeout, 5*time.Second)
	orDefault(&a.MaxStreams, 32)
	orDefault(&a.MaxScans, 4)
	orDefault(&a.Heartbeat, 15*time.Second)
	orDefault(&a.StreamFor, time.Hour)
	s.api, s.auth = &a, auth
	s.streams, s.scans = make(chan struct{}, a.MaxStreams), make(chan struct{}, a.MaxScans)
	s.replays = make(chan struct{}, 1)
	return nil
}

func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Close ends the live streams and makes /readyz say that the process is about
// to end. Requests that are under way go on; http.Server.Shutdown waits for them.
func (s *Server) Close() { s.close() }
