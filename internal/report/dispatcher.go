package report

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Ledger is where records come from.
type Ledger interface {
	// Last is the sequence of the last record; 0 if there is none.
	Last(ctx context.Context) (uint64, error)
	// Read reads from record seq on, in order and without gaps. Several readings may go on at once.
	Read(ctx context.Context, seq uint64) (Records, error)
}

// Records are one reading of a ledger.
type Records interface {
	// Next waits for the next record. After it returned because ctx ended, it may be called again and skips nothing;
	// after any other error the Dispatcher closes the reading and begins another.
	Next(ctx context.Context) (Record, error)
	Close()
}

// Store keeps small values durably, by key.
type Store interface {
	// Load returns nil and no error for a key that was never saved.
	Load(ctx context.Context, key string) ([]byte, error)
	Save(ctx context.Context, key string, value []byte) error
}

// Subscription is a reporter and what it wants.
type Subscription struct {
	Reporter Reporter
	// All asks for every notice, and not only for those that are routed to it.
	All bool
}

// Options are what a Dispatcher needs. All must be set but Subscriptions; for the last two zero means the default.
type Options struct {
	Subscriptions []Subscription
	Ledger        Ledger
	Store         Store
	Log           *slog.Logger
	Metrics       prometheus.Registerer
	// Now is the clock. Jitter returns a number in [0,1).
	Now    func() time.Time
	Jitter func() float64

	// Patience is how old a notice may become while it is tried again: one hour.
	Patience time.Duration
	// Timeout bounds one call of Report: 30 s.
	Timeout time.Duration
}

// Dispatcher hands the notices of a ledger to reporters. It is made by [New].
type Dispatcher struct {
	Options
	metrics  *metrics
	channels []*channel
}

// New checks the options and registers the metrics.
func New(o Options) (*Dispatcher, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("reporters: %w", err)
	}
	if o.Patience == 0 {
		o.Patience = time.Hour
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, fmt.Errorf("reporters: metrics: %w", err)
	}
	d := &Dispatcher{Options: o, metrics: m}
	names := map[string]bool{}
	for _, s := range o.Subscriptions {
		names[s.Reporter.Name()] = true
	}
	for _, s := range o.Subscriptions {
		name := s.Reporter.Name()
		d.channels = append(d.channels, newChannel(d, s.Reporter, routing{names: names, own: name, all: s.All}))
	}
	lost := &unrouted{log: o.Log, count: m.unrouted, told: map[string]bool{}}
	d.channels = append(d.channels, newChannel(d, lost, routing{names: names, own: nowhere}))
	return d, nil
}

func (o Options) validate() error {
	var errs []error
	for name, missing := range map[string]bool{
		"Ledger": o.Ledger == nil, "Store": o.Store == nil, "Log": o.Log == nil, "Metrics": o.Metrics == nil,
		"Now": o.Now == nil, "Jitter": o.Jitter == nil,
	} {
		if missing {
			errs = append(errs, fmt.Errorf("%s is not set", name))
		}
	}
	names := map[string]bool{unroutedName: true}
	for _, s := range o.Subscriptions {
		name := s.Reporter.Name()
		if name == nowhere || names[name] {
			errs = append(errs, fmt.Errorf("reporter name %q: it is empty, or taken", name))
		}
		names[name] = true
	}
	if o.Patience < 0 || o.Timeout < 0 {
		errs = append(errs, fmt.Errorf("patience %s, timeout %s: want 0 for the default, or more", o.Patience, o.Timeout))
	}
	return errors.Join(errs...)
}

// Run delivers until ctx ends, then saves how far it came and returns, once all reporters have. What was not delivered
// by then is delivered by the next Run.
func (d *Dispatcher) Run(ctx context.Context) {
	var wait sync.WaitGroup
	for _, c := range d.channels {
		wait.Go(func() { c.run(ctx) })
	}
	wait.Wait()
}
