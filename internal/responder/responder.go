package responder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/ledger"
)

const (
	leaseName = "engine"
	leaseTTL  = 6 * time.Second
	// again is how long a responder waits after the bus failed it.
	again = time.Second
)

// Options are what a responder needs. All but Rules, Admit and Observer are
// required.
type Options struct {
	Bus     Bus
	Compile Compiler
	// Admit is Compile for rules that this process is given, now or by Reload: it
	// may refuse some that compile, and that others may have put in force. Nil
	// means Compile.
	Admit Compiler
	// Rules are those that this process was given; a leader puts them in force.
	Rules []engine.Source
	// Standby keeps this process from ever leading: it only follows.
	Standby bool
	// Holder names this process among those that want to lead.
	Holder   string
	Now      func() time.Time
	NewID    func() string
	Logger   *slog.Logger
	Metrics  *Metrics
	Observer Observer
	// SnapshotEvery is how many records lie between two snapshots.
	SnapshotEvery uint64
}

// Responder decides, or stands by to.
type Responder struct {
	Options

	sets  *sets
	ticks ticker
	// compare wakes the leader to compare rules with those in force.
	compare chan struct{}

	mu   sync.RWMutex
	fold *ledger.Fold
	// rules are those that this process wants in force.
	rules   *engine.NewRules
	leading bool
	ready   bool
	// changed is closed and replaced whenever the fold moves.
	changed chan struct{}
}

// New checks that the rules compile. It starts nothing.
func New(o Options) (*Responder, error) {
	if o.Admit == nil {
		o.Admit = o.Compile
	}
	r := &Responder{
		Options: o, sets: newSets(o.Compile),
		fold: ledger.NewFold(), changed: make(chan struct{}), compare: make(chan struct{}, 1),
	}
	if len(o.Rules) > 0 {
		if _, err := r.Reload(o.Rules); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Run follows and, in its turn, leads, until ctx ends. It returns an error only
// for what trying again cannot mend: a ledger that does not hold together.
func (r *Responder) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := r.term(ctx)
		r.setLeading(false)
		r.forget()
		if isFatal(err) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			r.Logger.Warn("the engine starts over from the ledger", "error", err)
			pause(ctx, again)
		}
	}
	return nil
}

// fatalError is damage that no retry repairs.
type fatalError struct{ error }

func (e fatalError) Unwrap() error { return e.error }

func isFatal(err error) bool {
	_, fatal := errors.AsType[fatalError](err)
	return fatal
}

// term is one life: fold, follow, lead, and lose the lead.
func (r *Responder) term(ctx context.Context) error {
	if err := r.load(ctx); err != nil {
		return fmt.Errorf("load the ledger: %w", err)
	}
	if r.Standby {
		return r.keepUp(ctx)
	}
	lease := r.Bus.Lease(leaseName, r.Holder, leaseTTL)
	if err := r.follow(ctx, lease); err != nil {
		return fmt.Errorf("follow the ledger: %w", err)
	}
	defer func() {
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTTL)
		defer cancel()
		if err := lease.Release(release); err != nil {
			r.Logger.Warn("the leader lease was not released; it runs out by itself", "error", err)
		}
	}()
	return r.lead(ctx, lease)
}

// Submit puts an input into INBOX and returns its sequence. When it returns
// nil, the input is durable.
func (r *Responder) Submit(ctx context.Context, kind string, in engine.Input) (uint64, error) {
	line, err := json.Marshal(in)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", kind, err)
	}
	return r.Bus.PublishInbox(ctx, kind, kind+"/"+r.NewID(), line)
}

// Decided waits until the INBOX message at seq was decided and is folded here.
func (r *Responder) Decided(ctx context.Context, seq uint64) error {
	for {
		r.mu.RLock()
		inbox, changed := r.fold.State.Inbox, r.changed
		r.mu.RUnlock()
		if inbox >= seq {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("input %d is stored, but not decided yet: %w", seq, ctx.Err())
		}
	}
}

// RulesAfter waits until the rules in force are others than those of a digest, and
// returns their digest and their text. Before any are in force, there is nothing to
// return. The error is ctx's.
func (r *Responder) RulesAfter(ctx context.Context, digest string) (string, []engine.Source, error) {
	for {
		r.mu.RLock()
		now, changed := r.fold.State.RuleSet, r.changed
		sources := r.fold.State.RuleSets[now]
		ready := r.ready
		r.mu.RUnlock()
		if ready && now != "" && now != digest {
			return now, sources, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", nil, fmt.Errorf("wait for other rules than %q: %w", digest, ctx.Err())
		}
	}
}

// View calls look with the state, which it must not change or keep.
func (r *Responder) View(look func(st *engine.State)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	look(r.fold.State)
}

// Ready reports whether the ledger has been read to its end and some rules are
// in force, if this process was given any. An alert that is accepted before is
// decided by no rule.
func (r *Responder) Ready() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.isReady()
}

func (r *Responder) isReady() bool {
	return r.ready && (r.rules == nil || r.fold.State.RuleSet != "")
}

// AwaitReady waits until Ready.
func (r *Responder) AwaitReady(ctx context.Context) error {
	for {
		r.mu.RLock()
		ready, changed := r.isReady(), r.changed
		r.mu.RUnlock()
		if ready {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the engine is not ready: %w", ctx.Err())
		}
	}
}

// Leading reports whether this process decides at present.
func (r *Responder) Leading() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.leading
}

func (r *Responder) setLeading(leading bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leading = leading
	r.Metrics.leading(leading)
}

// forget throws the fold away: after a term it may be ahead of the ledger.
func (r *Responder) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fold, r.ready = ledger.NewFold(), false
}

// moved tells those who wait that the fold is further on. The caller holds mu.
func (r *Responder) moved() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
