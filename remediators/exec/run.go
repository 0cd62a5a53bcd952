package exec

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Run runs a command.
type Run struct{ commands Commands }

// NewRun makes the action.
func NewRun(commands Commands) *Run { return &Run{commands} }

// Spec implements [remediators.Remediator]. It has no system: what a command works
// on is the command's to know.
func (*Run) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "exec.run",
		Summary: "Runs a command of the worker's own list, without a shell, for a bounded time.",
		Params:  json.RawMessage(runSchema),
	}
}

// IdempotentFor implements [remediators.IdempotentFor]: by the configuration's
// word on the command.
func (r *Run) IdempotentFor(t engine.Task) bool {
	c, _, err := r.commands.task(t)
	return err == nil && c.Idempotent
}

// Plan implements [remediators.Remediator]. If the command has arguments for it,
// the plan says what it prints then.
func (r *Run) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	c, p, err := r.commands.task(t)
	if err != nil {
		return engine.Plan{}, err
	}
	if err := t.Target.Validate(); err != nil {
		return engine.Plan{}, remediators.Terminal("%w", err)
	}
	if info, err := os.Stat(c.Path); err != nil {
		return engine.Plan{}, remediators.Terminal("command %s: %w", c.name, err)
	} else if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return engine.Plan{}, remediators.Terminal("command %s: %s is no file that can be run", c.name, c.Path)
	}
	plan := engine.Plan{Target: t.Target, Summary: "run command " + c.name}
	for _, arg := range p.Args {
		plan.Summary += fmt.Sprintf(" %q", arg)
	}
	if p.Stdin != "" {
		plan.Summary += fmt.Sprintf(", with %d bytes of standard input", len(p.Stdin))
	}
	if c.Plan == nil {
		return plan, nil
	}
	would, err := c.would(ctx, t, p)
	if would != "" {
		plan.Changes = []engine.Change{{Field: "command " + c.name, To: would}}
	}
	return plan, err
}

// would is what the command says that it would do.
func (c command) would(ctx context.Context, t engine.Task, p params) (string, error) {
	one, err := c.newCall(stepPlan, t, t.Target, p)
	if err != nil {
		return "", err
	}
	end, err := one.start(ctx)
	if err != nil {
		return "", err
	}
	unclear := engine.ClassTerminal
	if end.stopped != "" {
		unclear = engine.ClassRetryable
	}
	if err := one.failure(end, c.Exits, unclear); err != nil {
		return "", err
	}
	return strings.TrimSpace(one.stdout.shown(one.secrets)), nil
}

// printed is an Outcome's Before: what the command that puts back is given.
type printed struct {
	Stdout string `json:"stdout"`
}

// Execute implements [remediators.Remediator]. Of a command that may be run again
// by another task it says retryable also where it may have changed something.
func (r *Run) Execute(ctx context.Context, t engine.Task, plan engine.Plan) (engine.Outcome, error) {
	c, p, err := r.commands.task(t)
	if err != nil {
		return engine.Outcome{}, err
	}
	one, err := c.newCall(stepRun, t, plan.Target, p)
	if err != nil {
		return engine.Outcome{}, err
	}
	end, err := one.start(ctx)
	if err != nil {
		return engine.Outcome{}, err
	}
	doubt := engine.ClassUnknown
	if c.Idempotent {
		doubt = engine.ClassRetryable
	}
	if err := one.failure(end, c.Exits, doubt); err != nil {
		return engine.Outcome{}, err
	}
	before, err := json.Marshal(printed{Stdout: one.stdout.shown(one.secrets)})
	if err != nil {
		return engine.Outcome{}, remediators.UnknownOutcome("command %s: what it printed does not encode: %w", c.name, err)
	}
	return engine.Outcome{Summary: one.describe(end), Before: before}, nil
}

// Observe implements [remediators.Remediator]. Only the command itself can tell, if
// it has arguments for it.
func (r *Run) Observe(ctx context.Context, t engine.Task, plan engine.Plan) (engine.Effect, error) {
	c, p, err := r.commands.task(t)
	if err != nil || c.Observe == nil {
		return engine.Unknown, err
	}
	one, err := c.newCall(stepObserve, t, plan.Target, p)
	if err != nil {
		return engine.Unknown, err
	}
	end, err := one.start(ctx)
	switch {
	case err != nil:
		return engine.Unknown, err
	case end.stopped != "" || !end.exited:
		return engine.Unknown, nil
	case end.status == 0:
		return engine.Applied, nil
	case end.status == 1:
		return engine.NotApplied, nil
	}
	return engine.Unknown, nil
}

// Undo implements [remediators.Undoer], by the command that the configuration names
// for it. That it puts back only what is still as it was left, and only once, is
// that command's promise; it knows the task by PARAMEDIC_UNDOES.
func (r *Run) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	c, p, err := r.commands.task(t)
	if err != nil {
		return err
	}
	if c.Undo == "" {
		return remediators.Terminal("command %s has no undo, so what it did stays", c.name)
	}
	back, err := r.commands.find(c.Undo)
	if err != nil {
		return err
	}
	p.Stdin = ""
	if back.Stdin && len(o.Before) > 0 {
		var before printed
		if err := json.Unmarshal(o.Before, &before); err != nil {
			return remediators.Terminal("undo of task %s: what was before: %w", t.Undoes, err)
		}
		p.Stdin = before.Stdout
	}
	if err := back.accept(p); err != nil {
		return remediators.Terminal("command %s: %w", back.name, err)
	}
	one, err := back.newCall(stepUndo, t, t.Target, p)
	if err != nil {
		return err
	}
	end, err := one.start(ctx)
	if err != nil {
		return err
	}
	return one.failure(end, back.Exits, engine.ClassUnknown)
}
