package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// kind is what a remediator can promise.
type kind struct {
	name                      string
	fenced, idempotent, blind bool
	noop                      bool
	// permanent effects cannot be put back.
	permanent bool
	// long changes are accepted, and made while the call goes on; only what the
	// call has kept tells of them afterwards.
	long bool
}

func kinds() []kind {
	return []kind{
		{name: "fenced", fenced: true},
		{name: "idempotent", idempotent: true, blind: true},
		{name: "observable"},
		{name: "blind", blind: true},
		{name: "long", blind: true, long: true},
	}
}

// target counts what is done to it.
type target struct {
	version int
	effects int
	applied map[string]bool
	// undone are the execute tasks that were put back.
	undone map[string]bool
	calls  int
}

var errInjected = errors.New("injected")

// remediator acts on the world's target, and ignores its context as a call does
// that is on its way already.
type remediator struct {
	*view
}

func (r *remediator) Spec() remediators.Spec {
	return remediators.Spec{
		Name: "test.restart", System: engine.SystemHTTP,
		Fenced: r.kind.fenced, Idempotent: r.kind.idempotent,
	}
}

func (r *remediator) Plan(_ context.Context, t engine.Task) (p engine.Plan, err error) {
	err = r.step("plan", func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		p = engine.Plan{Target: t.Target, Summary: "restart " + t.Target.Name, Noop: r.kind.noop}
		if r.kind.fenced {
			p.Precondition, err = json.Marshal(r.target.version)
		}
		return err
	})
	return p, err
}

func (r *remediator) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	err := r.step("execute", func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.target.calls++
		if r.kind.fenced {
			var version int
			if err := json.Unmarshal(p.Precondition, &version); err != nil {
				return err
			}
			if version != r.target.version {
				return remediators.PlanChanged("version is %d, not %d", r.target.version, version)
			}
		}
		r.target.version++
		r.target.effects++
		r.target.applied[t.ID] = true
		return nil
	})
	if err == nil && r.kind.long {
		if kept := remediators.Checkpoint(ctx, []byte(strconv.Quote(t.ID))); kept != nil && !errors.Is(kept, remediators.ErrNotKept) {
			return engine.Outcome{}, fmt.Errorf("%w, and not said to be so", kept)
		}
		err = r.step("operation", func() error { return nil })
	}
	if err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Summary: "restarted"}, nil
}

func (r *remediator) Observe(ctx context.Context, t engine.Task, _ engine.Plan) (effect engine.Effect, err error) {
	err = r.step("observe", func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		switch {
		case r.kind.long && string(remediators.CheckpointOf(ctx)) == strconv.Quote(t.ID):
			effect = engine.Applied
		case r.kind.blind:
			effect = engine.Unknown
		case r.target.applied[t.ID]:
			effect = engine.Applied
		default:
			effect = engine.NotApplied
		}
		return nil
	})
	return effect, err
}

// Undo keeps to the contract: what is put back stays so, and is not so twice.
func (r *remediator) Undo(_ context.Context, t engine.Task, _ engine.Outcome) error {
	return r.step("undo", func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.target.calls++
		if !r.target.undone[t.Undoes] {
			r.target.effects++
			r.target.undone[t.Undoes] = true
		}
		return nil
	})
}

func undoTask() engine.Task {
	t := executeTask()
	t.Undoes, t.ID, t.Kind = t.ID, "run-1/0/test.restart/undo/1", engine.TaskUndo
	t.Outcome = &engine.Outcome{Summary: "restarted place-service"}
	return t
}

func executeTask() engine.Task {
	where := engine.Target{System: engine.SystemHTTP, Name: "place-service"}
	return engine.Task{
		ID: "run-1/0/test.restart/execute/1", Kind: engine.TaskExecute, Run: "run-1", Rule: "service-down",
		Group: "korea", Action: "test.restart", Target: where,
		Plan:     &engine.Plan{Target: where, Summary: "restart place-service"},
		NotAfter: time.Now().Add(30 * time.Minute), Timeout: testTimeout,
	}
}
