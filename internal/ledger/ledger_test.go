package ledger_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/ledger"
)

var t0 = time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)

// chain writes a ledger of n records, each opening an episode.
func chain(tb testing.TB, n int) [][]byte {
	tb.Helper()
	fold := ledger.NewFold()
	records := make([][]byte, n)
	for i := range n {
		at := t0.Add(time.Duration(i) * time.Second)
		a := alert.Alert{
			Source: "am", Name: "ServiceDown", Fingerprint: fmt.Sprintf("f%d", i), Status: alert.Firing, StartsAt: at,
			Labels: map[string]string{"alertname": "ServiceDown", "job": "place-service"},
		}
		events, err := engine.Advance(noSets{}, fold.State, at, engine.Input{Delivery: &alert.Delivery{ID: "d", Source: "am", ReceivedAt: at, Alerts: []alert.Alert{a}}})
		if err != nil {
			tb.Fatal(err)
		}
		cause := ledger.Cause{Inbox: uint64(i + 1)}
		encoded := make([]json.RawMessage, len(events))
		for j, ev := range events {
			if encoded[j], err = engine.MarshalEvent(ev); err != nil {
				tb.Fatal(err)
			}
		}
		data, err := fold.Next(at, cause, encoded)
		if err != nil {
			tb.Fatal(err)
		}
		fold.Took(uint64(i+1), cause, data)
		records[i] = data
	}
	return records
}

type noSets struct{}

func (noSets) Set(string) (engine.RuleSet, bool) { return nil, false }

func refold(records [][]byte) (*ledger.Fold, error) {
	fold := ledger.NewFold()
	for i, data := range records {
		if _, err := fold.Take(uint64(i+1), data); err != nil {
			return fold, err
		}
	}
	return fold, nil
}

func TestFoldOfTheLedgerIsTheStateThatWroteIt(t *testing.T) {
	t.Parallel()
	fold, err := refold(chain(t, 20))
	if err != nil {
		t.Fatal(err)
	}
	if len(fold.State.Episodes) != 20 || fold.State.Inbox != 20 || fold.Seq != 20 {
		t.Errorf("folded %d episodes, inbox %d, sequence %d; want 20 each", len(fold.State.Episodes), fold.State.Inbox, fold.Seq)
	}
}

func TestEveryTamperingIsFoundOut(t *testing.T) {
	t.Parallel()
	whole := chain(t, 6)
	tests := map[string]func([][]byte) [][]byte{
		"a changed value": func(r [][]byte) [][]byte {
			r[2] = bytes.Replace(r[2], []byte("place-service"), []byte("other-service"), 1)
			return r
		},
		"white space":      func(r [][]byte) [][]byte { r[2] = append(r[2], ' '); return r },
		"a missing record": func(r [][]byte) [][]byte { return append(r[:2], r[3:]...) },
		"two exchanged":    func(r [][]byte) [][]byte { r[2], r[3] = r[3], r[2]; return r },
		"one twice":        func(r [][]byte) [][]byte { return append(r[:3], r[2:]...) },
		"one put before":   func(r [][]byte) [][]byte { return append([][]byte{r[0]}, r...) },
	}
	for name, tamper := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			records := make([][]byte, len(whole))
			for i := range whole {
				records[i] = bytes.Clone(whole[i])
			}
			_, err := refold(tamper(records))
			if _, broken := errors.AsType[*ledger.BrokenError](err); !broken {
				t.Errorf("folded, or failed for another reason: %v", err)
			}
		})
	}
}

func TestAGapInTheSequenceIsAnError(t *testing.T) {
	t.Parallel()
	records := chain(t, 2)
	fold := ledger.NewFold()
	if _, err := fold.Take(2, records[1]); err == nil {
		t.Error("took record 2 as the first")
	}
}

func TestSnapshotAndTailEqualTheWhole(t *testing.T) {
	t.Parallel()
	records := chain(t, 10)
	whole, err := refold(records)
	if err != nil {
		t.Fatal(err)
	}
	half, err := refold(records[:5])
	if err != nil {
		t.Fatal(err)
	}
	data, err := half.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ledger.FromSnapshot(data)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range records[5:] {
		if _, err := again.Take(uint64(i+6), r); err != nil {
			t.Fatal(err)
		}
	}
	want, have := encode(t, whole.State), encode(t, again.State)
	if want != have || whole.Head != again.Head {
		t.Errorf("from the snapshot:\n%s\nfrom the beginning:\n%s", have, want)
	}
}

func TestSnapshotOfAnotherVersionIsRefused(t *testing.T) {
	t.Parallel()
	for _, data := range []string{`{"v":0}`, `{"v":1}`, `nonsense`} {
		if _, err := ledger.FromSnapshot([]byte(data)); err == nil {
			t.Errorf("took %s", data)
		}
	}
}

func encode(t *testing.T, s *engine.State) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// BenchmarkFold reports the time for one event; times a million is the fold of
// a ledger of a million events.
func BenchmarkFold(b *testing.B) {
	records := chain(b, 2000)
	events := 0
	d := ledger.NewDecoder()
	for _, r := range records {
		rec, err := d.Decode(r)
		if err != nil {
			b.Fatal(err)
		}
		events += len(rec.Events)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := refold(records); err != nil {
			b.Fatal(err)
		}
	}
	perEvent := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / float64(events)
	b.ReportMetric(perEvent, "ns/event")
	b.ReportMetric(perEvent*1e6/1e9, "s/million-events")
}
