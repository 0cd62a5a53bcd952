package worker

import (
	"context"
	"errors"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// Ports are the worker's ways to the bus.
type Ports struct {
	Queue     Queue
	Claims    Claims
	Pauses    Pauses
	Publisher Publisher
}

// Queue hands out tasks of one worker group, one at a time. It is called from
// several goroutines at once.
type Queue interface {
	// Next waits for a task. It returns the context's error when that ends.
	Next(ctx context.Context) (Job, error)
}

// Job is one delivery of one task. A task that is neither acknowledged nor kept
// alive within the acknowledgement wait is delivered again, maybe elsewhere.
type Job interface {
	Subject() string
	Data() []byte
	// Deliveries counts from 1.
	Deliveries() uint64
	// Ack returns once the acknowledgement is stored.
	Ack(ctx context.Context) error
	// InProgress starts the acknowledgement wait anew.
	InProgress() error
	// Retry asks for another delivery after the delay.
	Retry(delay time.Duration) error
	// Term gives the task up for ever.
	Term(reason string) error
}

// ErrNoClaim is what Claims.Get returns for a key that was never written.
var ErrNoClaim = errors.New("no such claim")

// Claims is the compare-and-set store of claims. Reads are never stale. An
// error of a write may mean that it was stored: the worker reads back.
type Claims interface {
	// Create writes a key that does not exist.
	Create(ctx context.Context, key string, value []byte) (revision uint64, err error)
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Update writes a key whose last revision is the given one.
	Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
}

// Pauses is the kill switch: the paused scopes, see engine.Scopes. Reads are
// never stale.
type Pauses interface {
	List(ctx context.Context) (map[string][]byte, error)
}

// Publisher stores what the worker has to say. Both return once it is on disk,
// and drop a repetition of an id.
type Publisher interface {
	PublishInbox(ctx context.Context, kind, id string, data []byte) (sequence uint64, err error)
	PublishDead(ctx context.Context, group, action, id, reason string, data []byte) error
}

// Verifier asks the probes of verify and check tasks.
type Verifier interface {
	// Verify returns true once every probe has held for the task's Stable, and
	// false when that has not come about by its Deadline. An error means that
	// it could not find out.
	Verify(ctx context.Context, t engine.Task) (ok bool, checks []engine.Check, err error)
	// Check looks once at every probe, and returns true if all hold now. An
	// error means that it could not find out.
	Check(ctx context.Context, t engine.Task) (ok bool, checks []engine.Check, err error)
}
