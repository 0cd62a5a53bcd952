// Package ledger holds the form of the ledger: records of events, chained by
// hash, and their fold into the engine's state, with snapshots to begin from.
//
// It does no I/O: the bus carries the records, and whoever reads them hands
// them over in order. A Fold is not safe for concurrent use. The tests break
// every link of a chain and see it found out.
package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tripgen/paramedic/internal/engine"
)

// Version is the version of the record that this build writes.
const Version = 1

// Record is one decision: what was concluded, when, from what, under which
// rules. Its JSON form is one message of the LEDGER stream.
type Record struct {
	At    time.Time
	Cause Cause
	// RuleSet is the digest of the rules that were in force after the decision.
	RuleSet string
	Events  []engine.Event
	// Prev is the Hash of the record before; empty for the first.
	Prev string
}

// Cause is how far INBOX was decided, this record included.
type Cause struct {
	// Inbox is the sequence of the INBOX message that was decided.
	Inbox uint64 `json:"inbox"`
	// Line is the number of its lines that were decided, if not all were; then
	// the message before is the last one that was decided whole.
	Line int `json:"line,omitempty"`
}

type wireRecord struct {
	Version int               `json:"v"`
	At      time.Time         `json:"at"`
	Cause   Cause             `json:"cause"`
	RuleSet string            `json:"ruleSet"`
	Events  []json.RawMessage `json:"events"`
	Prev    string            `json:"prev"`
}

// marshal encodes a record whose events are encoded already: they are encoded
// one by one as they are concluded, so that a record can be kept below the size
// of a message.
func marshal(at time.Time, cause Cause, ruleSet string, events []json.RawMessage, prev string) ([]byte, error) {
	b, err := json.Marshal(wireRecord{Version: Version, At: at.UTC(), Cause: cause, RuleSet: ruleSet, Events: events, Prev: prev})
	if err != nil {
		return nil, fmt.Errorf("ledger record: %w", err)
	}
	return b, nil
}

// Decoder decodes records. It may be shared.
type Decoder struct{ events *engine.EventDecoder }

// NewDecoder knows the records and events of this build.
func NewDecoder() *Decoder { return &Decoder{events: engine.NewEventDecoder()} }

// Decode decodes one record. A newer version, or an event that this build does
// not know, is an error.
func (d *Decoder) Decode(data []byte) (Record, error) {
	w := readRecord{Events: readEvents{decoder: d.events}}
	if err := jsonv2.Unmarshal(data, &w); err != nil {
		return Record{}, fmt.Errorf("ledger record: %w", err)
	}
	if w.Version != Version {
		return Record{}, fmt.Errorf("ledger record has version %d, this build knows %d: upgrade before you read this ledger", w.Version, Version)
	}
	return Record{At: w.At, Cause: w.Cause, RuleSet: w.RuleSet, Prev: w.Prev, Events: w.Events.list}, nil
}

// readRecord is wireRecord for reading: its events are decoded on the way.
type readRecord struct {
	Version int        `json:"v"`
	At      time.Time  `json:"at"`
	Cause   Cause      `json:"cause"`
	RuleSet string     `json:"ruleSet"`
	Events  readEvents `json:"events"`
	Prev    string     `json:"prev"`
}

type readEvents struct {
	decoder *engine.EventDecoder
	list    []engine.Event
}

// UnmarshalJSONFrom implements jsonv2.UnmarshalerFrom.
func (r *readEvents) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if _, err := engine.Expect(dec, '['); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	for dec.PeekKind() != ']' {
		ev, err := r.decoder.DecodeFrom(dec)
		if err != nil {
			return err
		}
		r.list = append(r.list, ev)
	}
	_, err := dec.ReadToken()
	return err
}

// Hash identifies a record by every byte of it, and through Prev all before it.
func Hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
