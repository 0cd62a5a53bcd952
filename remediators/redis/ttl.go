package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// TTL changes how long keys live on.
type TTL struct {
	instances Instances
	now       func() time.Time
}

// NewTTL makes the action. Now is what the rate goes by; ends of keys go by the
// server's own clock.
func NewTTL(instances Instances, now func() time.Time) *TTL { return &TTL{instances, now} }

const ttlSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["factor"],
  "properties": {` + selectionProperties + `,
    "factor": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000, "not": {"const": 1}, "description": "What is left of each key's life is multiplied by it. Keys without an end are left alone."},
    "max": {"type": "string", "description": "No key's life is extended beyond so long from now, as 24h. Needed where factor is above 1."}
  },
  ` + selectionChoice + `
}`

// Spec implements [remediators.Remediator].
func (*TTL) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "redis.ttl",
		System:  engine.SystemRedis,
		Summary: "Multiplies how long the keys that match a pattern live on, up to a maximum.",
		Params:  json.RawMessage(ttlSchema),
	}
}

type ttlParams struct {
	selection
	Factor float64 `json:"factor"`
	Max    string  `json:"max"`

	max time.Duration
}

const (
	maxFactor = 1000
	maxLife   = 3650 * 24 * time.Hour
	// maxKeys bounds the memory that remembers which keys were dealt with.
	maxKeys = 5_000_000
)

func ttlOf(t engine.Task) (p ttlParams, err error) {
	if err := decode(t, &p); err != nil {
		return p, err
	}
	if err = p.check(); err == nil && p.Max != "" {
		p.max, err = time.ParseDuration(p.Max)
	}
	switch {
	case err != nil:
	case !(p.Factor > 0 && p.Factor <= maxFactor) || p.Factor == 1:
		err = fmt.Errorf("factor: %v is not above 0 and up to %d, or is 1", p.Factor, maxFactor)
	case p.Max == "" && p.Factor > 1:
		err = errors.New("max is missing: say how long a key may live at most, as 24h")
	case p.Max != "" && (p.max < time.Second || p.max > maxLife):
		err = fmt.Errorf("max: %q is not from 1s to %v", p.Max, maxLife)
	case p.Max != "" && p.Factor < 1:
		err = errors.New("max is for a factor above 1: leave it out")
	}
	if err != nil {
		return p, remediators.Terminal("task %s: parameters of %s: %w", t.ID, t.Action, err)
	}
	return p, nil
}

// end is when a key is to end that ends at, both in milliseconds of the server's
// clock; false if it stays as it is.
func (p ttlParams) end(at, now int64) (int64, bool) {
	left := at - now
	if left <= 0 {
		return 0, false // it is gone, or has no end
	}
	to := int64(float64(left) * p.Factor)
	if p.Factor < 1 {
		return now + max(to, 1), max(to, 1) < left
	}
	to = min(to, p.max.Milliseconds())
	return now + to, to > left
}

// String is what is done, for people.
func (p ttlParams) String() string {
	if p.Factor < 1 {
		return fmt.Sprintf("multiply by %v the time to live of", p.Factor)
	}
	return fmt.Sprintf("multiply by %v, up to %v, the time to live of", p.Factor, p.max)
}

// Plan implements [remediators.Remediator]. How many keys there are is a guess from a
// sample, and is told by its size only; some of them may have no end.
func (a *TTL) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	p, err := ttlOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	return planned(ctx, a.instances, t, p.selection, p.String())
}

// Execute implements [remediators.Remediator].
func (a *TTL) Execute(ctx context.Context, t engine.Task, plan engine.Plan) (engine.Outcome, error) {
	p, err := ttlOf(t)
	if err != nil {
		return engine.Outcome{}, err
	}
	i, err := a.instances.find(plan.Target)
	if err != nil {
		return engine.Outcome{}, err
	}
	on, err := i.primaries(ctx)
	if err != nil {
		return engine.Outcome{}, err
	}
	defer closeAll(on)
	run := &extension{params: p, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}}
	for _, one := range on {
		err := p.each(ctx, one, a.now, func(keys []string) error { return run.extend(ctx, one, keys) })
		switch {
		case err != nil && run.changed > 0:
			return engine.Outcome{}, partly(err, false, "the time to live of %d keys in %s is changed, and then", run.changed, plan.Target.Name)
		case err != nil:
			return engine.Outcome{}, err
		}
	}
	return engine.Outcome{Summary: fmt.Sprintf("%s %s in %s: %d changed, of %d", p, p.selection, plan.Target.Name, run.changed, len(run.seen))}, nil
}

// extension is one run over the keys.
type extension struct {
	params ttlParams
	seed   maphash.Seed
	// seen are the hashes of keys that were dealt with: SCAN may give a key again
	// while a server rearranges its table, and again would multiply twice.
	seen    map[uint64]struct{}
	changed int64
}

// extend deals with some keys of a server.
func (e *extension) extend(ctx context.Context, on server, keys []string) error {
	var fresh []string
	for _, key := range keys {
		hash := maphash.String(e.seed, key)
		if _, again := e.seen[hash]; !again {
			e.seen[hash] = struct{}{}
			fresh = append(fresh, key)
		}
	}
	switch {
	case len(e.seen) > maxKeys:
		return remediators.Terminal("redis %s: more than %d keys match: use a pattern of fewer", on.address, maxKeys)
	case len(fresh) == 0:
		return nil
	}
	now, err := on.Time(ctx).Result()
	if err != nil {
		return failed(on.address, err, false)
	}
	ends, err := on.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, key := range fresh {
			pipe.Do(ctx, "pexpiretime", key)
		}
		return nil
	})
	if err != nil {
		return failed(on.address, err, false)
	}
	only := "gt"
	if e.params.Factor < 1 {
		only = "lt"
	}
	changes := on.Pipeline()
	for n, key := range fresh {
		one, ok := ends[n].(*redis.Cmd)
		if !ok {
			continue
		}
		at, err := one.Int64()
		if to, ok := e.params.end(at, now.UnixMilli()); err == nil && ok {
			changes.Do(ctx, "pexpireat", key, to, only)
		}
	}
	if changes.Len() == 0 {
		return nil
	}
	done, err := changes.Exec(ctx)
	for _, one := range done {
		if counted, ok := one.(*redis.Cmd); ok && counted.Err() == nil {
			n, _ := counted.Int64() // 1, or 0 for a key that is gone
			e.changed += n
		}
	}
	if err != nil {
		return failed(on.address, err, true)
	}
	return nil
}

// Observe implements [remediators.Remediator]. Nothing in a key tells whether its end
// was moved, and by whom.
func (*TTL) Observe(context.Context, engine.Task, engine.Plan) (engine.Effect, error) {
	return engine.Unknown, nil
}
