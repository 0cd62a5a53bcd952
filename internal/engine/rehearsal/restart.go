package rehearsal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// record is one event in the ledger's form.
type record struct {
	at    time.Time
	event []byte
}

func (s *Stage) record(events []engine.Event) error {
	if !s.o.Record {
		return nil
	}
	for _, ev := range events {
		b, err := engine.MarshalEvent(ev)
		if err != nil {
			return fmt.Errorf("at %s: %w", s.now.Format(time.RFC3339), err)
		}
		s.ledger = append(s.ledger, record{at: s.st.At, event: b})
	}
	return nil
}

// Restart stops the engine and starts it again, as a process that dies does: from
// the events in the ledger's form, and from a snapshot. Both must give the state
// that was. Answers under way still come. The options must have asked to record.
func (s *Stage) Restart() error {
	if !s.o.Record {
		return errors.New("rehearsal: nothing was recorded to restart from")
	}
	before, err := json.Marshal(s.st)
	if err != nil {
		return fmt.Errorf("rehearsal: snapshot: %w", err)
	}
	var read engine.State
	if err := json.Unmarshal(before, &read); err != nil {
		return fmt.Errorf("rehearsal: snapshot: %w", err)
	}
	read.Reindex()
	if err := same(before, &read, "the snapshot"); err != nil {
		return err
	}
	folded := engine.NewState()
	decoder := engine.NewEventDecoder()
	for _, r := range s.ledger {
		ev, err := decoder.Decode(r.event)
		if err != nil {
			return fmt.Errorf("rehearsal: ledger: %w", err)
		}
		if err := folded.Apply(r.at, ev); err != nil {
			return fmt.Errorf("rehearsal: ledger: %w", err)
		}
	}
	if err := same(before, folded, "the ledger"); err != nil {
		return err
	}
	s.st = &read
	return nil
}

func same(before []byte, st *engine.State, from string) error {
	after, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("rehearsal: the state from %s: %w", from, err)
	}
	if bytes.Equal(before, after) {
		return nil
	}
	at := 0
	for at < min(len(before), len(after)) && before[at] == after[at] {
		at++
	}
	return fmt.Errorf("rehearsal: the state from %s is not the one that was: it has %q, and was %q", from, around(after, at), around(before, at))
}

// around is what stands near an offset.
func around(b []byte, at int) []byte {
	const near = 60
	return b[max(0, min(at, len(b))-near):min(len(b), at+near)]
}
