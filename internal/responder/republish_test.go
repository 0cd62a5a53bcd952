package responder_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/bus"
)

// deadEnd never gets a task into WORK, and says when it was asked to.
type deadEnd struct {
	*bus.Bus
	asked chan struct{}
}

func (b *deadEnd) PublishWork(context.Context, string, string, string, []byte) error {
	select {
	case b.asked <- struct{}{}:
	default:
	}
	return errors.New("WORK is out of reach")
}

// TestATaskWhoseLeaderDiedBeforePublishingItIsPublished: the record that issues
// it stands in the ledger, and WORK is derived from there.
func TestATaskWhoseLeaderDiedBeforePublishingItIsPublished(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	dying := &deadEnd{Bus: b, asked: make(chan struct{}, 1)}
	one, stop := startOn(t, dying, "one", "v1", 1000)
	if _, err := one.Submit(t.Context(), "test", firing(1)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-dying.asked:
	case <-time.After(20 * time.Second):
		t.Fatal("no task was issued")
	}
	stop()
	start(t, b, "two", "v1", 1000)
	if task := nextTask(t, b); task.Target.Name != "service-1" {
		t.Errorf("task %+v", task)
	}
}
