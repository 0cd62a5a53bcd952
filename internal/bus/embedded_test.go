package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"
)

// testContext bounds a test so that a wait for what never comes fails it.
func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// logTo passes the bus's log to the test.
func logTo(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func openIn(t testing.TB, c Config) *Bus {
	t.Helper()
	if c.Logger == nil {
		c.Logger = logTo(t)
	}
	b, err := Open(testContext(t), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeBus(t, b) })
	return b
}

func closeBus(t testing.TB, b *Bus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

func openEmbedded(t testing.TB) *Bus {
	t.Helper()
	return openIn(t, Config{Dir: t.TempDir(), MaxStore: 1 << 30})
}

func publishInbox(t testing.TB, b *Bus, n int) {
	t.Helper()
	for i := range n {
		if _, err := b.PublishInbox(testContext(t), "delivery", fmt.Sprintf("in-%d-%d", time.Now().UnixNano(), i), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
}

func readInbox(t testing.TB, b *Bus, from, to uint64) []Msg {
	t.Helper()
	r, err := b.Inbox(testContext(t), from)
	if err != nil {
		t.Fatal(err)
	}
	return readTo(t, r, to)
}

// readTo reads until the message with sequence to.
func readTo(t testing.TB, r *Reader, to uint64) []Msg {
	t.Helper()
	defer r.Close()
	var out []Msg
	for {
		m, err := r.Next(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
		if m.Seq >= to {
			return out
		}
	}
}

func TestInboxSurvivesARestart(t *testing.T) {
	ctx, dir := testContext(t), t.TempDir()
	b := openIn(t, Config{Dir: dir, MaxStore: 1 << 30})
	seq, err := b.PublishInbox(ctx, "delivery.alertmanager", "op-1", []byte("one"))
	if err != nil || seq != 1 {
		t.Fatalf("first publish: sequence %d, %v", seq, err)
	}
	if seq, err = b.PublishInbox(ctx, "delivery.alertmanager", "op-1", []byte("one")); err != nil || seq != 1 {
		t.Fatalf("repeat of the same operation: sequence %d, %v; want 1", seq, err)
	}
	if _, err = b.PublishInbox(ctx, "result", "op-2", []byte("two")); err != nil {
		t.Fatal(err)
	}
	closeBus(t, b)

	b = openIn(t, Config{Dir: dir, MaxStore: 1 << 30})
	if last, err := b.InboxLast(ctx); err != nil || last != 2 {
		t.Fatalf("last is %d, %v; want 2", last, err)
	}
	got := readInbox(t, b, 1, 2)
	if len(got) != 2 || string(got[0].Data) != "one" || got[0].ID != "op-1" ||
		got[0].Subject != "inbox.delivery.alertmanager" || got[1].Seq != 2 || got[1].Time.IsZero() {
		t.Fatalf("read %+v", got)
	}
	if got := readInbox(t, b, 2, 2); len(got) != 1 || got[0].ID != "op-2" {
		t.Fatalf("read from 2: %+v", got)
	}
}

func TestStreamsKeepTheirShapeOnReopen(t *testing.T) {
	ctx, dir := testContext(t), t.TempDir()
	b := openIn(t, Config{Dir: dir, MaxStore: 1 << 30})
	if _, err := b.AppendLedger(ctx, 0, "r-1", make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	closeBus(t, b)
	for _, store := range []int64{2 << 30, 128 << 20} { // a larger and a smaller disk
		b = openIn(t, Config{Dir: dir, MaxStore: store})
		for name := range b.streams {
			info, err := b.info(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			if info.Config.AllowDirect {
				t.Errorf("%s: direct gets are on, and may be stale", name)
			}
		}
		if last, err := b.LedgerLast(ctx); err != nil || last != 1 {
			t.Fatalf("MaxStore %d: ledger ends at %d, %v; want 1", store, last, err)
		}
		if err := b.Health(ctx); err != nil {
			t.Fatalf("MaxStore %d: %v", store, err)
		}
		closeBus(t, b)
	}
}

func TestOpenRefuses(t *testing.T) {
	ctx := testContext(t)
	inUse := t.TempDir()
	openIn(t, Config{Dir: inUse, MaxStore: 1 << 30})
	for name, c := range map[string]Config{
		"nothing configured":   {},
		"replicas on one":      {Dir: t.TempDir(), Replicas: 3},
		"store too small":      {Dir: t.TempDir(), MaxStore: 1 << 20},
		"store above the disk": {Dir: t.TempDir(), MaxStore: 1 << 60},
		"directory in use":     {Dir: inUse, MaxStore: 1 << 30},
		"negative retention":   {Dir: t.TempDir(), InboxRetention: -1},
		"nobody listens":       {URL: "nats://127.0.0.1:1"},
		"missing credentials":  {URL: "nats://127.0.0.1:1", Credentials: "does-not-exist.creds"},
	} {
		t.Run(name, func(t *testing.T) {
			if b, err := Open(ctx, c); err == nil {
				closeBus(t, b)
				t.Fatal("opened")
			}
		})
	}
}

func TestDefaultStoreIsBelowTheDisk(t *testing.T) {
	b := openIn(t, Config{Dir: t.TempDir()})
	free, err := diskFree(b.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if b.cfg.MaxStore >= free || b.cfg.MaxStore < minMaxStore {
		t.Fatalf("MaxStore is %d with %d free", b.cfg.MaxStore, free)
	}
}

func TestNothingWorksAfterClose(t *testing.T) {
	ctx := testContext(t)
	b := openEmbedded(t)
	publishInbox(t, b, 1)
	r, err := b.Inbox(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	closeBus(t, b)
	closeBus(t, b)
	var pe *PublishError
	if _, err := b.PublishInbox(ctx, "delivery", "late", nil); !errors.Is(err, ErrClosed) || !errors.As(err, &pe) || pe.Ambiguous {
		t.Errorf("publish: %v", err)
	}
	if _, err := b.AppendLedger(ctx, 0, "late", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if _, err := r.Next(ctx); !errors.Is(err, ErrClosed) {
		t.Errorf("read: %v", err)
	}
	if err := b.Health(ctx); !errors.Is(err, ErrClosed) {
		t.Errorf("health: %v", err)
	}
}

func TestPublishRefusesWhatCannotBeStored(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	for name, f := range map[string]func() error{
		"no id":       func() error { _, err := b.PublishInbox(ctx, "delivery", "", nil); return err },
		"id breaks":   func() error { _, err := b.PublishInbox(ctx, "delivery", "a\r\nb", nil); return err },
		"wildcard":    func() error { _, err := b.PublishInbox(ctx, "delivery.>", "id", nil); return err },
		"empty kind":  func() error { _, err := b.PublishInbox(ctx, "", "id", nil); return err },
		"group dots":  func() error { return b.PublishWork(ctx, "a.b", "restart", "id", nil) },
		"action end":  func() error { return b.PublishWork(ctx, "a", "restart.", "id", nil) },
		"source star": func() error { _, err := b.PublishQuarantine(ctx, "*", "id", nil, nil); return err },
	} {
		if err := f(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	var pe *PublishError
	_, err := b.PublishInbox(ctx, "delivery", "large", make([]byte, b.MaxMessage()+1))
	if !errors.Is(err, ErrTooLarge) || !errors.As(err, &pe) || pe.Ambiguous {
		t.Errorf("too large: %v", err)
	}
	if _, err := b.PublishInbox(ctx, "delivery", "fits", make([]byte, b.MaxMessage())); err != nil {
		t.Errorf("MaxMessage itself: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := b.PublishInbox(ended, "delivery", "ended", nil); !errors.As(err, &pe) || pe.Ambiguous || !errors.Is(err, context.Canceled) {
		t.Errorf("context ended before: %v", err)
	}
}

func TestFullStoreIsACleanError(t *testing.T) {
	ctx := testContext(t)
	b := openIn(t, Config{Dir: t.TempDir(), MaxStore: minMaxStore})
	if err := b.Health(ctx); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 4<<20)
	var stored int
	for i := 0; ; i++ {
		_, err := b.PublishInbox(ctx, "delivery", fmt.Sprintf("fill-%d", i), data)
		if err == nil {
			stored++
			continue
		}
		var pe *PublishError
		if !errors.Is(err, ErrFull) || !errors.As(err, &pe) || pe.Ambiguous {
			t.Fatalf("after %d: %v; want an unambiguous ErrFull", stored, err)
		}
		break
	}
	if err := b.Health(ctx); !errors.Is(err, ErrFull) {
		t.Errorf("health: %v; want ErrFull", err)
	}
	// Full of undecided messages: none is dropped, and trimming frees nothing.
	if err := b.TrimInbox(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if got := readInbox(t, b, 1, uint64(stored)); len(got) != stored {
		t.Fatalf("%d of %d messages are left", len(got), stored)
	}
	// The ledger has room of its own, so deciding goes on; then there is room again.
	if _, err := b.AppendLedger(ctx, 0, "decided", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := b.TrimInbox(ctx, uint64(stored)); err != nil {
		t.Fatal(err)
	}
	if err := b.Health(ctx); err != nil {
		t.Errorf("health after trimming: %v", err)
	}
	if _, err := b.PublishInbox(ctx, "delivery", "again", data); err != nil {
		t.Errorf("publish after trimming: %v", err)
	}
}

func TestHealthNeedsEveryStream(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	if err := b.Health(ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.js.DeleteStream(ctx, StreamWork); err != nil {
		t.Fatal(err)
	}
	if err := b.Health(ctx); err == nil {
		t.Fatal("healthy without WORK")
	}
}

func TestHookPassesEveryPoint(t *testing.T) {
	ctx := testContext(t)
	var points []string
	b := openIn(t, Config{Dir: t.TempDir(), MaxStore: 1 << 30, Hook: func(p string) { points = append(points, p) }})
	publishInbox(t, b, 1)
	if _, err := b.AppendLedger(ctx, 0, "r", nil); err != nil {
		t.Fatal(err)
	}
	if err := b.PublishWork(ctx, "g", "a", "t", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Claims(defaultGroup).Create(ctx, "t", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Claims(defaultGroup).Create(ctx, "t", nil); !errors.Is(err, ErrExists) {
		t.Fatal(err)
	}
	want := "[inbox.publish.before inbox.publish.after ledger.append.before ledger.append.after " +
		"work.publish.before work.publish.after claim.before claim.after claim.before]"
	if got := fmt.Sprint(points); got != want {
		t.Errorf("points\n got %s\nwant %s", got, want)
	}
}
