package reload

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// Options are what a watcher needs. Only Wake may be left out.
type Options struct {
	// Load reads all rule files, their patterns expanded anew.
	Load func() ([]engine.Source, error)
	// Use puts a set in use and returns its digest, or says why it is refused.
	Use func([]engine.Source) (digest string, err error)
	// Initial are the sources that are in use, and Digest is theirs.
	Initial []engine.Source
	Digest  string

	// Every is how long lies between two looks, Settle how soon after a change it
	// is looked again.
	Every, Settle time.Duration
	// Wake has it look at once, as SIGHUP does.
	Wake <-chan os.Signal

	Now     func() time.Time
	Logger  *slog.Logger
	Metrics *Metrics
}

// Status is how the last change ended.
type Status struct {
	// Digest is of the rules in use.
	Digest string
	// Refused is why newer ones are not; nil if there are none.
	Refused error
	// Since is when that was found.
	Since time.Time
}

// Watcher watches rule files.
type Watcher struct {
	o     Options
	judge judge

	mu     sync.Mutex
	status Status
}

// New makes a watcher. It reads nothing.
func New(o Options) (*Watcher, error) {
	switch {
	case o.Load == nil || o.Use == nil || o.Now == nil || o.Logger == nil || o.Metrics == nil:
		return nil, errors.New("reload: Load, Use, Now, Logger and Metrics must be set")
	case o.Every <= 0 || o.Settle <= 0:
		return nil, errors.New("reload: Every and Settle must be more than 0")
	case len(o.Initial) == 0 || o.Digest == "":
		return nil, errors.New("reload: there are no rules in use that others could take the place of")
	}
	w := &Watcher{o: o}
	w.judge.acted = look{sources: o.Initial}.fingerprint()
	w.used(o.Digest)
	return w, nil
}

// Status is how it stands.
func (w *Watcher) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	timer := time.NewTimer(w.o.Every)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-w.o.Wake:
			w.o.Logger.Info("looking at the rule files, as was asked for")
		}
		next := w.o.Every
		if w.look() == unsettled {
			next = w.o.Settle
		}
		timer.Reset(next)
	}
}

// look looks once, and acts upon it.
func (w *Watcher) look() verdict {
	var l look
	l.sources, l.err = w.o.Load()
	v := w.judge.see(l)
	if v != changed {
		return v
	}
	digest, err := "", l.err
	if err == nil {
		digest, err = w.o.Use(l.sources)
	}
	if err != nil {
		w.refused(err)
		return v
	}
	before := w.Status().Digest
	w.used(digest)
	w.o.Metrics.reloads.WithLabelValues(resultUsed).Inc()
	if digest == before {
		w.o.Logger.Info("the rule files say again what is in use", "digest", digest)
		return v
	}
	w.o.Logger.Info("new rules", "digest", digest, "instead", before, "files", len(l.sources))
	return v
}

func (w *Watcher) used(digest string) {
	now := w.o.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = Status{Digest: digest, Since: now}
	w.o.Metrics.used(digest, now)
}

// refused leaves all as it is, and says so.
func (w *Watcher) refused(err error) {
	w.mu.Lock()
	w.status.Refused, w.status.Since = err, w.o.Now()
	digest := w.status.Digest
	w.mu.Unlock()
	w.o.Metrics.refused()
	w.o.Logger.Error("the changed rule files are refused; the rules before stay in use", "digest", digest, "error", err)
}
