package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

func openWork(t *testing.T, b *Bus, ackWait time.Duration, actions ...string) *WorkQueue {
	t.Helper()
	q, err := b.Work(testContext(t), "korea", actions, ackWait)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func publishWork(t *testing.T, b *Bus, action string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := b.PublishWork(testContext(t), "korea", action, id, []byte(id)); err != nil {
			t.Fatal(err)
		}
	}
}

func next(t *testing.T, q *WorkQueue) *Job {
	t.Helper()
	j, err := q.Next(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// nothing demands that the queue has no job for now.
func nothing(t *testing.T, q *WorkQueue, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(testContext(t), within)
	defer cancel()
	if j, err := q.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got job %+v, %v; want none", j, err)
	}
}

func ack(t *testing.T, j *Job) {
	t.Helper()
	if err := j.Ack(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

func TestWorkIsTakenOnceAndAcked(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	q := openWork(t, b, 30*time.Second, "kubernetes.restart")
	publishWork(t, b, "kubernetes.restart", "t-1", "t-1", "t-2")
	one, two := next(t, q), next(t, q)
	if one.ID != "t-1" || two.ID != "t-2" || one.Deliveries != 1 || string(one.Data) != "t-1" ||
		one.Subject != "work.korea.kubernetes.restart" {
		t.Fatalf("got %+v and %+v", one, two)
	}
	ack(t, one)
	ack(t, two)
	nothing(t, q, 50*time.Millisecond)
	if info, err := b.info(ctx, StreamWork); err != nil || info.State.Msgs != 0 {
		t.Fatalf("%d messages are left, %v", info.State.Msgs, err)
	}
}

func TestUnansweredWorkComesAgain(t *testing.T) {
	b := openEmbedded(t)
	const ackWait = 300 * time.Millisecond
	q := openWork(t, b, ackWait, "a")
	publishWork(t, b, "a", "t-1")
	j := next(t, q)
	// Kept alive for several times its ack time, it goes to nobody else.
	for range 6 {
		nothing(t, q, ackWait/2)
		if err := j.InProgress(); err != nil {
			t.Fatal(err)
		}
	}
	started := time.Now()
	again := next(t, q)
	if again.ID != "t-1" || again.Deliveries != 2 {
		t.Fatalf("got %+v, want the second delivery of t-1", again)
	}
	if d := time.Since(started); d < ackWait/3 {
		t.Errorf("came again after %s", d)
	}
	ack(t, again)
	ack(t, j) // no fence, and no error
}

func TestRetryAndTerm(t *testing.T) {
	b := openEmbedded(t)
	q := openWork(t, b, 30*time.Second, "a")
	publishWork(t, b, "a", "t-1")
	const delay = 400 * time.Millisecond
	if err := next(t, q).Retry(delay); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	j := next(t, q)
	if d := time.Since(started); d < delay-50*time.Millisecond || j.Deliveries != 2 {
		t.Errorf("delivery %d after %s, want 2 after %s", j.Deliveries, d, delay)
	}
	if err := j.Retry(0); err != nil {
		t.Fatal(err)
	}
	if j = next(t, q); j.Deliveries != 3 {
		t.Errorf("delivery %d, want 3", j.Deliveries)
	}
	if err := j.Retry(-1); err == nil {
		t.Error("a negative delay was taken")
	}
	if err := j.Term("no such\ntarget"); err != nil {
		t.Fatal(err)
	}
	nothing(t, q, 50*time.Millisecond)
}

// A worker leaves what it does not know to the others of its group.
func TestWorkOfAnUnknownAction(t *testing.T) {
	b := openEmbedded(t)
	old := openWork(t, b, 30*time.Second, "a")
	publishWork(t, b, "a.new", "n-1")
	publishWork(t, b, "a", "a-1")
	j := next(t, old)
	if j.ID != "a-1" || j.Action != "a" {
		t.Fatalf("got %+v", j)
	}
	ack(t, j)
	if j = next(t, openWork(t, b, 30*time.Second, "a", "a.new")); j.ID != "n-1" || j.Action != "a.new" {
		t.Fatalf("got %+v", j)
	}
	ack(t, j)
}

// Groups do not see each other's tasks.
func TestWorkOfAnotherGroup(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	q := openWork(t, b, 30*time.Second, "a")
	if err := b.PublishWork(ctx, "japan", "a", "t-1", nil); err != nil {
		t.Fatal(err)
	}
	nothing(t, q, 50*time.Millisecond)
	other, err := b.Work(ctx, "japan", []string{"a"}, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	ack(t, next(t, other))
}

// A Next that ends without a job holds none.
func TestWithdrawnNextHoldsNothing(t *testing.T) {
	b := openEmbedded(t)
	q := openWork(t, b, time.Hour, "a")
	for i := range 20 {
		ctx, cancel := context.WithCancel(testContext(t))
		var j *Job
		var wg sync.WaitGroup
		wg.Go(func() { j, _ = q.Next(ctx) })
		publishWork(t, b, "a", fmt.Sprint("t-", i))
		cancel()
		wg.Wait()
		if j == nil {
			j = next(t, q)
		}
		ack(t, j)
	}
}

func TestManyWorkersShareTheQueue(t *testing.T) {
	b := openEmbedded(t)
	q := openWork(t, b, 30*time.Second, "a", "b", "c")
	const tasks, workers = 120, 4
	for i := range tasks {
		publishWork(t, b, string(rune('a'+i%3)), fmt.Sprint("t-", i))
	}
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	var mu sync.Mutex
	done := map[string]int{}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				j, err := q.Next(ctx)
				if err != nil {
					return
				}
				if err := j.Ack(testContext(t)); err != nil {
					t.Error(err)
				}
				mu.Lock()
				done[j.ID]++
				if len(done) == tasks {
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(done) != tasks {
		t.Fatalf("%d of %d tasks were done", len(done), tasks)
	}
	for id, n := range done {
		if n != 1 {
			t.Errorf("%s was acked %d times", id, n)
		}
	}
}

func TestWorkSurvivesALostConsumer(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	q := openWork(t, b, 30*time.Second, "a", "b")
	var got *Job
	var err error
	var wg sync.WaitGroup
	wg.Go(func() { got, err = q.Next(ctx) })
	if derr := b.js.DeleteConsumer(ctx, StreamWork, "korea"); derr != nil {
		t.Fatal(derr)
	}
	publishWork(t, b, "a", "t-1")
	wg.Wait()
	if err != nil || got.ID != "t-1" {
		t.Fatalf("%+v, %v", got, err)
	}
	ack(t, got)
}

func TestWorkRefuses(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	if _, err := b.Work(ctx, "korea", nil, time.Second); err == nil {
		t.Error("no actions")
	}
	if _, err := b.Work(ctx, "korea", []string{"a"}, 0); err == nil {
		t.Error("no ack wait")
	}
	if _, err := b.Work(ctx, "ko*", []string{"a"}, time.Second); err == nil {
		t.Error("wildcard group")
	}
}

func TestDeadLetters(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	reason := "no such target:\r\n\"profile\" — π"
	if err := b.PublishDead(ctx, "korea", "kubernetes.restart", "t-1", reason, []byte("task")); err != nil {
		t.Fatal(err)
	}
	last, err := b.DeadLast(ctx)
	if err != nil || last != 1 {
		t.Fatalf("%d, %v", last, err)
	}
	r, err := b.Dead(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	got := readTo(t, r, 1)[0]
	if got.Meta[MetaReason] != reason || got.ID != "t-1" || got.Subject != "dead.korea.kubernetes.restart" {
		t.Errorf("dead letter is %+v", got)
	}
}
