package exec

import (
	"context"
	"encoding/json"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
)

// Probe asks a command whether something is well.
type Probe struct{ commands Commands }

// NewProbe makes the prober.
func NewProbe(commands Commands) *Probe { return &Probe{commands} }

const kind = "exec"

// Spec implements [verify.Prober].
func (*Probe) Spec() verify.Spec {
	return verify.Spec{
		Kind:    kind,
		Summary: "A command of the worker's own list that only reads ends with exit status 0.",
		Params:  json.RawMessage(probeSchema),
	}
}

// Probe implements [verify.Prober]. A command that does not end in time is not well.
func (p *Probe) Probe(ctx context.Context, target engine.Target, raw json.RawMessage) (engine.Check, error) {
	check := engine.Check{Kind: kind}
	var asked struct {
		Command string   `json:"command"`
		Args    []string `json:"args"`
	}
	if err := remediators.DecodeParams(raw, &asked); err != nil {
		return check, remediators.Terminal("parameters of exec: %w", err)
	}
	c, err := p.commands.find(asked.Command)
	if err != nil {
		return check, err
	}
	if !c.Probe {
		return check, remediators.Terminal("command %s is no probe: say probe: true in its configuration if it only reads", c.name)
	}
	with := params{Args: asked.Args}
	if err := c.accept(with); err != nil {
		return check, remediators.Terminal("command %s: %w", c.name, err)
	}
	one, err := c.newCall(stepProbe, engine.Task{}, target, with)
	if err != nil {
		return check, err
	}
	end, err := one.start(ctx)
	if err != nil {
		return check, err
	}
	check.OK, check.Detail = one.failure(end, nil, engine.ClassTerminal) == nil, one.describe(end)
	return check, nil
}
