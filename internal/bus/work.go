package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	workExpires   = 30 * time.Second
	workHeartbeat = 2 * time.Second
	workSilence   = 5 * workHeartbeat / 2
	// Delayed retries count as pending; this many may wait at once.
	workMaxPending = 20000
	// strangeDelay is for how long a worker leaves a task to others of its
	// group when it does not know the action.
	strangeDelay = time.Second
)

// PublishWork stores a task on work.<group>.<action>. Its id is the task's;
// repeating it is safe: a repeat is dropped for two minutes, and later it is
// delivered again, which the task's claim makes harmless.
func (b *Bus) PublishWork(ctx context.Context, group, action, taskID string, data []byte) error {
	if err := checkWork(group, action); err != nil {
		return err
	}
	b.hook("work.publish.before")
	o := outgoing{stream: StreamWork, subject: "work." + group + "." + action, id: taskID, data: data}
	if _, err := b.publish(ctx, o); err != nil {
		return err
	}
	b.hook("work.publish.after")
	return nil
}

// WorkQueue takes the tasks of one worker group, one at a time for each call of
// Next. All workers of the group share one consumer on the server, named like
// the group; a worker in another language pulls from the same, one message a
// request.
//
// One consumer, rather than one for each action: asking several at once for one
// job means withdrawing from the others, and across a cluster a job that is on
// its way at that moment is lost until its ack time has passed.
type WorkQueue struct {
	b       *Bus
	group   string
	actions []string
	ackWait time.Duration
}

// Work opens the queue of a group. A task whose action is not among actions is
// left to the others of the group, as while a new version is rolled out. A task
// that is neither answered nor kept alive by Job.InProgress within ackWait is
// delivered again, as often as it takes; whoever opened the queue last sets the
// ackWait of all. A bus that has joined takes it as the hub has set it.
func (b *Bus) Work(ctx context.Context, group string, actions []string, ackWait time.Duration) (*WorkQueue, error) {
	if len(actions) == 0 {
		return nil, fmt.Errorf("work of group %q: no actions", group)
	}
	if ackWait <= 0 {
		return nil, fmt.Errorf("work of group %q: ack wait is %s: want a positive duration", group, ackWait)
	}
	for _, a := range actions {
		if err := checkWork(group, a); err != nil {
			return nil, err
		}
	}
	q := &WorkQueue{b: b, group: group, actions: slices.Clone(actions), ackWait: ackWait}
	var err error
	if q.ackWait, err = q.ensure(ctx); err != nil {
		return nil, err
	}
	return q, nil
}

// ensure makes the consumer, or finds it, and returns its ack wait.
func (q *WorkQueue) ensure(ctx context.Context) (time.Duration, error) {
	if q.b.cfg.Join == "" {
		return q.ackWait, q.b.EnsureWork(ctx, q.group, q.ackWait)
	}
	return q.b.boundWork(ctx, q.group)
}

// Group is the worker group whose tasks these are.
func (q *WorkQueue) Group() string { return q.group }

// AckWait is after how long without an answer a task is delivered again, as the
// queue was opened.
func (q *WorkQueue) AckWait() time.Duration { return q.ackWait }

// Next waits for a job until ctx ends. It may be called by several goroutines,
// and nothing is fetched ahead of them.
func (q *WorkQueue) Next(ctx context.Context) (*Job, error) {
	for wait := backoffMin; ; {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("next job: %w", err)
		}
		job, err := q.take(ctx)
		switch {
		case err == nil && slices.Contains(q.actions, job.Action):
			return job, nil
		case err == nil:
			q.b.log.Warn("bus has a task of an action that this worker does not know; it is left to others",
				"group", q.group, "action", job.Action, "task", job.ID)
			if err := job.Retry(strangeDelay); err != nil {
				return nil, err
			}
			continue
		case !errors.Is(err, errConsumerLost):
			return nil, err
		}
		q.b.log.Debug("bus asks for work again", "group", q.group, "reason", err)
		if cause := q.b.pause(ctx, wait); cause != nil {
			return nil, fmt.Errorf("next job: %w", cause)
		}
		wait = min(2*wait, backoffMax)
		if _, err := q.ensure(ctx); err != nil {
			return nil, err
		}
	}
}

// asking is one call's request for one job.
type asking struct {
	q     *WorkQueue
	inbox string
	sub   *nats.Subscription
	ch    chan *nats.Msg
}

func (q *WorkQueue) take(ctx context.Context) (*Job, error) {
	a := &asking{q: q, inbox: q.b.nc.NewInbox(), ch: make(chan *nats.Msg, 64)}
	conn := q.b.connection()
	var err error
	if a.sub, err = q.b.nc.ChanSubscribe(a.inbox, a.ch); err != nil {
		return nil, q.lost(err)
	}
	job, err := a.wait(ctx, conn)
	if job == nil {
		a.withdraw(ctx)
	} else if err := a.sub.Unsubscribe(); err != nil {
		q.b.log.Debug("bus subscription not ended", "group", q.group, "error", err)
	}
	return job, err
}

func (q *WorkQueue) lost(err error) error {
	if q.b.nc.IsClosed() {
		return ErrClosed
	}
	return fmt.Errorf("%w: %w", errConsumerLost, err)
}

// wait asks, again whenever a request has run out, until a job comes.
func (a *asking) wait(ctx, conn context.Context) (*Job, error) {
	b := a.q.b
	silence := time.NewTimer(workSilence)
	defer silence.Stop()
	for asked := false; ; {
		if !asked {
			r := pullRequest{Expires: workExpires, Batch: 1, Heartbeat: workHeartbeat}
			if err := b.sendPull(StreamWork, a.q.group, a.inbox, r); err != nil {
				return nil, a.q.lost(err)
			}
		}
		silence.Reset(workSilence)
		select {
		case m := <-a.ch:
			if m.Subject != a.inbox {
				return a.job(m)
			}
			s := readStatus(m)
			if s.lost != nil {
				return nil, s.lost
			}
			asked = s.beat
		case <-silence.C:
			return nil, fmt.Errorf("%w: no heartbeat for %s", errConsumerLost, workSilence)
		case <-conn.Done():
			return nil, a.q.lost(nats.ErrDisconnected)
		case <-ctx.Done():
			return nil, fmt.Errorf("next job: %w", ctx.Err())
		case <-b.ctx.Done():
			return nil, ErrClosed
		}
	}
}

func (a *asking) job(m *nats.Msg) (*Job, error) {
	d, err := parseDelivery(m.Reply)
	if err != nil {
		return nil, err
	}
	return &Job{
		Msg: toMsg(m, d), Action: strings.TrimPrefix(m.Subject, "work."+a.q.group+"."), Deliveries: d.deliveries,
		b: a.q.b, reply: m.Reply,
	}, nil
}

// withdraw takes the request back. A job that was already on its way is handed
// back at once where it can be, and otherwise comes again after its ack time.
func (a *asking) withdraw(ctx context.Context) {
	b := a.q.b
	// Draining tells the server to stop and still takes what it sent before;
	// after the flush all of that is in the channel.
	if a.sub.Drain() != nil || b.flush(context.WithoutCancel(ctx)) != nil {
		return
	}
	for {
		select {
		case m := <-a.ch:
			if m.Subject == a.inbox {
				continue
			}
			job, err := a.job(m)
			if err == nil {
				err = job.Retry(0)
			}
			if err != nil {
				b.log.Warn("bus could not hand a job back; it comes again by itself", "subject", m.Subject, "error", err)
			}
		default:
			return
		}
	}
}
