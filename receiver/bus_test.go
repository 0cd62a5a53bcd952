package receiver_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/receiver"
)

var _ receiver.Publisher = (*bus.Bus)(nil)

func openBus(t testing.TB) *bus.Bus {
	t.Helper()
	b, err := bus.Open(context.Background(), bus.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close the bus: %v", err)
		}
	})
	return b
}

// Through the real bus: every 202 can be read from INBOX, a storm in groups,
// and a body that could not be read can be read from quarantine.
func TestOnTheEmbeddedBus(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	r := start(t, b, nil)
	var wg sync.WaitGroup
	const senders, each = 16, 10
	for sender := range senders {
		wg.Go(func() {
			for i := range each {
				text := `{"alerts":[` + element(sender*each+i, "") + `]}`
				got, err := r.try(http.MethodPost, "/v1/webhooks/am", strings.NewReader(text))
				if err != nil || got.status != 202 {
					t.Errorf("%d %s %v", got.status, got.body, err)
				}
			}
		})
	}
	wg.Wait()
	if got := r.post(t, "am", body(10_000, strings.Repeat("z", 500))); got.status != 202 {
		t.Errorf("10,000 alerts: %d %s", got.status, got.body)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	last, err := b.InboxLast(ctx)
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := b.Inbox(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer inbox.Close()
	alerts, deliveries := map[string]bool{}, map[string]bool{}
	for seq := uint64(0); seq < last; {
		m, err := inbox.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		seq = m.Seq
		for _, d := range parseLines(t, m.Data) {
			deliveries[d.ID] = true
			for _, a := range d.Alerts {
				alerts[a.Labels["instance"]] = true
			}
		}
	}
	if len(deliveries) != senders*each+1 || len(alerts) != 10_000 {
		t.Errorf("%d deliveries, %d alerts in INBOX", len(deliveries), len(alerts))
	}
	t.Logf("%d deliveries in %d messages", len(deliveries), last)

	large := `{"alerts":[` + strings.Repeat(" ", 9<<20)
	got := r.post(t, "am", large)
	if got.status != 400 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	last, err = b.QuarantineLast(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var whole strings.Builder
	for seq := uint64(1); seq <= last; seq++ {
		m, err := b.QuarantineAt(ctx, seq)
		if err != nil {
			t.Fatal(err)
		}
		if last > 1 && m.Meta["Paramedic-Part"] != strconv.FormatUint(seq-1, 10) {
			t.Errorf("headers %v", m.Meta)
		}
		whole.Write(m.Data)
	}
	if whole.String() != large {
		t.Errorf("%d of %d bytes in quarantine", whole.Len(), len(large))
	}
}

// A bus that is gone is a 503, not a lie and not a wait.
func TestAClosedBusIs503(t *testing.T) {
	t.Parallel()
	b, err := bus.Open(context.Background(), bus.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, b, func(o *receiver.Options) { o.PublishTimeout = 500 * time.Millisecond })
	if got := r.post(t, "am", body(1, "")); got.status != 202 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := r.post(t, "am", body(1, "")); got.status != 503 {
		t.Errorf("%d %s", got.status, got.body)
	}
}
