package responder_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/responder"
)

// tightBus takes small messages only, and fails every fifth append.
type tightBus struct {
	*bus.Bus
	appends atomic.Int64
}

func (b *tightBus) MaxMessage() int { return 6 << 10 }

func (b *tightBus) AppendLedger(ctx context.Context, last uint64, id string, data []byte) (uint64, error) {
	if len(data) > b.MaxMessage() {
		return 0, fmt.Errorf("a record of %d bytes: %w", len(data), bus.ErrTooLarge)
	}
	if b.appends.Add(1)%5 == 0 {
		return 0, errors.New("the disk went away for a moment")
	}
	return b.Bus.AppendLedger(ctx, last, id, data)
}

// TestADecisionLargerThanAMessage puts many lines of many alerts into one
// message of INBOX, and has the ledger fail again and again on the way.
func TestADecisionLargerThanAMessage(t *testing.T) {
	t.Parallel()
	const lines, each = 6, 10
	b := &tightBus{Bus: openBus(t)}
	r, _ := startOn(t, b, "one", "v1", 4)
	var message []string
	for line := range lines {
		d := alert.Delivery{ID: fmt.Sprintf("d%d", line), Source: "am", ReceivedAt: time.Now()}
		for i := range each {
			d.Alerts = append(d.Alerts, firing(line*each+i).Delivery.Alerts...)
		}
		text, err := json.Marshal(engine.Input{Delivery: &d})
		if err != nil {
			t.Fatal(err)
		}
		message = append(message, string(text))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seq, err := b.PublishInbox(ctx, "delivery", "split", []byte(strings.Join(message, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Decided(ctx, seq); err != nil {
		t.Fatal(err)
	}
	fold := refold(t, b.Bus)
	runs := map[string]int{}
	for _, run := range fold.State.Runs {
		runs[run.Stated.Name]++
	}
	for n := range lines * each {
		if name := fmt.Sprintf("service-%d", n); runs[name] != 1 {
			t.Errorf("%s has %d runs, want one", name, runs[name])
		}
	}
	if fold.Seq < 5 {
		t.Errorf("all of it in %d records: nothing was split", fold.Seq)
	}
}

var _ responder.Bus = (*tightBus)(nil)
