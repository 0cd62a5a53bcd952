package trigger

import (
	"context"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/rules"
)

// Store keeps the records; *bus.Triggers is one.
type Store interface {
	// List reads every key and its revision.
	List(ctx context.Context) (map[string]uint64, error)
	// Get reads a key; bus.ErrNotFound if there is none, with the revision to be
	// given to Put all the same.
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Put replaces the value whose revision is given, 0 for none yet, and returns
	// the new revision; bus.ErrConflict if another was written meanwhile.
	Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	// Delete removes the value whose revision is given; bus.ErrConflict likewise.
	Delete(ctx context.Context, key string, revision uint64) error
}

// Inbox is where alerts go; *bus.Bus is one.
type Inbox interface {
	PublishInbox(ctx context.Context, kind, id string, data []byte) (uint64, error)
}

// Lease says whose turn it is; *bus.Lease is one.
type Lease interface {
	Acquire(ctx context.Context) error
	Done() <-chan struct{}
	Release(ctx context.Context) error
}

// Rules are those in force.
type Rules interface {
	// Triggers waits until the rules in force are others than those of the digest
	// after, and returns their digest and their triggers. An error that is not
	// ctx's means that these rules cannot be read: their digest is returned, too.
	Triggers(ctx context.Context, after string) (digest string, triggers []rules.Trigger, err error)
}

// Probes are those that can be taken; *verify.Registry is one.
type Probes interface {
	Get(kind string) (verify.Prober, bool)
}

// Clusters are those whose rollouts can be watched.
type Clusters interface {
	// WatchRollouts calls each with every workload that fits, and again whenever
	// its Rollout changes, one call at a time. Between those that were there when
	// the watch began and the rest, each is called with nil. It returns when ctx
	// ends, when each returns an error, and when it cannot go on.
	WatchRollouts(ctx context.Context, t rules.RolloutTrigger, each func(*Rollout) error) error
}

// Rollout is how far the rollout of one workload is.
type Rollout struct {
	Target engine.Target
	// ID tells this rollout from all others: a roll-back has one of its own.
	// Revision is what people call it.
	ID, Revision string
	// UID tells the workload from others that had its name. Version is higher the
	// later this was true of it; 0 if that cannot be told.
	UID     string
	Version uint64
	Images  []string
	// Restart says that nothing is new but that the pods are.
	Restart bool
	Phase   rules.RolloutPhase
	// Reason says in words why it is in that phase; it may be empty.
	Reason string
	// Gone says that the workload was deleted.
	Gone bool
}

// Accounts are those whose costs can be asked for.
type Accounts interface {
	// Costs are what was spent since the month began, in one currency: together,
	// or by the values of a dimension if by is not empty. Months begin where the
	// account's provider says so.
	Costs(ctx context.Context, account, by string) (Costs, error)
}

// Costs are what was spent.
type Costs struct {
	Currency string
	Total    float64
	By       map[string]float64
}
