package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Lease is held by at most one holder at a time as long as clocks run and
// messages arrive; nothing may depend on more than that. It exists so that one
// engine works and the others keep warm; that two cannot both write is the
// ledger's business.
//
// A holder renews every third of the lease's time. Others take over when they
// saw no renewal for that time by their own clock, or at once when the holder
// releases it.
type Lease struct {
	kv     bucket
	name   string
	holder string
	ttl    time.Duration

	mu   sync.Mutex
	term *term // the current or last time it was held
}

// term is one time of holding the lease.
type term struct {
	renewing sync.Mutex // held while rev is being changed
	rev      uint64     // 0 when given up
	renewed  time.Time
	cancel   context.CancelFunc
	done     chan struct{} // closed when it is not held any more
	stopped  chan struct{} // closed when its goroutine has ended
	once     sync.Once
}

func (t *term) lose() { t.once.Do(func() { close(t.done) }) }

// leaseRecord is what stands in the bucket.
type leaseRecord struct {
	Holder   string        `json:"holder"`
	TTL      time.Duration `json:"ttl"`
	Released bool          `json:"released,omitempty"`
}

// Lease names a lease. holder must be unique to this process; ttl bounds how
// long a dead holder is waited for.
func (b *Bus) Lease(name, holder string, ttl time.Duration) *Lease {
	never := &term{done: make(chan struct{}), stopped: make(chan struct{}), cancel: func() {}}
	never.lose()
	close(never.stopped)
	return &Lease{kv: b.bucket(streamLeader), name: name, holder: holder, ttl: ttl, term: never}
}

// Acquire waits until the lease is held or ctx ends. From then on it is renewed
// by itself until Release, or until Done is closed.
func (l *Lease) Acquire(ctx context.Context) error {
	if l.ttl <= 0 {
		return fmt.Errorf("lease %s: time is %s: want a positive duration", l.name, l.ttl)
	}
	for {
		started := time.Now()
		value, rev, err := l.kv.get(ctx, l.name)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("lease %s: %w", l.name, err)
		}
		if rev != 0 && !l.free(value) {
			if err := l.await(ctx, value, rev); err != nil {
				return err
			}
			started = time.Now()
		}
		next, err := l.kv.put(ctx, l.name, l.record(false), rev, "")
		switch {
		case err == nil:
			return l.begin(next, started)
		case !errors.Is(err, ErrConflict):
			return fmt.Errorf("lease %s: %w", l.name, err)
		}
	}
}

func (l *Lease) record(released bool) []byte {
	v, err := json.Marshal(leaseRecord{Holder: l.holder, TTL: l.ttl, Released: released})
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return v
}

// free says that the lease may be taken at once: released, or our own from
// before.
func (l *Lease) free(value []byte) bool {
	var r leaseRecord
	return json.Unmarshal(value, &r) == nil && (r.Released || r.Holder == l.holder)
}

// ours says that the lease was last written by this holder.
func (l *Lease) ours(value []byte) bool {
	var r leaseRecord
	return json.Unmarshal(value, &r) == nil && r.Holder == l.holder
}

// await returns when the lease changed, or when its holder has been silent for
// its time; the write that follows finds out which.
func (l *Lease) await(ctx context.Context, value []byte, rev uint64) error {
	var r leaseRecord
	if err := json.Unmarshal(value, &r); err != nil || r.TTL <= 0 {
		r.TTL = l.ttl // a foreign record expires like ours
	}
	token, err := encodeKey(l.name)
	if err != nil {
		return err
	}
	ctx, cancel := l.kv.b.within(ctx)
	defer cancel()
	reader, err := l.kv.b.reader(ctx, readerOptions{
		stream: l.kv.stream, from: rev + 1, filter: l.kv.prefix + token, sparse: true,
	})
	if err != nil {
		return fmt.Errorf("lease %s: %w", l.name, err)
	}
	defer reader.Close()
	for {
		m, silent, err := nextWithin(ctx, reader, r.TTL)
		if err != nil {
			return fmt.Errorf("lease %s: %w", l.name, err)
		}
		if silent || l.free(m.Data) {
			return nil
		}
	}
}

// nextWithin reads one message, or says that none came in time.
func nextWithin(ctx context.Context, r *Reader, d time.Duration) (m Msg, silent bool, err error) {
	timed, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	m, err = r.Next(timed)
	if err != nil && timed.Err() != nil && ctx.Err() == nil {
		return Msg{}, true, nil
	}
	return m, false, err
}

// begin starts a term and the goroutine that renews it.
func (l *Lease) begin(rev uint64, started time.Time) error {
	b := l.kv.b
	ctx, cancel := context.WithCancel(b.ctx)
	t := &term{rev: rev, renewed: started, cancel: cancel, done: make(chan struct{}), stopped: make(chan struct{})}
	err := b.own(func() {
		defer close(t.stopped)
		defer t.lose()
		defer cancel()
		l.keep(ctx, t)
	})
	if err != nil {
		cancel()
		return fmt.Errorf("lease %s: %w", l.name, err)
	}
	l.mu.Lock()
	l.term = t
	l.mu.Unlock()
	return nil
}

// keep renews until the term is lost or ended.
func (l *Lease) keep(ctx context.Context, t *term) {
	tick := time.NewTicker(l.ttl / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.done:
			return
		case <-tick.C:
		}
		if err := l.renew(ctx, t); err != nil && ctx.Err() == nil {
			l.kv.b.log.Warn("leader lease was lost", "lease", l.name, "holder", l.holder, "error", err)
			return
		}
	}
}

// renew extends the term. It ends the term on a conflict, and when its time ran
// out before the renewal was certain.
func (l *Lease) renew(ctx context.Context, t *term) error {
	t.renewing.Lock()
	defer t.renewing.Unlock()
	if t.rev == 0 {
		return ErrClosed
	}
	ctx, cancel := context.WithDeadline(ctx, t.renewed.Add(l.ttl))
	defer cancel()
	// Done must close on time even while the write hangs.
	stop := context.AfterFunc(ctx, t.lose)
	defer stop()
	started := time.Now()
	rev, err := l.kv.put(ctx, l.name, l.record(false), t.rev, "")
	if err != nil {
		t.lose()
		return err
	}
	t.rev, t.renewed = rev, started
	return nil
}

func (l *Lease) current() *term {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.term
}

// Renew extends the lease now, besides the renewals it makes by itself. An
// error means that it is not held any more.
func (l *Lease) Renew(ctx context.Context) error {
	t := l.current()
	select {
	case <-t.done:
		return fmt.Errorf("lease %s: %w", l.name, ErrClosed)
	default:
	}
	if err := l.renew(ctx, t); err != nil {
		return fmt.Errorf("lease %s: %w", l.name, err)
	}
	return nil
}

// Done is closed when the lease, as last acquired, is not held any more; it is
// closed already before the first Acquire.
func (l *Lease) Done() <-chan struct{} { return l.current().done }

// Release gives the lease up so that another takes it at once. Without a lease
// it does nothing.
func (l *Lease) Release(ctx context.Context) error {
	t := l.current()
	t.cancel()
	t.lose()
	<-t.stopped
	t.renewing.Lock()
	defer t.renewing.Unlock()
	rev := t.rev
	t.rev = 0
	if rev == 0 {
		return nil
	}
	if err := l.giveUp(ctx, rev); err != nil {
		return fmt.Errorf("release lease %s: %w", l.name, err)
	}
	return nil
}

// giveUp writes that the lease is free, unless it is another's already. A
// renewal that was cut off may have gone through, which moved our revision.
func (l *Lease) giveUp(ctx context.Context, rev uint64) error {
	_, err := l.kv.put(ctx, l.name, l.record(true), rev, "")
	if !errors.Is(err, ErrConflict) {
		return err
	}
	value, rev, err := l.kv.get(ctx, l.name)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case !l.ours(value):
		return nil
	}
	if _, err = l.kv.put(ctx, l.name, l.record(true), rev, ""); errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}
