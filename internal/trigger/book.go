package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/rules"
)

// RepeatEvery is how often an alert is sent again while what it stands for goes on:
// well within the freshness that rules have unless they say otherwise.
const RepeatEvery = 5 * time.Minute

// inboxKind is the kind of the messages in INBOX.
const inboxKind = "delivery"

// book reads and writes records, and puts into INBOX what follows from them. It
// keeps what it has read, which is only advice: a write compares.
type book struct {
	store   Store
	inbox   Inbox
	metrics *Metrics

	mu      sync.Mutex
	entries map[string]entry
}

// entry is a record as it is stored.
type entry struct {
	record   Record
	revision uint64
}

func newBook(store Store, inbox Inbox, m *Metrics) *book {
	return &book{store: store, inbox: inbox, metrics: m, entries: map[string]entry{}}
}

// change replaces the record of a key by what decide makes of it, and sends the
// alert if that is another; decide reports false if all is to stay. It is called
// again if another process was faster, so it must be pure. An alert of before that
// may not have been sent goes first. Change returns the record that stands then;
// after an error it may have been written, and the next call finds out.
func (b *book) change(ctx context.Context, key string, decide func(Record) (Record, bool)) (Record, error) {
	for {
		e, err := b.load(ctx, key)
		if err != nil {
			return Record{}, err
		}
		if e.record.pending() {
			if err := b.send(ctx, key, e); err != nil {
				return Record{}, err
			}
			continue
		}
		next, changed := decide(e.record)
		if !changed {
			return e.record, nil
		}
		switch err := b.write(ctx, key, next, e.revision); {
		case errors.Is(err, bus.ErrConflict):
			continue
		case err != nil:
			return Record{}, err
		}
		if !next.pending() {
			return next, nil
		}
		b.metrics.decided(next.Alert)
	}
}

// send puts the alert of a record into INBOX and notes that it is there. If only
// the note fails, it is sent once more, which nobody minds.
func (b *book) send(ctx context.Context, key string, e entry) error {
	if err := b.publish(ctx, e.record, e.record.At); err != nil {
		return err
	}
	e.record.Sent = true
	err := b.write(ctx, key, e.record, e.revision)
	if errors.Is(err, bus.ErrConflict) {
		return nil // another process went on from it
	}
	return err
}

// repeat says that the alert of a record still fires.
func (b *book) repeat(ctx context.Context, r Record, now time.Time) error {
	return b.publish(ctx, r, now)
}

func (b *book) publish(ctx context.Context, r Record, at time.Time) error {
	id, line, err := r.message(at)
	if err != nil {
		return err
	}
	if _, err := b.inbox.PublishInbox(ctx, inboxKind, id, line); err != nil {
		return fmt.Errorf("send the alert of %s: %w", r.Alert.Name, err)
	}
	return nil
}

func (b *book) load(ctx context.Context, key string) (entry, error) {
	b.mu.Lock()
	e, ok := b.entries[key]
	b.mu.Unlock()
	if ok {
		return e, nil
	}
	value, revision, err := b.store.Get(ctx, key)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		e = entry{revision: revision}
	case err != nil:
		return entry{}, fmt.Errorf("read the record %s: %w", key, err)
	default:
		e.revision = revision
		if err := json.Unmarshal(value, &e.record); err != nil {
			return entry{}, fmt.Errorf("the record %s is not to be read: %w", key, err)
		}
	}
	b.keep(key, e)
	return e, nil
}

// write replaces a record. Whatever goes wrong, what stands is read anew.
func (b *book) write(ctx context.Context, key string, r Record, revision uint64) error {
	value, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the record %s: %w", key, err)
	}
	b.forget(key)
	next, err := b.store.Put(ctx, key, value, revision)
	if err != nil {
		return fmt.Errorf("write the record %s: %w", key, err)
	}
	b.keep(key, entry{r, next})
	return nil
}

// remove resolves the alert of a key, if it fires, and forgets the record.
func (b *book) remove(ctx context.Context, key string, now time.Time) error {
	for {
		_, err := b.change(ctx, key, func(r Record) (Record, bool) {
			if !r.Firing() {
				return r, false
			}
			return r.resolved(now, now), true
		})
		if err != nil {
			return err
		}
		e, err := b.load(ctx, key)
		if err != nil {
			return err
		}
		b.forget(key)
		err = b.store.Delete(ctx, key, e.revision)
		if !errors.Is(err, bus.ErrConflict) {
			return err
		}
	}
}

// keys are those of a trigger's records, in order.
func (b *book) keys(ctx context.Context, t rules.Trigger) ([]string, error) {
	all, err := b.store.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the records: %w", err)
	}
	var own []string
	for k := range all {
		if owner(k) == prefix(t.Kind, t.Rule) {
			own = append(own, k)
		}
	}
	slices.Sort(own)
	return own, nil
}

func (b *book) keep(key string, e entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries[key] = e
}

func (b *book) forget(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.entries, key)
}
