package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Clear removes keys of a cache.
type Clear struct {
	instances Instances
	now       func() time.Time
}

// NewClear makes the action. Now is what the rate goes by.
func NewClear(instances Instances, now func() time.Time) *Clear { return &Clear{instances, now} }

const clearSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {` + selectionProperties + `
  },
  ` + selectionChoice + `
}`

// Spec implements [remediators.Remediator].
func (*Clear) Spec() remediators.Spec {
	return remediators.Spec{
		Name:       "redis.clear",
		System:     engine.SystemRedis,
		Summary:    "Unlinks the keys that match a pattern, so many a second, or flushes the database where that is written.",
		Params:     json.RawMessage(clearSchema),
		Idempotent: true,
	}
}

func clearing(t engine.Task) (s selection, err error) {
	if err := decode(t, &s); err != nil {
		return s, err
	}
	if err := s.check(); err != nil {
		return s, remediators.Terminal("task %s: parameters of %s: %w", t.ID, t.Action, err)
	}
	return s, nil
}

// Plan implements [remediators.Remediator]. How many keys there are is a guess from a
// sample, and is told by its size only.
func (c *Clear) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	s, err := clearing(t)
	if err != nil {
		return engine.Plan{}, err
	}
	return planned(ctx, c.instances, t, s, "unlink")
}

// planned is the plan of what is done to all keys of a selection.
func planned(ctx context.Context, instances Instances, t engine.Task, s selection, what string) (engine.Plan, error) {
	i, err := instances.find(t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	on, err := i.primaries(ctx)
	if err != nil {
		return engine.Plan{}, err
	}
	defer closeAll(on)
	n, whole, err := s.estimate(ctx, on)
	if err != nil {
		return engine.Plan{}, err
	}
	target := engine.Target{System: engine.SystemRedis, Name: t.Target.Name}
	if n == 0 && whole {
		return engine.Plan{Target: target, Summary: fmt.Sprintf("%s in %s: there are none", s, target.Name), Noop: true}, nil
	}
	return engine.Plan{
		Target:  target,
		Summary: fmt.Sprintf("%s %s in database %d of %s, %s by a sample", what, s, i.config.DB, target.Name, amount(n)),
	}, nil
}

// Execute implements [remediators.Remediator].
func (c *Clear) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	s, err := clearing(t)
	if err != nil {
		return engine.Outcome{}, err
	}
	i, err := c.instances.find(p.Target)
	if err != nil {
		return engine.Outcome{}, err
	}
	on, err := i.primaries(ctx)
	if err != nil {
		return engine.Outcome{}, err
	}
	defer closeAll(on)
	var gone int64
	for at, one := range on {
		n, err := c.clear(ctx, one, s, len(i.config.Cluster) > 0)
		if gone += n; err != nil && (gone > 0 || at > 0) {
			return engine.Outcome{}, partly(err, true, "%d keys are unlinked in %s, and then", gone, p.Target.Name)
		} else if err != nil {
			return engine.Outcome{}, err
		}
	}
	if s.All {
		return engine.Outcome{Summary: fmt.Sprintf("flushed database %d of %s, of %d keys", i.config.DB, p.Target.Name, gone)}, nil
	}
	return engine.Outcome{Summary: fmt.Sprintf("unlinked %s in %s: %d of them", s, p.Target.Name, gone)}, nil
}

// clear removes keys of one server and counts them.
func (c *Clear) clear(ctx context.Context, on server, s selection, cluster bool) (gone int64, err error) {
	if s.All {
		size, err := on.DBSize(ctx).Result()
		if err != nil {
			return 0, failed(on.address, err, false)
		}
		if err := on.FlushDBAsync(ctx).Err(); err != nil {
			return 0, failed(on.address, err, true)
		}
		return size, nil
	}
	err = s.each(ctx, on, c.now, func(keys []string) error {
		n, err := unlink(ctx, on, keys, cluster)
		gone += n
		return err
	})
	return gone, err
}

// unlink removes some keys. Those of a cluster lie in different slots, of which one
// command may name one only.
func unlink(ctx context.Context, on server, keys []string, cluster bool) (int64, error) {
	if !cluster {
		n, err := on.Unlink(ctx, keys...).Result()
		if err != nil {
			return n, failed(on.address, err, true)
		}
		return n, nil
	}
	var gone int64
	done, err := on.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, key := range keys {
			pipe.Unlink(ctx, key)
		}
		return nil
	})
	for _, one := range done {
		if counted, ok := one.(*redis.IntCmd); ok && counted.Err() == nil {
			gone += counted.Val()
		}
	}
	if err != nil {
		return gone, failed(on.address, err, true)
	}
	return gone, nil
}

// Observe implements [remediators.Remediator]. Keys may have been written again since,
// and others may have removed them, so nothing tells; done again, it is done.
func (*Clear) Observe(context.Context, engine.Task, engine.Plan) (engine.Effect, error) {
	return engine.Unknown, nil
}
