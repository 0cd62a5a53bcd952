package receiver_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
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
	alerts, deliveries := map[string]bool{}, map[string]bool{}
	for _, d := range inboxOf(t, b) {
		deliveries[d.ID] = true
		for _, a := range d.Alerts {
			alerts[a.Labels["instance"]] = true
		}
	}
	if len(deliveries) != senders*each+1 || len(alerts) != 10_000 {
		t.Errorf("%d deliveries, %d alerts in INBOX", len(deliveries), len(alerts))
	}

	large := `{"alerts":[` + strings.Repeat(" ", 9<<20)
	got := r.post(t, "am", large)
	if got.status != 400 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if k := findKept(t, b, fmt.Sprint(got.problem(t)["quarantine"])); k.Source != "am" || string(k.Body) != large {
		t.Errorf("%d of %d bytes in quarantine of %s", len(k.Body), len(large), k.Source)
	}
}

// inboxOf reads INBOX to its end.
func inboxOf(t *testing.T, b *bus.Bus) []alert.Delivery {
	t.Helper()
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
	var all []alert.Delivery
	for seq := uint64(0); seq < last; {
		m, err := inbox.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		seq = m.Seq
		all = append(all, parseLines(t, m.Data)...)
	}
	t.Logf("%d deliveries in %d messages", len(all), last)
	return all
}

// findKept reads a body from quarantine.
func findKept(t *testing.T, b *bus.Bus, id string) receiver.Kept {
	t.Helper()
	found, err := b.QuarantineFind(t.Context(), id)
	if err != nil || len(found) != 1 {
		t.Fatalf("%q: %+v, %v", id, found, err)
	}
	body, err := b.QuarantineBody(t.Context(), found[0])
	if err != nil {
		t.Fatal(err)
	}
	return receiver.Kept{ID: found[0].ID, Source: found[0].Source, Headers: found[0].Headers, Body: body}
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
