package azure

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

const (
	kindRedis    = "Microsoft.Cache/redis"
	redisVersion = "2024-11-01"
)

// RedisFlush deletes all keys of an Azure Cache for Redis
// (https://learn.microsoft.com/rest/api/redis/redis/flush-cache).
type RedisFlush struct{ press }

// NewRedisFlush makes the action.
func NewRedisFlush(accounts Accounts) *RedisFlush {
	return &RedisFlush{press{
		accounts: accounts, kind: kindRedis, version: redisVersion, verb: "flush", look: lookToFlush,
		spec: remediators.Spec{
			Name:    "azure.redis.flush",
			System:  engine.SystemAzure,
			Summary: "Deletes all keys of an Azure Cache for Redis, in all of its databases; nothing brings them back.",
			Params:  json.RawMessage(`{"type": "object", "additionalProperties": false}`),
		},
	}}
}

// RedisReboot reboots nodes of an Azure Cache for Redis. With all of them, and with the
// primary of one that does not persist, keys are lost
// (https://learn.microsoft.com/rest/api/redis/redis/force-reboot).
type RedisReboot struct{ press }

// NewRedisReboot makes the action.
func NewRedisReboot(accounts Accounts) *RedisReboot {
	return &RedisReboot{press{
		accounts: accounts, kind: kindRedis, version: redisVersion, verb: "forceReboot", look: lookToReboot,
		spec: remediators.Spec{
			Name:    "azure.redis.reboot",
			System:  engine.SystemAzure,
			Summary: "Reboots nodes of an Azure Cache for Redis; keys that are not persisted may be lost.",
			Params: json.RawMessage(`{
  "type": "object",
  "additionalProperties": false,
  "required": ["nodes"],
  "properties": {
    "nodes": {"enum": ["primary", "secondary", "all"], "description": "Which of each shard's nodes."},
    "shard": {"type": "integer", "minimum": 0, "maximum": 29, "description": "Only this shard of a clustered cache."}
  }
}`),
		},
	}}
}

// readyRedis reads a cache, which Azure must have nothing to do with right now.
func readyRedis(ctx context.Context, at place) (what string, shards int, err error) {
	what = "Redis cache " + at.String()
	var is struct {
		Properties struct {
			State  string `json:"provisioningState"`
			Shards int    `json:"shardCount"`
		} `json:"properties"`
	}
	if err := at.get(ctx, what, at.path(kindRedis), redisVersion, nil, &is); err != nil {
		return what, 0, err
	}
	if is.Properties.State != succeeded {
		return what, 0, remediators.Retryable(0, "azure: %s: Azure is at it: %s", what, is.Properties.State)
	}
	return what, is.Properties.Shards, nil
}

func lookToFlush(ctx context.Context, t engine.Task, at place) (pressed, error) {
	if err := decodeParams(t, &struct{}{}); err != nil {
		return pressed{}, err
	}
	what, _, err := readyRedis(ctx, at)
	return pressed{What: what, Summary: "delete all keys of " + what, Done: "deleted all keys of " + what}, err
}

func lookToReboot(ctx context.Context, t engine.Task, at place) (pressed, error) {
	var params struct {
		Nodes string `json:"nodes"`
		Shard *int   `json:"shard"`
	}
	if err := decodeParams(t, &params); err != nil {
		return pressed{}, err
	}
	// As in RebootType of the API.
	kind, known := map[string]string{"primary": "PrimaryNode", "secondary": "SecondaryNode", "all": "AllNodes"}[params.Nodes]
	if !known {
		return pressed{}, badParams(t, "nodes is %q: want primary, secondary or all", params.Nodes)
	}
	what, shards, err := readyRedis(ctx, at)
	if err != nil {
		return pressed{}, err
	}
	body, nodes := map[string]any{"rebootType": kind}, "the "+params.Nodes+" node"
	if params.Nodes == "all" {
		nodes = "all nodes"
	}
	if params.Shard != nil {
		if *params.Shard < 0 || *params.Shard >= shards {
			return pressed{}, remediators.Terminal("azure: %s has no shard %d: it has %d", what, *params.Shard, shards)
		}
		body["shardId"] = *params.Shard
		nodes += fmt.Sprintf(" of shard %d", *params.Shard)
	}
	b, err := json.Marshal(body)
	if err != nil {
		return pressed{}, remediators.Terminal("azure: %s: %w", what, err)
	}
	return pressed{What: what, Summary: "reboot " + nodes + " of " + what, Done: "rebooted " + nodes + " of " + what, Body: b}, nil
}
