package redis

import (
	"context"
	"errors"
	"net"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/tripgen/paramedic/remediators"
)

// slots is how many hash slots a cluster has. Source:
// https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
const slots = 16384

// addresses are those of the servers that take the instance's writes.
func (i *Instance) addresses(ctx context.Context) ([]string, error) {
	switch {
	case i.config.Sentinel != nil:
		address, err := i.askSentinels(ctx)
		return []string{address}, err
	case len(i.config.Cluster) > 0:
		return i.askCluster(ctx)
	}
	return []string{i.config.Address}, nil
}

// askSentinels takes the word of the first sentinel that answers.
func (i *Instance) askSentinels(ctx context.Context) (string, error) {
	var failed []error
	s := i.config.Sentinel
	for _, address := range s.Addresses {
		found, err := i.askSentinel(ctx, address)
		if err == nil {
			return found, nil
		}
		failed = append(failed, err)
	}
	return "", remediators.Retryable(0, "no sentinel tells the primary %q: %w", s.Master, errors.Join(failed...))
}

func (i *Instance) askSentinel(ctx context.Context, address string) (string, error) {
	s := i.config.Sentinel
	sentinel, err := i.connect(address, s.Username, s.Password, 0)
	if err != nil {
		return "", err
	}
	defer closed(sentinel)
	parts, err := sentinel.Do(ctx, "sentinel", "get-master-addr-by-name", s.Master).StringSlice()
	switch {
	case err != nil && !errors.Is(err, redis.Nil):
		return "", failed(sentinel.address, err, false)
	case len(parts) != 2:
		return "", remediators.Terminal("sentinel %s knows no primary %q", address, s.Master)
	}
	return net.JoinHostPort(parts[0], parts[1]), nil
}

// askCluster takes the map of the first node that answers with a whole one: of a
// cluster that has lost a part, only a part would be changed.
func (i *Instance) askCluster(ctx context.Context) ([]string, error) {
	var errs []error
	for _, address := range i.config.Cluster {
		found, err := i.askNode(ctx, address)
		if err == nil {
			return found, nil
		}
		errs = append(errs, err)
	}
	return nil, remediators.Retryable(0, "no node tells the whole cluster: %w", errors.Join(errs...))
}

func (i *Instance) askNode(ctx context.Context, address string) ([]string, error) {
	node, err := i.open(address)
	if err != nil {
		return nil, err
	}
	defer closed(node)
	shards, err := node.ClusterShards(ctx).Result()
	if err != nil {
		return nil, failed(address, err, false)
	}
	var all []string
	served := int64(0)
	for _, shard := range shards {
		primary, ok := i.primaryOf(shard, address)
		if !ok || len(shard.Slots) == 0 {
			continue
		}
		all = append(all, primary)
		for _, r := range shard.Slots {
			served += r.End - r.Start + 1
		}
	}
	if served != slots {
		return nil, remediators.Retryable(0, "redis %s: the cluster serves %d of its %d slots", address, served, slots)
	}
	return all, nil
}

// primaryOf is the address of the node of a shard that takes its writes, if it is well.
// A node that does not know its own name is where it was asked.
func (i *Instance) primaryOf(shard redis.ClusterShard, asked string) (string, bool) {
	for _, n := range shard.Nodes {
		if n.Role != "master" || n.Health != "online" {
			continue
		}
		host, port := n.Endpoint, n.Port
		if i.config.TLS != nil {
			port = n.TLSPort
		}
		if host == "" || host == "?" {
			var err error
			if host, _, err = net.SplitHostPort(asked); err != nil {
				return "", false
			}
		}
		return net.JoinHostPort(host, strconv.FormatInt(port, 10)), true
	}
	return "", false
}
