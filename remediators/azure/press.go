package azure

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// press is what the actions share that have something happen, once, and leave no value
// behind: a restart, a reboot, a flush. Happening twice is worse than once, and nothing
// on the target tells whose call it was, so a call without an answer is not repeated.
// What it is followed with is kept, and Azure's activity log is asked; else the outcome
// is unknown.
type press struct {
	accounts Accounts
	spec     remediators.Spec
	kind     string // of the target
	version  string
	verb     string // what is posted to, behind the target's path
	// look finds out whether it can happen now, and what it would do. The error is
	// classified.
	look func(ctx context.Context, t engine.Task, at place) (pressed, error)
}

// pressed is what is about to happen.
type pressed struct {
	What    string          `json:"what"`    // for messages: virtual machine x in default
	Done    string          `json:"done"`    // the outcome's summary
	Body    json.RawMessage `json:"body"`    // what is sent; null for nothing
	Summary string          `json:"summary"` // the plan's
}

// Spec implements [remediators.Remediator].
func (p press) Spec() remediators.Spec { return p.spec }

// Plan implements [remediators.Remediator].
func (p press) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	at, err := p.accounts.at(t.Target, p.kind)
	if err != nil {
		return engine.Plan{}, err
	}
	about, err := p.look(ctx, t, at)
	if err != nil {
		return engine.Plan{}, err
	}
	b, err := json.Marshal(about)
	if err != nil {
		return engine.Plan{}, remediators.Terminal("plan for %s does not encode: %w", t.Target, err)
	}
	return engine.Plan{Target: at.target(), Summary: about.Summary, Precondition: b}, nil
}

func (p press) found(plan engine.Plan) (place, pressed, error) {
	var about pressed
	at, err := p.accounts.at(plan.Target, p.kind)
	if err != nil {
		return at, about, err
	}
	if err := json.Unmarshal(plan.Precondition, &about); err != nil || about.What == "" {
		return at, about, remediators.Terminal("azure: %s: it is not said what is to happen: %q", plan.Target, plan.Precondition)
	}
	return at, about, nil
}

// Execute implements [remediators.Remediator].
func (p press) Execute(ctx context.Context, t engine.Task, plan engine.Plan) (engine.Outcome, error) {
	at, about, err := p.found(plan)
	if err != nil {
		return engine.Outcome{}, err
	}
	r := request{method: http.MethodPost, path: at.path(p.kind) + "/" + p.verb, version: p.version}
	if len(about.Body) > 0 && string(about.Body) != "null" {
		r.body = about.Body
	}
	changing, sent := once(ctx, t.ID)
	op, err := at.begin(changing, r)
	if err != nil {
		return engine.Outcome{}, at.changeFailed(about.What, sent.Load(), err)
	}
	if err := at.follow(ctx, about.What, op); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Summary: about.Done}, nil
}

// Observe implements [remediators.Remediator].
func (p press) Observe(ctx context.Context, t engine.Task, plan engine.Plan) (engine.Effect, error) {
	at, about, err := p.found(plan)
	if err != nil {
		return engine.Unknown, err
	}
	if checkpoint := remediators.CheckpointOf(ctx); checkpoint != nil {
		effect, err := at.resumed(ctx, about.What, checkpoint)
		if err != nil || effect == engine.Applied {
			return effect, err
		}
	}
	return at.activity(ctx, t.ID), nil
}
