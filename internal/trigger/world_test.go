package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// world is a bucket and an INBOX in memory, as the bus keeps them, that fail when
// they are told to.
type world struct {
	mu       sync.Mutex
	revision uint64
	kept     map[string]kept
	inbox    []engine.Input
	ids      []string
	// fail is asked before (done false) and after each write.
	fail func(what string, done bool) error
}

type kept struct {
	value    []byte
	revision uint64
	deleted  bool
}

func newWorld() *world {
	return &world{kept: map[string]kept{}, fail: func(string, bool) error { return nil }}
}

func (w *world) List(context.Context) (map[string]uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]uint64{}
	for k, v := range w.kept {
		if !v.deleted {
			all[k] = v.revision
		}
	}
	return all, nil
}

func (w *world) Get(_ context.Context, key string) ([]byte, uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.kept[key]
	if v.revision == 0 || v.deleted {
		return nil, v.revision, bus.ErrNotFound
	}
	return v.value, v.revision, nil
}

func (w *world) Put(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	return w.write(key, kept{value: value}, revision)
}

func (w *world) Delete(_ context.Context, key string, revision uint64) error {
	if revision == 0 {
		return nil
	}
	_, err := w.write(key, kept{deleted: true}, revision)
	return err
}

func (w *world) write(key string, v kept, revision uint64) (uint64, error) {
	if err := w.fail("put", false); err != nil {
		return 0, err
	}
	w.mu.Lock()
	if w.kept[key].revision != revision {
		w.mu.Unlock()
		return 0, bus.ErrConflict
	}
	w.revision++
	v.revision = w.revision
	w.kept[key] = v
	w.mu.Unlock()
	return v.revision, w.fail("put", true)
}

func (w *world) PublishInbox(_ context.Context, _, id string, line []byte) (uint64, error) {
	if err := w.fail("publish", false); err != nil {
		return 0, err
	}
	in, err := engine.UnmarshalLine(line)
	if err != nil {
		return 0, err
	}
	w.mu.Lock()
	w.inbox, w.ids = append(w.inbox, in), append(w.ids, id)
	n := len(w.inbox)
	w.mu.Unlock()
	return uint64(n), w.fail("publish", true)
}

// alerts are those in INBOX, in order.
func (w *world) alerts() []alert.Alert {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []alert.Alert
	for _, in := range w.inbox {
		all = append(all, in.Delivery.Alerts...)
	}
	return all
}

func (w *world) record(t *testing.T, key string) Record {
	t.Helper()
	value, _, err := w.Get(t.Context(), key)
	if errors.Is(err, bus.ErrNotFound) {
		return Record{}
	}
	var r Record
	if err == nil {
		err = json.Unmarshal(value, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func testParts(t *testing.T, w *world, now func() time.Time) parts {
	t.Helper()
	m, err := NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return parts{book: newBook(w, w, m), metrics: m, log: slog.New(slog.DiscardHandler), now: now}
}

// ruleSet compiles rules from the text of their list.
func ruleSet(t *testing.T, list string) *rules.Set {
	t.Helper()
	set, findings := rules.Parse([]engine.Source{{Name: "rules.yaml", Text: "apiVersion: paramedic.dev/v1\nkind: RuleSet\nmetadata: {name: t}\nspec:\n  rules:\n" + list}},
		rules.Catalog{
			Actions: map[string]rules.ActionSpec{}, Reporters: []string{"log"},
			Probes:   map[string]rules.ProbeSpec{"http": {Schema: json.RawMessage(`{"type":"object"}`)}},
			Triggers: []string{"schedule", "probe", "rollout", "cost", "manual"},
		})
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

func trigger(t *testing.T, on string) rules.Trigger {
	t.Helper()
	return ruleSet(t, "    - {name: r, on: "+on+", target: {http: x}, mode: observe}\n").Triggers()[0]
}

// sets is one rule set.
type sets struct{ set *rules.Set }

func (s sets) Set(digest string) (engine.RuleSet, bool) { return s.set, digest == s.set.Digest() }

// decide has an engine decide what is in INBOX, all of it at the times at which it
// was received or later, and returns what followed.
func decide(t *testing.T, set *rules.Set, inbox []engine.Input) []engine.Event {
	t.Helper()
	st := engine.NewState()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	all, err := engine.Advance(sets{set}, st, at, engine.Input{Rules: &engine.NewRules{Digest: set.Digest()}})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range inbox {
		if received := in.Delivery.ReceivedAt; received.After(at) {
			at = received
		}
		events, err := engine.Advance(sets{set}, st, at, in)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, events...)
	}
	return all
}
