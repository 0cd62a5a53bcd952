package azure

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// setting is one thing of one resource that an action sets to a value.
type setting interface {
	// read finds out how it is. The error is classified.
	read(ctx context.Context) (state, error)
	// write asks once for another value, of what is as from, and hands over the ETag
	// and the marks where it has any. The operation may be nil. The error may be the
	// SDK's; success means that the answer shows what was asked for, or that there is
	// more to come.
	write(ctx context.Context, from state, to json.RawMessage, m marks) (*operation, error)
	// String is what messages call it.
	String() string
}

// state is how a setting is.
type state struct {
	Value json.RawMessage `json:"value"`
	// ETag is what Azure compares before it writes; empty where it does not. Only with
	// it are there marks.
	ETag  string `json:"etag,omitempty"`
	Marks marks  `json:"marks,omitempty"`
	// Keep is what a write must send along lest it is lost, as other tags are.
	Keep json.RawMessage `json:"keep,omitempty"`
	// Rest is what else must be as it was, where there is no ETag.
	Rest string `json:"rest,omitempty"`
	// busy says what Azure is doing to it, failed what it could not do; not kept.
	busy, failed string
}

// is reports whether a setting without an ETag is, and has, what is wanted.
func (s state) is(value json.RawMessage, rest string) bool {
	return equalJSON(s.Value, value) && s.Rest == rest
}

// equalJSON compares JSON, which a bus or a ledger may have written anew.
func equalJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// intent is what an action is about to do: the precondition of its plan, and what an
// undo finds in the outcome.
type intent struct {
	// Key says which setting of the target it is, where there are several.
	Key  string          `json:"key,omitempty"`
	From state           `json:"from"`
	To   json.RawMessage `json:"to"`
	// Done is the outcome's summary.
	Done string `json:"done"`
}

// setter is what the actions share that set something: executed, observed and undone
// in one way, whether Azure fences the change or not.
type setter struct {
	accounts Accounts
	kinds    []string // that a canonical target may be of
	fenced   bool     // whether there must be an ETag
	open     func(at place, key string) setting
}

// plan completes a plan, whose summary and changes are the action's.
func (setter) plan(t engine.Task, p engine.Plan, in intent) (engine.Plan, error) {
	if in.From.Marks.has(t.ID) {
		return engine.Plan{}, remediators.UnknownOutcome("%s: task %s has already changed it", p.Target, t.ID)
	}
	in.From.busy, in.From.failed = "", ""
	b, err := json.Marshal(in)
	if err != nil {
		return engine.Plan{}, remediators.Terminal("plan for %s does not encode: %w", p.Target, err)
	}
	p.Noop = equalJSON(in.From.Value, in.To)
	p.Precondition = b
	return p, nil
}

// found is the setting that a plan, or an outcome, is about.
func (s setter) found(t engine.Target, raw json.RawMessage) (place, setting, intent, error) {
	var in intent
	at, err := s.accounts.at(t, s.kinds...)
	if err != nil {
		return at, nil, in, err
	}
	if err := json.Unmarshal(raw, &in); err != nil || len(in.To) == 0 || len(in.From.Value) == 0 {
		return at, nil, in, remediators.Terminal("azure: %s: it is not said what was there and what is to be: %q", t, raw)
	}
	if s.fenced && in.From.ETag == "" {
		// Without it Azure would accept the change whatever was there.
		return at, nil, in, remediators.Terminal("azure: %s: what was there has no ETag: %q", t, raw)
	}
	return at, s.open(at, in.Key), in, nil
}

// Execute implements [remediators.Remediator].
func (s setter) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	at, target, in, err := s.found(p.Target, p.Precondition)
	if err != nil {
		return engine.Outcome{}, err
	}
	if in.From.Marks.has(t.ID) {
		return engine.Outcome{}, remediators.UnknownOutcome("%s: task %s has already changed it", p.Target, t.ID)
	}
	if in.From.ETag == "" {
		// Nobody compares it at the moment of writing; right before is the next best.
		now, err := target.read(ctx)
		switch {
		case err != nil:
			return engine.Outcome{}, err
		case !now.is(in.From.Value, in.From.Rest):
			return engine.Outcome{}, remediators.PlanChanged("azure: %s: %w", target, errStale)
		case now.busy != "":
			return engine.Outcome{}, remediators.Retryable(0, "azure: %s: Azure is at it: %s", target, now.busy)
		}
	}
	if err := at.set(ctx, target, in.From, in.To, t.ID); err != nil {
		return engine.Outcome{}, at.settled(ctx, target, in.From, t.ID, err)
	}
	return engine.Outcome{Summary: in.Done, Before: p.Precondition}, nil
}

// set changes a setting once, marked with the task, and returns when Azure has made
// the change.
func (a *Account) set(ctx context.Context, target setting, from state, to json.RawMessage, task string) error {
	changing, sent := once(ctx, task)
	op, err := target.write(changing, from, to, from.Marks.add(task))
	if err != nil {
		return a.changeFailed(target.String(), sent.Load(), err)
	}
	if err := a.follow(ctx, target.String(), op); err != nil {
		return err
	}
	if from.ETag == "" {
		return nil
	}
	// Something else on the way can answer with success as well.
	now, err := target.read(ctx)
	switch {
	case err != nil:
		return remediators.UnknownOutcome("answered with success, but then: %w", err)
	case !now.Marks.has(task):
		return remediators.UnknownOutcome("azure: %s: answered with success, but it does not show task %s", target, task)
	}
	return nil
}

// settled judges a change that was refused for how the target is by now: whether it was
// made nonetheless, by an earlier call of the task. It returns nil if so.
func (*Account) settled(ctx context.Context, target setting, from state, task string, cause error) error {
	if from.ETag == "" || !errors.Is(cause, errStale) && !errors.Is(cause, errConflict) {
		return cause
	}
	now, err := target.read(ctx)
	switch {
	case err != nil:
		return remediators.UnknownOutcome("%w; then: %w", cause, err)
	case !now.Marks.has(task):
		return cause
	case now.busy != "" || now.failed != "":
		return remediators.UnknownOutcome("azure: %s: an earlier call has changed it, and it is %s", target, now.busy+now.failed)
	}
	return nil
}
