package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Promote makes a replica the primary. Clients and other replicas go on looking where
// they looked, but for those replicas that it is told to re-point.
type Promote struct{ instances Instances }

// NewPromote makes the action.
func NewPromote(instances Instances) *Promote { return &Promote{instances} }

const promoteSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "force": {"type": "boolean", "default": false, "description": "Also where the old primary answers, so that there are two until somebody stops it."},
    "maxLag": {"type": "integer", "minimum": 0, "default": 65536, "description": "With force: how many bytes of the old primary's stream the replica may lack."},
    "maxLinkDown": {"type": "string", "default": "15m", "description": "How long the replica may have been without its primary: what that took in meanwhile is lost."},
    "repoint": {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": true, "description": "Other configured replicas of the old primary, which are to follow the new one. With force also the old primary itself: what it takes in from then on is lost."}
  }
}`

// Spec implements [remediators.Remediator]. It is neither fenced nor idempotent: a
// replica that others have made follow a new primary since would obey a late call.
func (*Promote) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "redis.promote",
		System:  engine.SystemRedis,
		Summary: "Makes a replica the primary once its own is gone and it is in step; refuses to make a second primary.",
		Params:  json.RawMessage(promoteSchema),
	}
}

type promoteParams struct {
	Force       bool     `json:"force"`
	MaxLag      *int64   `json:"maxLag"`
	MaxLinkDown string   `json:"maxLinkDown"`
	Repoint     []string `json:"repoint"`

	maxLag      int64
	maxLinkDown time.Duration
}

const (
	defaultMaxLag      = 64 << 10
	defaultMaxLinkDown = 15 * time.Minute
)

func promoteOf(t engine.Task) (p promoteParams, err error) {
	if err := decode(t, &p); err != nil {
		return p, err
	}
	p.maxLag, p.maxLinkDown = defaultMaxLag, defaultMaxLinkDown
	if p.MaxLinkDown != "" {
		p.maxLinkDown, err = time.ParseDuration(p.MaxLinkDown)
	}
	switch {
	case err != nil || p.maxLinkDown <= 0:
		err = fmt.Errorf("maxLinkDown: %q is no duration above 0, as 15m", p.MaxLinkDown)
	case p.MaxLag != nil && !p.Force:
		err = errors.New("maxLag is for force: a primary that is gone does not tell how far it was")
	case p.MaxLag != nil && *p.MaxLag < 0:
		err = fmt.Errorf("maxLag: %d is below 0", *p.MaxLag)
	case p.MaxLag != nil:
		p.maxLag = *p.MaxLag
	}
	if err != nil {
		return p, remediators.Terminal("task %s: parameters of %s: %w", t.ID, t.Action, err)
	}
	return p, nil
}

// before is a Plan's precondition and an Outcome's Before: the replica as it was.
type before struct {
	Run   string `json:"run"`   // the process
	Data  string `json:"data"`  // the stream that it followed, master_replid
	Of    string `json:"of"`    // its primary
	Alive bool   `json:"alive"` // its primary answered
}

func (b before) encode() (json.RawMessage, error) {
	raw, err := json.Marshal(b)
	if err != nil {
		return nil, remediators.Terminal("what was before does not encode: %w", err)
	}
	return raw, nil
}

func decodeBefore(raw json.RawMessage) (b before, err error) {
	if err := json.Unmarshal(raw, &b); err != nil {
		return b, remediators.Terminal("what was before, %q: %w", raw, err)
	}
	if b.Run == "" || b.Data == "" || b.Of == "" {
		return b, remediators.Terminal("what was before, %q, names no process, stream or primary", raw)
	}
	return b, nil
}

// standalone opens the one server that a target is.
func standalone(instances Instances, t engine.Target) (*Instance, server, error) {
	i, err := instances.find(t)
	if err != nil {
		return nil, server{}, err
	}
	if i.config.Address == "" {
		return nil, server{}, remediators.Terminal("redis %q is no single server: sentinels and clusters promote by themselves", t.Name)
	}
	s, err := i.open(i.config.Address)
	return i, s, err
}

// Plan implements [remediators.Remediator].
func (p *Promote) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	params, err := promoteOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	i, s, err := standalone(p.instances, t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	defer closed(s)
	now, err := s.state(ctx)
	if err != nil {
		return engine.Plan{}, err
	}
	target := engine.Target{System: engine.SystemRedis, Name: t.Target.Name}
	if now.primary() {
		return engine.Plan{Target: target, Summary: target.Name + " is a primary already", Noop: true}, nil
	}
	seen, err := params.judge(ctx, i, s, now)
	if err != nil {
		return engine.Plan{}, err
	}
	replaced := false // the old primary becomes a replica
	for _, name := range params.Repoint {
		old, err := p.follows(ctx, i, name, seen)
		if err != nil {
			return engine.Plan{}, err
		}
		replaced = replaced || old
	}
	precondition, err := seen.encode()
	if err != nil {
		return engine.Plan{}, err
	}
	plan := engine.Plan{
		Target:       target,
		Summary:      fmt.Sprintf("make %s, at %s, a primary; its own, %s, does not answer", target.Name, s.address, seen.Of),
		Changes:      []engine.Change{{Field: "role", From: "replica of " + seen.Of, To: "primary"}},
		Precondition: precondition,
	}
	switch {
	case replaced:
		plan.Summary = fmt.Sprintf("make %s, at %s, a primary in place of its own, %s", target.Name, s.address, seen.Of)
	case seen.Alive:
		plan.Summary = fmt.Sprintf("make %s, at %s, a primary beside its own, %s, which answers: there will be two", target.Name, s.address, seen.Of)
	}
	if len(params.Repoint) > 0 {
		plan.Summary += "; have " + strings.Join(params.Repoint, ", ") + " follow it"
	}
	return plan, nil
}

// follows holds that another instance is a replica of the same primary, or that
// primary itself, where it is there, and says if it is that.
func (p *Promote) follows(ctx context.Context, i *Instance, name string, seen before) (old bool, err error) {
	_, s, err := standalone(p.instances, engine.Target{System: engine.SystemRedis, Name: name})
	if err != nil {
		return false, err
	}
	defer closed(s)
	now, err := s.state(ctx)
	switch {
	case err != nil:
		return false, err
	case !now.primary() && now.master() == seen.Of:
		return false, nil
	case !now.primary() || !seen.Alive:
		return false, remediators.Terminal("repoint: %s is %s, not a replica of %s", name, now, seen.Of)
	}
	primary, err := i.open(seen.Of)
	if err != nil {
		return false, err
	}
	defer closed(primary)
	there, err := primary.state(ctx)
	switch {
	case err != nil:
		return false, err
	case there["run_id"] != now["run_id"]:
		return false, remediators.Terminal("repoint: %s is a primary of its own, neither %s nor a replica of that", name, seen.Of)
	}
	return true, nil
}

// Execute implements [remediators.Remediator]. It judges once more, right before.
func (p *Promote) Execute(ctx context.Context, t engine.Task, plan engine.Plan) (engine.Outcome, error) {
	params, err := promoteOf(t)
	if err != nil {
		return engine.Outcome{}, err
	}
	seen, err := decodeBefore(plan.Precondition)
	if err != nil {
		return engine.Outcome{}, err
	}
	i, s, err := standalone(p.instances, plan.Target)
	if err != nil {
		return engine.Outcome{}, err
	}
	defer closed(s)
	now, err := s.state(ctx)
	if err != nil {
		return engine.Outcome{}, err
	}
	if now.primary() || now["run_id"] != seen.Run || now["master_replid"] != seen.Data || now.master() != seen.Of {
		return engine.Outcome{}, remediators.PlanChanged("redis %s is %s by now, and was planned as a replica of %s", s.address, now, seen.Of)
	}
	if fresh, err := params.judge(ctx, i, s, now); err != nil {
		return engine.Outcome{}, err
	} else if fresh != seen {
		return engine.Outcome{}, remediators.PlanChanged("redis %s: whether its primary %s answers has changed since", s.address, seen.Of)
	}
	if err := s.Do(ctx, "replicaof", "no", "one").Err(); err != nil {
		return engine.Outcome{}, failed(s.address, err, true)
	}
	// Where nobody keeps it, only a crash right now would leave the outcome in doubt.
	kept, err := seen.encode()
	if err == nil {
		_ = remediators.Checkpoint(ctx, kept)
	}
	now, err = s.state(ctx)
	switch {
	case err != nil:
		return engine.Outcome{}, remediators.UnknownOutcome("redis %s was told to be a primary, and then: %w", s.address, err)
	case !now.primary():
		return engine.Outcome{}, remediators.UnknownOutcome("redis %s was told to be a primary, and is %s", s.address, now)
	}
	return engine.Outcome{
		Summary: fmt.Sprintf("%s, at %s, is a primary and no longer a replica of %s", plan.Target.Name, s.address, seen.Of) + p.repoint(ctx, params.Repoint, s.address),
		Before:  kept,
	}, nil
}

// repoint has other replicas follow the new primary, and says how that went. It can
// be done by hand where it fails, so that is no failure of the promotion.
func (p *Promote) repoint(ctx context.Context, names []string, primary string) string {
	var said strings.Builder
	host, port, err := net.SplitHostPort(primary)
	for _, name := range names {
		var s server
		if err == nil {
			_, s, err = standalone(p.instances, engine.Target{System: engine.SystemRedis, Name: name})
		}
		if err == nil {
			err = s.Do(ctx, "replicaof", host, port).Err()
			closed(s)
		}
		if err != nil {
			fmt.Fprintf(&said, "; %s does not follow it: %v", name, err)
			err = nil
			continue
		}
		fmt.Fprintf(&said, "; %s follows it", name)
	}
	return said.String()
}

// Observe implements [remediators.Remediator]. That the task's call was answered is
// what its checkpoint proves. Without one nothing tells: a primary may have been made
// one by anybody, and a replica may have been made one again.
func (p *Promote) Observe(ctx context.Context, _ engine.Task, plan engine.Plan) (engine.Effect, error) {
	if _, err := decodeBefore(plan.Precondition); err != nil {
		return engine.Unknown, err
	}
	if remediators.CheckpointOf(ctx) != nil {
		return engine.Applied, nil
	}
	return engine.Unknown, nil
}
