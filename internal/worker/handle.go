package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// handling is one delivery of one task on its way through the worker.
type handling struct {
	*Worker
	job  Job
	task engine.Task
	log  *slog.Logger
	// remediator is what the task's action names; nil for verify and check.
	remediator remediators.Remediator
	// undoer is the same one, for an undo task.
	undoer remediators.Undoer
}

// handle does one job to its end. Under pull, more would be pulled; under work,
// what is in hand may go on.
func (w *Worker) handle(pull, work context.Context, job Job) {
	w.metrics.busy.Inc()
	defer w.metrics.busy.Dec()
	if job.Deliveries() > 1 {
		w.metrics.redeliver.Inc()
	}
	begun := w.cfg.Now()

	var t engine.Task
	if err := decode(job.Data(), &t); err != nil {
		w.bury(work, job, err)
		return
	}
	log := w.cfg.Log.With("task", t.ID, "kind", t.Kind, "action", t.Action, "run", t.Run, "delivery", job.Deliveries())
	if !w.enter(t.ID) {
		log.Warn("task came again while it is in hand")
		w.postpone(job, log, later("running", w.cfg.AckWait))
		return
	}
	defer w.exit(t.ID)

	h := &handling{Worker: w, job: job, task: t, log: log}
	stop := h.keepAlive()
	defer stop()
	e := h.do(pull, work)
	if e.result == nil {
		stop() // a heartbeat after a negative acknowledgement would undo it
		w.postpone(job, log, e)
		return
	}
	if e.result.Worker == "" { // or else the claim's
		e.result.Task, e.result.Worker, e.result.At = t.ID, w.cfg.ID, w.cfg.Now()
	}
	h.answer(work, *e.result, begun)
}

// longestID leaves room for a prefix in the bus's operation ids.
const longestID = 480

// decode reads a task as far as it takes to answer it.
func decode(data []byte, t *engine.Task) error {
	if err := json.Unmarshal(data, t); err != nil {
		return fmt.Errorf("task does not decode: %w", err)
	}
	if t.ID == "" || len(t.ID) > longestID || strings.ContainsFunc(t.ID, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return fmt.Errorf("task id %.64q: want 1 to %d bytes, no spaces or control characters", t.ID, longestID)
	}
	return nil
}

// do finds out what to answer.
func (h *handling) do(pull, work context.Context) ending {
	invalid := h.check()
	switch {
	case h.task.Kind == engine.TaskExecute:
		return h.change(work, invalid, h.begin, h.resume)
	case h.task.Kind == engine.TaskUndo:
		return h.change(work, invalid, h.beginUndo, h.resumeUndo)
	case invalid != nil:
		return failed(invalid)
	case h.expired():
		return failed(h.expiry())
	case h.task.Kind == engine.TaskPlan:
		return h.plan(work)
	case h.task.Kind == engine.TaskCheck:
		return h.lookOnce(work)
	default:
		return h.verify(pull)
	}
}

// check reports a task that no trying mends, and looks its remediator up.
func (h *handling) check() *engine.Failure {
	t := h.task
	terminal := func(format string, args ...any) *engine.Failure {
		return &engine.Failure{Class: engine.ClassTerminal, Message: fmt.Sprintf(format, args...)}
	}
	switch t.Kind {
	case engine.TaskPlan, engine.TaskExecute, engine.TaskUndo:
		m, known := h.cfg.Remediators.Get(t.Action)
		if !known {
			return terminal("action %q: this worker has no such remediator, only %s", t.Action, strings.Join(h.cfg.Remediators.Names(), ", "))
		}
		h.remediator = m
	case engine.TaskVerify:
		if t.Deadline.IsZero() {
			return terminal("task %s: a verify task needs a deadline", t.ID)
		}
	case engine.TaskCheck:
	default:
		return terminal("task %s: kind %q is not plan, check, execute, verify or undo", t.ID, t.Kind)
	}
	switch {
	case t.Group != h.cfg.Group:
		return terminal("task %s: is for group %q, but came to group %q", t.ID, t.Group, h.cfg.Group)
	case t.Timeout <= 0:
		return terminal("task %s: timeout is %v, want more than 0", t.ID, t.Timeout)
	case t.NotAfter.IsZero():
		return terminal("task %s: notAfter is not set", t.ID)
	case !t.Kind.Changes():
		return nil
	case t.Plan == nil:
		return terminal("task %s: an %s task needs the plan that was allowed", t.ID, t.Kind)
	case t.Plan.Target != t.Target:
		return terminal("task %s: the target is %s, but the plan's is %s", t.ID, t.Target, t.Plan.Target)
	}
	if err := t.Target.Validate(); err != nil {
		return terminal("task %s: %v", t.ID, err)
	}
	if t.Kind == engine.TaskUndo {
		return h.checkUndo()
	}
	return nil
}

func (h *handling) expired() bool { return h.cfg.Now().After(h.task.NotAfter) }

func (h *handling) expiry() *engine.Failure {
	return &engine.Failure{
		Class: engine.ClassExpired,
		Message: fmt.Sprintf("came to a worker at %s, to be started by %s",
			h.cfg.Now().UTC().Format(time.RFC3339), h.task.NotAfter.UTC().Format(time.RFC3339)),
	}
}

// ending is what becomes of a delivery: an answer, a later delivery, or nothing,
// since the task is another's.
type ending struct {
	result *engine.Result
	// again is set for a later delivery, after the delay.
	again  bool
	delay  time.Duration
	reason string
	err    error
}

func answered(r engine.Result) ending { return ending{result: &r} }

func failed(f *engine.Failure) ending { return answered(engine.Result{Failure: f}) }

func later(reason string, delay time.Duration) ending {
	return ending{again: true, reason: reason, delay: delay}
}

// left is the ending of whoever lost the task to another.
func left() ending { return ending{} }

// postpone puts a job back, or leaves it alone.
func (w *Worker) postpone(job Job, log *slog.Logger, e ending) {
	if !e.again {
		w.metrics.left.Inc()
		log.Warn("task is in another worker's hands; left to it")
		return
	}
	w.metrics.postponed.WithLabelValues(e.reason).Inc()
	log.Info("task put back", "reason", e.reason, "again", e.delay, "error", e.err)
	if err := job.Retry(e.delay); err != nil {
		log.Warn("cannot put a task back; it will come again by itself", "error", err)
	}
}

// keepAlive tells the queue that the task is in hand, until stopped.
func (h *handling) keepAlive() (stop func()) {
	quit := make(chan struct{})
	var beat sync.WaitGroup
	beat.Go(func() {
		ticker := time.NewTicker(max(h.cfg.AckWait/3, time.Millisecond))
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				if err := h.job.InProgress(); err != nil {
					h.metrics.heartbeats.Inc()
					h.log.Warn("cannot keep the task alive; it may be delivered again", "error", err)
				}
			}
		}
	})
	return sync.OnceFunc(func() {
		close(quit)
		beat.Wait()
	})
}

// bury puts a message that is no task among the dead letters. What cannot be
// put there is not given up.
func (w *Worker) bury(ctx context.Context, job Job, cause error) {
	sum := sha256.Sum256(job.Data())
	action, ok := strings.CutPrefix(job.Subject(), "work."+w.cfg.Group+".")
	if !ok || action == "" {
		action = "none"
	}
	w.cfg.Log.Error("message on WORK is no task", "subject", job.Subject(), "error", cause)
	dctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), busTimeout)
	defer cancel()
	id := "undecodable/" + hex.EncodeToString(sum[:16])
	if err := w.cfg.Publisher.PublishDead(dctx, w.cfg.Group, action, id, oneLine(cause.Error()), job.Data()); err != nil {
		e := later("dead-letter", w.backoff(job.Deliveries()))
		e.err = err
		w.postpone(job, w.cfg.Log, e)
		return
	}
	w.metrics.dead.Inc()
	if err := job.Term(oneLine(cause.Error())); err != nil {
		w.cfg.Log.Warn("cannot give a message up; it will come again", "error", err)
	}
}
