package ledger

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// BrokenError says that the chain does not hold at a record.
type BrokenError struct {
	Seq        uint64
	Want, Have string
}

// Error implements error.
func (e *BrokenError) Error() string {
	return fmt.Sprintf("ledger record %d does not follow the one before: it names %q as the hash before it, which is %q", e.Seq, e.Have, e.Want)
}

// Fold is the state that a ledger adds up to, record by record.
type Fold struct {
	State *engine.State
	// Seq and Head are the stream sequence and the hash of the last record.
	Seq  uint64
	Head string

	decoder *Decoder
}

// NewFold begins with an empty ledger.
func NewFold() *Fold {
	return &Fold{State: engine.NewState(), decoder: NewDecoder()}
}

// Take folds the record that stands at seq in the stream. It must be the next
// one and name the one before by its hash. After an error the fold is not to be
// used further.
func (f *Fold) Take(seq uint64, data []byte) (Record, error) {
	if seq != f.Seq+1 {
		return Record{}, fmt.Errorf("ledger record %d comes after %d: %d are missing", seq, f.Seq, seq-f.Seq-1)
	}
	r, err := f.decoder.Decode(data)
	if err != nil {
		return Record{}, fmt.Errorf("at sequence %d: %w", seq, err)
	}
	if r.Prev != f.Head {
		return Record{}, &BrokenError{Seq: seq, Want: f.Head, Have: r.Prev}
	}
	for i, ev := range r.Events {
		if err := f.State.Apply(r.At, ev); err != nil {
			return Record{}, fmt.Errorf("ledger record %d, event %d: %w", seq, i, err)
		}
	}
	f.took(seq, r.Cause, data)
	return r, nil
}

// Next makes the record that follows from what was decided since the last one.
// The events must have been applied to the state already; Took must be called
// once the record stands in the stream.
func (f *Fold) Next(at time.Time, cause Cause, events []json.RawMessage) ([]byte, error) {
	return marshal(at, cause, f.State.RuleSet, events, f.Head)
}

// Took says that the record that Next made stands at seq.
func (f *Fold) Took(seq uint64, cause Cause, data []byte) { f.took(seq, cause, data) }

func (f *Fold) took(seq uint64, cause Cause, data []byte) {
	f.Seq, f.Head = seq, Hash(data)
	if cause.Line == 0 {
		f.State.Inbox, f.State.InboxLine = cause.Inbox, 0
	} else {
		f.State.Inbox, f.State.InboxLine = cause.Inbox-1, cause.Line
	}
}
