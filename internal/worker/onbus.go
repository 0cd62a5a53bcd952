package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/tripgen/paramedic/internal/bus"
)

// OnBus are the ports of a worker that takes its tasks from q. Before it has a
// task that changes anything, its group's claims must be there.
func OnBus(b *bus.Bus, q *bus.WorkQueue) Ports {
	return Ports{Queue: busQueue{q}, Claims: busClaims{b.Claims(q.Group())}, Pauses: b.Pauses(), Publisher: b}
}

type busQueue struct{ *bus.WorkQueue }

func (q busQueue) Next(ctx context.Context) (Job, error) {
	j, err := q.WorkQueue.Next(ctx)
	if err != nil {
		return nil, fmt.Errorf("work: %w", err)
	}
	return busJob{j}, nil
}

type busJob struct{ *bus.Job }

func (j busJob) Subject() string    { return j.Job.Subject }
func (j busJob) Data() []byte       { return j.Job.Data }
func (j busJob) Deliveries() uint64 { return j.Job.Deliveries }

type busClaims struct{ *bus.Claims }

func (c busClaims) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	value, revision, err := c.Claims.Get(ctx, key)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, 0, ErrNoClaim
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read claim: %w", err)
	}
	return value, revision, nil
}
