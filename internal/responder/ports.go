package responder

import (
	"context"
	"time"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
)

// Bus is the part of the bus that a responder needs; *bus.Bus is one.
type Bus interface {
	PublishInbox(ctx context.Context, kind, id string, data []byte) (uint64, error)
	Inbox(ctx context.Context, from uint64) (*bus.Reader, error)
	TrimInbox(ctx context.Context, decided uint64) error
	AppendLedger(ctx context.Context, expectLast uint64, id string, data []byte) (uint64, error)
	Ledger(ctx context.Context, from uint64) (*bus.Reader, error)
	LedgerLast(ctx context.Context) (uint64, error)
	LedgerAt(ctx context.Context, seq uint64) (bus.Msg, error)
	PublishWork(ctx context.Context, group, action, taskID string, data []byte) error
	Lease(name, holder string, ttl time.Duration) *bus.Lease
	PutSnapshot(ctx context.Context, name string, data []byte) error
	GetSnapshot(ctx context.Context, name string) ([]byte, error)
	ListSnapshots(ctx context.Context) ([]string, error)
	DeleteSnapshot(ctx context.Context, name string) error
	MaxMessage() int
}

// Compiler turns the text of a rule set into its compiled form. It is pure.
type Compiler func(sources []engine.Source) (engine.RuleSet, error)

// Observer is told of every record that this process folds, in order; decided
// says that this process wrote it. It must not block.
type Observer func(st *engine.State, at time.Time, events []engine.Event, decided bool)
