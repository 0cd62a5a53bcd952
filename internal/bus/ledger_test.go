package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestAppendLedger(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	if last, err := b.LedgerLast(ctx); err != nil || last != 0 {
		t.Fatalf("empty ledger ends at %d, %v", last, err)
	}
	for i := range uint64(3) {
		seq, err := b.AppendLedger(ctx, i, fmt.Sprintf("r-%d", i+1), []byte{byte(i)})
		if err != nil || seq != i+1 {
			t.Fatalf("append behind %d: sequence %d, %v", i, seq, err)
		}
	}
	m, err := b.LedgerAt(ctx, 2)
	if err != nil || m.ID != "r-2" || m.Seq != 2 || len(m.Data) != 1 || m.Data[0] != 1 || m.Time.IsZero() {
		t.Fatalf("record 2 is %+v, %v", m, err)
	}
	if _, err := b.LedgerAt(ctx, 4); !errors.Is(err, ErrNotFound) {
		t.Errorf("record 4: %v; want ErrNotFound", err)
	}
	// R1 compares before it looks for duplicates, so this goes through resolve.
	if seq, err := b.AppendLedger(ctx, 2, "r-3", []byte{2}); err != nil || seq != 3 {
		t.Errorf("repeat of the last append: %d, %v; want 3", seq, err)
	}
	if seq, err := b.AppendLedger(ctx, 0, "r-1", []byte{0}); err != nil || seq != 1 {
		t.Errorf("repeat of an older append: %d, %v; want 1", seq, err)
	}
	var pe *PublishError
	if _, err := b.AppendLedger(ctx, 1, "other", nil); !errors.Is(err, ErrLostRace) || !errors.As(err, &pe) || pe.Ambiguous {
		t.Errorf("append where r-2 stands: %v; want ErrLostRace", err)
	}
	if _, err := b.AppendLedger(ctx, 3, "r-1", nil); !errors.Is(err, ErrLostRace) {
		t.Errorf("an id used before, at the end: %v; want ErrLostRace", err)
	}
	if last, err := b.LedgerLast(ctx); err != nil || last != 3 {
		t.Errorf("ledger ends at %d, %v; want 3", last, err)
	}
}

func TestAppendBeyondTheEnd(t *testing.T) {
	b := openEmbedded(t)
	if _, err := b.AppendLedger(testContext(t), 7, "r", nil); !errors.Is(err, ErrGap) {
		t.Fatalf("append behind 7 on an empty ledger: %v; want ErrGap", err)
	}
}

func TestAppendersRace(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	const writers, each = 4, 50
	acked := race(ctx, t, writers, each, func(int) *Bus { return b })
	checkLedger(t, b, acked, writers*each)
}

// race lets writers append, each refreshing its view after a lost race, and
// returns the acked sequence of every id.
func race(ctx context.Context, t *testing.T, writers, each int, bus func(writer int) *Bus) map[string]uint64 {
	t.Helper()
	var mu sync.Mutex
	acked := map[string]uint64{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			b := bus(w)
			last := uint64(0)
			for i := 0; i < each; {
				// An id belongs to one try at one place, as a ledger record's does.
				id := fmt.Sprintf("w%d-%d-behind-%d", w, i, last)
				seq, err := b.AppendLedger(ctx, last, id, []byte(id))
				switch {
				case err == nil:
					mu.Lock()
					acked[id] = seq
					mu.Unlock()
					last, i = seq, i+1
				case errors.Is(err, ErrLostRace):
					if last, err = b.LedgerLast(ctx); err != nil {
						t.Errorf("writer %d: %v", w, err)
						return
					}
				default:
					t.Errorf("writer %d behind %d: %v", w, last, err)
					return
				}
			}
		})
	}
	wg.Wait()
	return acked
}

// checkLedger reads the ledger and demands exactly the acked records, each at
// its acked place.
func checkLedger(t *testing.T, b *Bus, acked map[string]uint64, want int) {
	t.Helper()
	if len(acked) != want {
		t.Fatalf("%d appends were acked, want %d", len(acked), want)
	}
	last, err := b.LedgerLast(testContext(t))
	if err != nil || last != uint64(want) {
		t.Fatalf("ledger ends at %d, %v; want %d", last, err, want)
	}
	r, err := b.Ledger(testContext(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range readTo(t, r, last) {
		if seq, ok := acked[m.ID]; !ok || seq != m.Seq {
			t.Errorf("record %d has id %s, acked at %d (%t)", m.Seq, m.ID, seq, ok)
		}
		delete(acked, m.ID)
	}
	if len(acked) > 0 {
		t.Errorf("%d acked records are not there: %v", len(acked), acked)
	}
}

func TestLedgerCannotBeCut(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	if _, err := b.AppendLedger(ctx, 0, "r-1", nil); err != nil {
		t.Fatal(err)
	}
	if err := b.streams[StreamLedger].Purge(ctx); err == nil {
		t.Error("purged")
	}
	if err := b.streams[StreamLedger].DeleteMsg(ctx, 1); err == nil {
		t.Error("deleted")
	}
}

// The answer to a publish is lost after the server stored the message: the
// client cannot tell, and must find out.
func TestLostAnswers(t *testing.T) {
	p := startProxy(t, startServers(t, 1)[0].addr)
	for name, test := range map[string]struct {
		answer string
		do     func(ctx context.Context, b *Bus) error
	}{
		"append": {`"stream":"LEDGER"`, func(ctx context.Context, b *Bus) error {
			seq, err := b.AppendLedger(ctx, 0, "r-1", []byte("x"))
			if err == nil && seq != 1 {
				return fmt.Errorf("sequence %d, want 1", seq)
			}
			last, lerr := b.LedgerLast(ctx)
			if last != 1 {
				err = errors.Join(err, fmt.Errorf("ledger ends at %d, want 1: stored twice or not at all", last))
			}
			return errors.Join(err, lerr)
		}},
		"inbox": {`"stream":"INBOX"`, func(ctx context.Context, b *Bus) error {
			seq, err := b.PublishInbox(ctx, "delivery", "d-1", []byte("x"))
			if err == nil && seq != 1 {
				return fmt.Errorf("sequence %d, want 1", seq)
			}
			return err
		}},
		"claim": {`"stream":"KV_CLAIMS"`, func(ctx context.Context, b *Bus) error {
			if _, err := b.Claims(defaultGroup).Create(ctx, "task", []byte("me")); err != nil {
				return err
			}
			if _, err := b.Claims(defaultGroup).Create(ctx, "task", []byte("me")); !errors.Is(err, ErrExists) {
				return fmt.Errorf("a second claim of the same content: %w; want ErrExists", err)
			}
			return nil
		}},
		"claim update": {`"stream":"KV_CLAIMS"`, func(ctx context.Context, b *Bus) error {
			_, rev, err := b.Claims(defaultGroup).Get(ctx, "updated")
			if err != nil {
				return err
			}
			_, err = b.Claims(defaultGroup).Update(ctx, "updated", []byte("done"), rev)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := openIn(t, Config{URL: p.url(), MaxStore: 1 << 30})
			ctx := testContext(t)
			if name == "claim update" {
				if _, err := b.Claims(defaultGroup).Create(ctx, "updated", nil); err != nil {
					t.Fatal(err)
				}
			}
			cut := p.cutAt(test.answer)
			if err := test.do(ctx, b); err != nil {
				t.Fatal(err)
			}
			select {
			case <-cut:
			default:
				t.Fatal("the answer was not lost; the test shows nothing")
			}
		})
	}
}

// Without a connection until its context ends, a publish says what it knows.
func TestUnansweredPublishIsAmbiguous(t *testing.T) {
	p := startProxy(t, startServers(t, 1)[0].addr)
	b := openIn(t, Config{URL: p.url(), MaxStore: 1 << 30})
	p.cutAt(`"stream":"LEDGER"`)
	p.refuseNew()
	ctx, cancel := context.WithTimeout(testContext(t), time.Second)
	defer cancel()
	_, err := b.AppendLedger(ctx, 0, "r-1", nil)
	var pe *PublishError
	if !errors.As(err, &pe) || !pe.Ambiguous || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("answer lost, no connection: %v; want an ambiguous PublishError", err)
	}
	if err := b.Health(testContext(t)); !errors.Is(err, nats.ErrDisconnected) {
		t.Errorf("health: %v; want ErrDisconnected", err)
	}
	ctx, cancel = context.WithTimeout(testContext(t), 300*time.Millisecond)
	defer cancel()
	if _, err = b.PublishInbox(ctx, "delivery", "d", nil); !errors.As(err, &pe) || pe.Ambiguous {
		t.Fatalf("never sent: %v; want an unambiguous PublishError", err)
	}
	p.acceptAgain()
	// The same append now learns that it had succeeded.
	if seq, err := b.AppendLedger(testContext(t), 0, "r-1", nil); err != nil || seq != 1 {
		t.Fatalf("repeated: %d, %v; want 1", seq, err)
	}
}
