package bus

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// breakConsumer deletes the reader's cursor on the server, if it is still there.
func breakConsumer(t *testing.T, r *Reader) {
	t.Helper()
	if err := r.b.js.DeleteConsumer(testContext(t), r.o.stream, r.c.name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		t.Fatal(err)
	}
}

func TestReaderRepairsItsConsumer(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	const n = 3 * readBatch
	publishMany(t, b, n)
	r, err := b.Inbox(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Pending() != n || r.CaughtUp() {
		t.Errorf("pending %d before the first, caught up %t", r.Pending(), r.CaughtUp())
	}
	for want := uint64(1); want <= n; want++ {
		switch want {
		case 10, 2000, n:
			breakConsumer(t, r)
		case 3000: // a message was lost on its way
			if _, err := r.receive(ctx, true); err != nil {
				t.Fatal(err)
			}
		}
		m, err := r.Next(ctx)
		if err != nil || m.Seq != want {
			t.Fatalf("got %d, %v; want %d", m.Seq, err, want)
		}
	}
	if !r.CaughtUp() || r.NextSeq() != n+1 {
		t.Errorf("at the end: pending %d, next %d", r.Pending(), r.NextSeq())
	}
	breakConsumer(t, r)
	publishInbox(t, b, 1)
	if m, err := r.Next(ctx); err != nil || m.Seq != n+1 {
		t.Fatalf("live after a break: %d, %v", m.Seq, err)
	}
}

// publishMany fills INBOX without waiting for each.
func publishMany(t testing.TB, b *Bus, n int) {
	t.Helper()
	data := make([]byte, 100)
	for i := range n {
		for {
			_, err := b.js.PublishAsync("inbox.fill", data, jetstream.WithMsgID(fmt.Sprintf("fill-%d", i)), jetstream.WithStallWait(10*time.Second))
			if err == nil {
				break
			}
			if !errors.Is(err, jetstream.ErrTooManyStalledMsgs) {
				t.Fatal(err)
			}
		}
	}
	select {
	case <-b.js.PublishAsyncComplete():
	case <-testContext(t).Done():
		t.Fatal("publishing takes too long")
	}
	if last, err := b.InboxLast(testContext(t)); err != nil || last != uint64(n) {
		t.Fatalf("INBOX ends at %d, %v; want %d", last, err, n)
	}
}

func TestReaderWaitsForItsPlace(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	publishInbox(t, b, 2)
	r, err := b.Inbox(ctx, 5) // beyond the end: what comes before is not for us
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	publishInbox(t, b, 4)
	for want := uint64(5); want <= 6; want++ {
		if m, err := r.Next(ctx); err != nil || m.Seq != want {
			t.Fatalf("got %d, %v; want %d", m.Seq, err, want)
		}
	}
}

func TestReaderBatches(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	publishMany(t, b, 100)
	r, err := b.Inbox(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var next uint64 = 1
	for next <= 100 {
		batch, err := r.NextBatch(ctx, 7)
		if err != nil || len(batch) == 0 || len(batch) > 7 {
			t.Fatalf("%d messages, %v", len(batch), err)
		}
		for _, m := range batch {
			if m.Seq != next {
				t.Fatalf("got %d, want %d", m.Seq, next)
			}
			next++
		}
	}
}

func TestTrimmedInboxStartsLater(t *testing.T) {
	ctx := testContext(t)
	b := openIn(t, Config{Dir: t.TempDir(), MaxStore: 1 << 30, InboxRetention: time.Nanosecond})
	publishInbox(t, b, 10)
	r, err := b.Inbox(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := b.TrimInbox(ctx, 11); err == nil {
		t.Error("trimmed beyond the end")
	}
	if err := b.TrimInbox(ctx, 6); err != nil {
		t.Fatal(err)
	}
	if got := readInbox(t, b, 3, 10); got[0].Seq != 7 {
		t.Errorf("reading from 3 begins at %d, want 7", got[0].Seq)
	}
	if m, err := r.Next(ctx); err != nil || m.Seq != 7 {
		t.Errorf("a reader at 1 continues at %d, %v; want 7", m.Seq, err)
	}
	for _, decided := range []uint64{0, 3, 6} {
		if err := b.TrimInbox(ctx, decided); err != nil {
			t.Errorf("trim %d again: %v", decided, err)
		}
	}
	if err := b.TrimInbox(ctx, 10); err != nil {
		t.Fatal(err)
	}
	if last, err := b.InboxLast(ctx); err != nil || last != 10 {
		t.Errorf("last of the emptied INBOX is %d, %v; want 10", last, err)
	}
}

func TestTrimKeepsWhatIsYoung(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	publishInbox(t, b, 10)
	if err := b.TrimInbox(ctx, 10); err != nil {
		t.Fatal(err)
	}
	if got := readInbox(t, b, 1, 10); len(got) != 10 {
		t.Errorf("%d messages are left, want 10", len(got))
	}
	m, err := b.get(ctx, StreamInbox, 4)
	if err != nil {
		t.Fatal(err)
	}
	for want, at := range map[uint64]time.Time{
		1: m.Time.Add(-time.Hour), 4: m.Time, 5: m.Time.Add(1), 11: m.Time.Add(time.Hour),
	} {
		if got, err := b.firstSince(ctx, 1, 10, at); err != nil || got != want {
			t.Errorf("first since %s is %d, %v; want %d", at, got, err, want)
		}
	}
}

// A ledger with a hole was damaged; concluding from the rest would be wrong.
func TestLedgerGapIsAnError(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	// LEDGER itself cannot be cut, so a copy without its protection stands in.
	r := &Reader{b: b, o: readerOptions{stream: "COPY"}, next: 1, wait: backoffMin}
	if _, err := b.js.CreateStream(ctx, jetstream.StreamConfig{Name: "COPY", Subjects: []string{"copy"}}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := b.js.Publish(ctx, "copy", nil); err != nil {
			t.Fatal(err)
		}
	}
	s, err := b.js.Stream(ctx, "COPY")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if m, err := r.Next(ctx); err != nil || m.Seq != 1 {
		t.Fatalf("first: %d, %v", m.Seq, err)
	}
	if m, err := r.Next(ctx); !errors.Is(err, ErrGap) {
		t.Fatalf("got %d, %v; want ErrGap", m.Seq, err)
	}
}

func TestParseDelivery(t *testing.T) {
	at := time.Unix(0, 1700000000123456789)
	want := delivery{deliveries: 2, streamSeq: 30, consumerSeq: 4, pending: 5, stored: at}
	for _, reply := range []string{
		"$JS.ACK.WORK.c.2.30.4.1700000000123456789.5",
		"$JS.ACK.hub.ACCHASH.WORK.c.2.30.4.1700000000123456789.5",
		"$JS.ACK._.ACCHASH.WORK.c.2.30.4.1700000000123456789.5.token",
	} {
		if got, err := parseDelivery(reply); err != nil || got != want {
			t.Errorf("%s: %+v, %v", reply, got, err)
		}
	}
	for _, reply := range []string{"", "_INBOX.x", "$JS.ACK.WORK.c.2.30.4.17.x", "$JS.ACK.a.b.1.2.3.4.5.6", "........"} {
		if got, err := parseDelivery(reply); err == nil {
			t.Errorf("%s: %+v", reply, got)
		}
	}
}

func FuzzParseDelivery(f *testing.F) {
	f.Add("$JS.ACK.WORK.c.2.30.4.1700000000123456789.5")
	f.Fuzz(func(_ *testing.T, s string) { _, _ = parseDelivery(s) })
}

func FuzzKey(f *testing.F) {
	for _, s := range []string{"all", "rule/x", "target/kubernetes/korea/production/Deployment/profile-service", "a.b", ".", "*", ">", "=41", "é", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := encodeKey(s)
		if s == "" || len(s) > 1024 {
			if err == nil {
				t.Fatal("accepted")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(key) {
			if !plain(key[i]) && key[i] != '=' {
				t.Fatalf("%q encodes to %q, which is no single token", s, key)
			}
		}
		if back, err := decodeKey(key); err != nil || back != s {
			t.Fatalf("%q came back as %q, %v", s, back, err)
		}
	})
}
