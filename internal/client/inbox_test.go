package client_test

import (
	"errors"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/internal/web/webtest"
)

func TestInboxHandsOverWhatWasRecorded(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	c := connect(t, w.URL, "")
	w.Fire(webtest.Auto, "one")
	w.Plan()
	deliveries, results, last := 0, 0, uint64(0)
	err := c.Inbox(t.Context(), 1, func(in api.RecordedInput) error {
		line, err := engine.UnmarshalLine(in.Input)
		if err != nil {
			return err
		}
		if line.Delivery != nil {
			deliveries++
		}
		if line.Result != nil {
			results++
		}
		last = in.Sequence
		return nil
	})
	if err != nil || deliveries != 1 || results != 1 || last < 3 {
		t.Fatalf("%d deliveries, %d results, up to %d: %v", deliveries, results, last, err)
	}
	enough := errors.New("enough")
	if err := c.Inbox(t.Context(), 2, func(in api.RecordedInput) error {
		if in.Sequence < 2 {
			t.Errorf("input %d came", in.Sequence)
		}
		return enough
	}); !errors.Is(err, enough) {
		t.Errorf("the taker's error came as %v", err)
	}
}
