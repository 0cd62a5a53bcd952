package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Replicate makes a server a replica of another, whose data it takes over in place of
// its own: an old primary that is there again follows the one that took its place.
type Replicate struct{ instances Instances }

// NewReplicate makes the action.
func NewReplicate(instances Instances) *Replicate { return &Replicate{instances} }

const replicateSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["of"],
  "properties": {
    "of": {"type": "string", "minLength": 1, "description": "The configured Redis that it is to follow, a primary."},
    "discard": {"type": "boolean", "default": false, "description": "What it holds itself is thrown away. Needed unless it is empty."}
  }
}`

// Spec implements [remediators.Remediator]. It is neither fenced nor idempotent: a
// server that others have made the primary since would obey a late call, and lose its
// data. Nor can it be undone, for the data are gone.
func (*Replicate) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "redis.replicate",
		System:  engine.SystemRedis,
		Summary: "Makes a Redis a replica of another, which has data; its own are thrown away.",
		Params:  json.RawMessage(replicateSchema),
	}
}

type replicateParams struct {
	Of      string `json:"of"`
	Discard bool   `json:"discard"`
}

func replicateOf(t engine.Task) (p replicateParams, err error) {
	if err := decode(t, &p); err != nil {
		return p, err
	}
	if p.Of == "" {
		return p, remediators.Terminal("task %s: parameters of %s: of is missing: want the name of the Redis to follow", t.ID, t.Action)
	}
	return p, nil
}

// pair is a Plan's precondition: both servers as they were.
type pair struct {
	Run    string `json:"run"`              // the process
	Data   string `json:"data"`             // its stream, master_replid
	Master string `json:"master,omitempty"` // its primary, if it is a replica
	Of     string `json:"of"`               // where the other is
	OfRun  string `json:"ofRun"`            // the other's process
}

// seen looks at both servers, and says whether the one follows the other already. The
// error says why the one may not be told to. Whatever is not known speaks against it.
func (r *Replicate) seen(ctx context.Context, s server, t engine.Target, params replicateParams) (p pair, keys int64, follows bool, err error) {
	now, err := s.state(ctx)
	if err != nil {
		return p, 0, false, err
	}
	_, of, err := standalone(r.instances, engine.Target{System: engine.SystemRedis, Name: params.Of})
	if err != nil {
		return p, 0, false, err
	}
	defer closed(of)
	there, err := of.state(ctx)
	if err != nil {
		return p, 0, false, err
	}
	p = pair{Run: now["run_id"], Data: now["master_replid"], Of: of.address, OfRun: there["run_id"]}
	if !now.primary() {
		p.Master = now.master()
	}
	switch {
	case now["cluster_enabled"] == "1" || there["cluster_enabled"] == "1":
		return p, 0, false, remediators.Terminal("redis %s belongs to a cluster, which has its own replicas", s.address)
	case p.Run == p.OfRun:
		return p, 0, false, remediators.Terminal("redis %s and %s are the same server", t.Name, params.Of)
	case !there.primary():
		return p, 0, false, remediators.Terminal("redis %s, which is to be followed, is %s: name the primary", params.Of, there)
	case p.Master == p.Of:
		return p, 0, true, nil
	case now["connected_slaves"] != "0":
		return p, 0, false, remediators.Terminal("redis %s has %s replicas of its own, which would lose their data, too: have them follow another first", s.address, now["connected_slaves"])
	}
	if keys, err = s.keys(ctx); err != nil || keys == 0 {
		return p, keys, false, err
	}
	has, err := of.keys(ctx)
	switch {
	case err != nil:
		return p, keys, false, err
	case has == 0:
		return p, keys, false, remediators.Terminal("redis %s is empty, and %s holds %s keys: nothing would be left", params.Of, s.address, amount(keys))
	case !params.Discard:
		return p, keys, false, remediators.Terminal("redis %s holds %s keys, which would be lost; write discard: true if that is meant", s.address, amount(keys))
	}
	return p, keys, false, nil
}

// keys counts those of all databases.
func (s server) keys(ctx context.Context) (int64, error) {
	text, err := s.Info(ctx, "keyspace").Result()
	if err != nil {
		return 0, failed(s.address, err, false)
	}
	var all int64
	for line := range strings.Lines(text) {
		_, counts, ok := strings.Cut(strings.TrimSpace(line), ":keys=")
		if !ok {
			continue
		}
		count, _, _ := strings.Cut(counts, ",")
		n, err := strconv.ParseInt(count, 10, 64)
		if err != nil {
			return 0, remediators.Terminal("redis %s: INFO keyspace has %q, want a number of keys", s.address, line)
		}
		all += n
	}
	return all, nil
}

// Plan implements [remediators.Remediator].
func (r *Replicate) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	params, err := replicateOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	_, s, err := standalone(r.instances, t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	defer closed(s)
	p, keys, follows, err := r.seen(ctx, s, t.Target, params)
	if err != nil {
		return engine.Plan{}, err
	}
	plan := engine.Plan{Target: engine.Target{System: engine.SystemRedis, Name: t.Target.Name}}
	if follows {
		plan.Summary, plan.Noop = fmt.Sprintf("%s follows %s already", t.Target.Name, params.Of), true
		return plan, nil
	}
	from := "primary"
	if p.Master != "" {
		from = "replica of " + p.Master
	}
	plan.Summary = fmt.Sprintf("make %s, at %s, a %s, a replica of %s, at %s; its own keys (%s) are thrown away", t.Target.Name, s.address, from, params.Of, p.Of, amount(keys))
	plan.Changes = []engine.Change{{Field: "role", From: from, To: "replica of " + p.Of}}
	if plan.Precondition, err = json.Marshal(p); err != nil {
		return engine.Plan{}, remediators.Terminal("redis %s: what was seen does not encode: %w", s.address, err)
	}
	return plan, nil
}

// Execute implements [remediators.Remediator]. It looks once more, right before.
func (r *Replicate) Execute(ctx context.Context, t engine.Task, plan engine.Plan) (engine.Outcome, error) {
	params, err := replicateOf(t)
	if err != nil {
		return engine.Outcome{}, err
	}
	planned, err := decodePair(plan.Precondition)
	if err != nil {
		return engine.Outcome{}, err
	}
	_, s, err := standalone(r.instances, plan.Target)
	if err != nil {
		return engine.Outcome{}, err
	}
	defer closed(s)
	fresh, keys, _, err := r.seen(ctx, s, plan.Target, params)
	switch {
	case err != nil:
		return engine.Outcome{}, err
	case fresh != planned:
		return engine.Outcome{}, remediators.PlanChanged("redis %s or %s was restarted or has changed its role since", plan.Target.Name, params.Of)
	}
	host, port, err := net.SplitHostPort(planned.Of)
	if err != nil {
		return engine.Outcome{}, remediators.Terminal("redis %s: %w", params.Of, err)
	}
	if err := s.Do(ctx, "replicaof", host, port).Err(); err != nil {
		return engine.Outcome{}, failed(s.address, err, true)
	}
	// Where nobody keeps it, only a crash right now would leave the outcome in doubt.
	_ = remediators.Checkpoint(ctx, plan.Precondition)
	now, err := s.state(ctx)
	switch {
	case err != nil:
		return engine.Outcome{}, remediators.UnknownOutcome("redis %s was told to follow %s, and then: %w", s.address, planned.Of, err)
	case now.primary() || now.master() != planned.Of:
		return engine.Outcome{}, remediators.UnknownOutcome("redis %s was told to follow %s, and is %s", s.address, planned.Of, now)
	}
	return engine.Outcome{Summary: fmt.Sprintf("%s, at %s, is a replica of %s, at %s; its own keys (%s) are thrown away", plan.Target.Name, s.address, params.Of, planned.Of, amount(keys))}, nil
}

func decodePair(raw json.RawMessage) (p pair, err error) {
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, remediators.Terminal("the plan's precondition, %q: %w", raw, err)
	}
	if p.Run == "" || p.Data == "" || p.Of == "" || p.OfRun == "" {
		return p, remediators.Terminal("the plan's precondition, %q, does not name both servers", raw)
	}
	return p, nil
}

// Observe implements [remediators.Remediator]. Only its checkpoint proves that the
// task's call was answered: anybody may have had the server follow the other.
func (*Replicate) Observe(ctx context.Context, _ engine.Task, plan engine.Plan) (engine.Effect, error) {
	if _, err := decodePair(plan.Precondition); err != nil {
		return engine.Unknown, err
	}
	if remediators.CheckpointOf(ctx) != nil {
		return engine.Applied, nil
	}
	return engine.Unknown, nil
}
