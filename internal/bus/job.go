package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Job is one delivery of a task. An answer is no fence: acking a delivery that
// was given to somebody else meanwhile succeeds, so the claim, not the ack,
// keeps a task from being done twice.
type Job struct {
	Msg
	// Action is what the task asks for: the end of its subject.
	Action string
	// Deliveries counts this one too: above 1, somebody had the task before.
	Deliveries uint64

	b     *Bus
	reply string
}

// Ack removes the task from the queue and waits until the server has said so.
func (j *Job) Ack(ctx context.Context) error {
	return j.b.retry(ctx, "ack "+j.ID, func(ctx context.Context) error {
		_, err := j.b.nc.RequestWithContext(ctx, j.reply, []byte("+ACK"))
		return err
	})
}

// InProgress starts the ack time anew; call it well within that time for as
// long as the work goes on.
func (j *Job) InProgress() error { return j.answer("+WPI") }

// Retry hands the task back, to be delivered again after delay.
func (j *Job) Retry(delay time.Duration) error {
	if delay < 0 {
		return errors.New("retry: negative delay")
	}
	if delay == 0 {
		return j.answer("-NAK")
	}
	return j.answer(fmt.Sprintf(`-NAK {"delay": %d}`, delay.Nanoseconds()))
}

// Term removes the task from the queue as one that will never succeed. Publish
// a dead letter first.
func (j *Job) Term(reason string) error {
	return j.answer("+TERM " + strings.Map(printable, reason))
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

// answer tells the server without waiting. If it is lost, the task is delivered
// again, which every receiver must bear anyhow.
func (j *Job) answer(body string) error {
	if err := j.b.nc.Publish(j.reply, []byte(body)); err != nil {
		return fmt.Errorf("answer %s with %.5s: %w", j.ID, body, err)
	}
	return nil
}
