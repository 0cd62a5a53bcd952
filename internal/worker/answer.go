package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
)

// answer publishes a result, and only then acknowledges the task: a crash in
// between publishes it again.
func (h *handling) answer(ctx context.Context, r engine.Result, begun time.Time) {
	if err := h.publish(ctx, r); err != nil {
		h.log.Error("cannot publish a result; the task will come again", "error", err)
		return
	}
	class := classLabel(h.task.Kind, r)
	h.count(class, begun)
	if r.Failure == nil {
		h.log.Info("task done", "class", class, "observed", r.Observed)
	} else {
		h.log.Warn("task failed", "class", class, "observed", r.Observed, "error", r.Failure.Message)
	}

	h.cfg.Hook(AckBefore)
	actx, cancel := context.WithTimeout(context.WithoutCancel(ctx), busTimeout)
	defer cancel()
	if err := h.job.Ack(actx); err != nil {
		h.log.Warn("cannot acknowledge a task; its result will be published again", "error", err)
		return
	}
	h.cfg.Hook(AckAfter)
}

func (h *handling) publish(ctx context.Context, r engine.Result) error {
	line, err := json.Marshal(engine.Input{Result: &r})
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	h.cfg.Hook(ResultBefore)
	err = h.persist(ctx, "result", func(ctx context.Context) error {
		_, err := h.cfg.Publisher.PublishInbox(ctx, bus.ResultKind(h.cfg.Group), "result/"+h.task.ID, line)
		return err
	})
	if err != nil {
		return err
	}
	h.cfg.Hook(ResultAfter)

	if !isDead(h.task.Kind, r) {
		return nil
	}
	reason := oneLine(string(r.Failure.Class) + ": " + r.Failure.Message)
	err = h.persist(ctx, "dead letter", func(ctx context.Context) error {
		return h.cfg.Publisher.PublishDead(ctx, h.cfg.Group, h.action(), h.task.ID, reason, h.job.Data())
	})
	if err == nil {
		h.metrics.dead.Inc()
	}
	return err
}

// persist tries f until it succeeds, patience ends or ctx does, and at least
// once.
func (h *handling) persist(ctx context.Context, what string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for failures := uint64(1); ; failures++ {
		err := func() error {
			once, cancel := context.WithTimeout(context.WithoutCancel(ctx), busTimeout)
			defer cancel()
			return f(once)
		}()
		if err == nil {
			return nil
		}
		delay := h.backoff(failures)
		h.log.Warn("cannot publish", "what", what, "error", err, "again", delay)
		if !wait(ctx, delay) {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

// isDead says whether a person should find the task among the dead letters.
func isDead(kind engine.TaskKind, r engine.Result) bool {
	if r.Failure == nil {
		return false
	}
	switch kind {
	case engine.TaskExecute, engine.TaskUndo:
		return r.Failure.Class == engine.ClassTerminal || r.Failure.Class == engine.ClassUnknown
	case engine.TaskPlan, engine.TaskCheck, engine.TaskVerify:
		return false
	}
	return true
}

// action is the task's, where it can be trusted to be one of a few.
func (h *handling) action() string {
	if _, known := h.cfg.Remediators.Get(h.task.Action); known || h.task.Action == engine.VerifyAction {
		return h.task.Action
	}
	return "other"
}

func (h *handling) count(class string, begun time.Time) {
	kind := string(h.task.Kind)
	switch h.task.Kind {
	case engine.TaskPlan, engine.TaskCheck, engine.TaskExecute, engine.TaskVerify, engine.TaskUndo:
	default:
		kind = "other"
	}
	h.metrics.tasks.WithLabelValues(kind, h.action(), class).Inc()
	h.metrics.duration.WithLabelValues(kind, h.action()).Observe(h.cfg.Now().Sub(begun).Seconds())
}

func classLabel(kind engine.TaskKind, r engine.Result) string {
	switch {
	case r.Failure != nil:
		return string(r.Failure.Class)
	case (kind == engine.TaskVerify || kind == engine.TaskCheck) && !r.Verified:
		return "unverified"
	default:
		return "ok"
	}
}

// The longest message that goes into a result or a reason, in bytes.
const longestMessage = 2048

// oneLine makes a message fit for a header and a log line.
func oneLine(s string) string {
	return clip(strings.Join(strings.Fields(s), " "))
}

// clip bounds a message, which may hold a whole response body.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= longestMessage {
		return s
	}
	return strings.ToValidUTF8(s[:longestMessage], "") + "..."
}
