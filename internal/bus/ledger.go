package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	subjectLedger = "ledger.record"
	// shortTries bounds how long an append waits for a ledger that appears to
	// end before the record that the caller saw.
	shortTries = 15
)

// AppendLedger appends data directly behind sequence expectLast (0 for an empty
// ledger) and returns its sequence, which is expectLast+1.
//
// nil: it is stored, once. ErrLostRace: another record stands there; ours is
// not in the ledger and will not be. ErrGap: the ledger is shorter than
// expectLast. Otherwise *PublishError; if that is Ambiguous, ctx ended before
// the outcome was known, and whoever reads the ledger later can tell by id,
// which must be unique to this record.
func (b *Bus) AppendLedger(ctx context.Context, expectLast uint64, id string, data []byte) (uint64, error) {
	b.hook("ledger.append.before")
	a := appending{b: b, o: outgoing{
		stream: StreamLedger, subject: subjectLedger, id: id, data: data, cas: headerLastSeq, expect: expectLast,
	}}
	if err := a.run(ctx); err != nil {
		return 0, err
	}
	b.hook("ledger.append.after")
	return expectLast + 1, nil
}

// appending is one append under way.
type appending struct {
	b         *Bus
	o         outgoing
	ambiguous bool // an attempt was sent whose outcome is open
	short     int  // attempts that found the ledger shorter than expected
}

func (a *appending) fail(err error) error {
	return &PublishError{Subject: a.o.subject, ID: a.o.id, Ambiguous: a.ambiguous, Err: err}
}

func (a *appending) run(ctx context.Context) error {
	m, err := a.b.build(a.o)
	if err != nil {
		return a.fail(err)
	}
	if err := a.b.enter(); err != nil {
		return a.fail(err)
	}
	defer a.b.leave()
	for wait := backoffMin; ; wait = min(2*wait, backoffMax) {
		if err := ctx.Err(); err != nil {
			return a.fail(err)
		}
		done, err := a.once(ctx, m)
		if done || (err != nil && !errors.Is(err, errOpen)) {
			return err
		}
		if cause := a.b.pause(ctx, wait); cause != nil {
			return a.fail(errors.Join(err, cause))
		}
	}
}

// errOpen marks an attempt that decided nothing.
var errOpen = errors.New("outcome open")

// once sends the record and finds out what became of it.
func (a *appending) once(ctx context.Context, m *nats.Msg) (done bool, err error) {
	ack, v, err := a.b.attempt(ctx, a.o, m)
	if err == nil {
		if ack.Sequence == a.o.expect+1 {
			return true, nil
		}
		a.ambiguous = false
		if !ack.Duplicate {
			return false, a.fail(fmt.Errorf("%w: the server put the record at %d and not behind %d", ErrGap, ack.Sequence, a.o.expect))
		}
		// A replicated stream looks for duplicates before it compares.
		return false, a.fail(fmt.Errorf("%w: the id was used for record %d already", ErrLostRace, ack.Sequence))
	}
	switch v {
	case unsent:
		if !a.ambiguous {
			return false, fmt.Errorf("%w: %w", errOpen, err)
		}
	case refused:
		if !a.ambiguous {
			return false, a.fail(err)
		}
	case closed:
		a.ambiguous = true
		return false, a.fail(err)
	case unknown:
		a.ambiguous = true
	case wrongLast:
	}
	return a.resolve(ctx, v, err)
}

// resolve reads the place where the record was to go. What stands there stays,
// so it settles the matter whatever the attempt's error was.
func (a *appending) resolve(ctx context.Context, v verdict, cause error) (done bool, err error) {
	// Bounded, because a repeat of the attempt may answer sooner than a read.
	rctx, cancel := context.WithTimeout(ctx, 2*attemptTimeout)
	defer cancel()
	there, err := a.b.get(rctx, StreamLedger, a.o.expect+1)
	switch {
	case err == nil && there.ID == a.o.id:
		return true, nil
	case err == nil:
		a.ambiguous = false
		return false, a.fail(fmt.Errorf("%w: record %d has id %s", ErrLostRace, there.Seq, there.ID))
	case !errors.Is(err, ErrNotFound):
		return false, fmt.Errorf("%w: %w", errOpen, errors.Join(cause, err))
	case v == refused:
		return false, a.fail(cause)
	case v == wrongLast:
		return false, a.missing(rctx, cause)
	default:
		return false, fmt.Errorf("%w: %w", errOpen, cause)
	}
}

// missing deals with a failed comparison where nothing stands in our place:
// either a write is still on its way through the quorum, or the ledger ends
// earlier than the caller believes.
func (a *appending) missing(ctx context.Context, cause error) error {
	last, err := a.b.LedgerLast(ctx)
	if err != nil || last >= a.o.expect {
		return fmt.Errorf("%w: %w", errOpen, errors.Join(cause, err))
	}
	if a.short++; a.short < shortTries && a.b.srv == nil { // one server is never behind itself
		return fmt.Errorf("%w: %w", errOpen, cause)
	}
	return a.fail(fmt.Errorf("%w: the ledger ends at %d and %d was expected", ErrGap, last, a.o.expect))
}

// Ledger reads LEDGER in order, beginning with sequence from. Its Next returns
// ErrGap if a record is missing.
func (b *Bus) Ledger(ctx context.Context, from uint64) (*Reader, error) {
	return b.reader(ctx, readerOptions{stream: StreamLedger, from: from})
}

// LedgerLast is the sequence of the last record, by the stream's leader; 0 for
// an empty ledger.
func (b *Bus) LedgerLast(ctx context.Context) (uint64, error) { return b.last(ctx, StreamLedger) }

// LedgerAt reads one record from the stream's leader; ErrNotFound if there is none.
func (b *Bus) LedgerAt(ctx context.Context, seq uint64) (Msg, error) {
	return b.get(ctx, StreamLedger, seq)
}

// Msg is one stored message of a stream.
type Msg struct {
	Seq     uint64 // its sequence in the stream, from 1
	Subject string
	Time    time.Time         // when the server stored it
	ID      string            // operation id
	Meta    map[string]string // what was stored beside the payload; nil for most
	Data    []byte

	op string // KV-Operation
}
