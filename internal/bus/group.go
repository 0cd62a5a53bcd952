package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// defaultGroup is the worker group of those that are not configured for another.
const defaultGroup = "default"

// claimsShare is the share of MaxStore, in thousandths, that the claims of each
// group beside the default one may take. It comes on top of the others'.
const claimsShare = 10

// BucketPauses is the key-value bucket of the kill switch.
const BucketPauses = "PAUSES"

// ClaimsBucket is the key-value bucket of a group's claims: CLAIMS for the group
// default, which had it before there were others, and else CLAIMS_<group>. Each
// is a stream of its own because the right to read one cannot be given in part.
func ClaimsBucket(group string) string {
	if group == defaultGroup {
		return "CLAIMS"
	}
	return "CLAIMS_" + group
}

func claimsStream(group string) string { return "KV_" + ClaimsBucket(group) }

// claimsOf is the stream of a group's claims.
func claimsOf(group string) jetstream.StreamConfig {
	return keys(claimsStream(group), "$KV."+ClaimsBucket(group)+".>", 7*day)
}

// EnsureClaims makes the claims of a worker group, or brings them into shape.
// They are the hub's to make: a worker that could make streams could make any.
func (b *Bus) EnsureClaims(ctx context.Context, group string) error {
	if !tokenPattern.MatchString(group) {
		return checkWork(group, "claims")
	}
	if group == defaultGroup {
		return nil
	}
	cfg := claimsOf(group)
	cfg.MaxBytes, cfg.Replicas = b.cfg.MaxStore/1000*claimsShare, b.cfg.Replicas
	s, err := b.ensure(ctx, cfg, claimsShare)
	if err != nil {
		return fmt.Errorf("stream %s: %w", cfg.Name, err)
	}
	b.addGroup(cfg.Name, s)
	return nil
}

// EnsureWork makes the consumer from which the workers of a group pull, named
// like the group, and sets within what time they must answer or keep a task
// alive. It, too, is the hub's to make.
func (b *Bus) EnsureWork(ctx context.Context, group string, ackWait time.Duration) error {
	if err := checkWork(group, "work"); err != nil {
		return err
	}
	return b.retry(ctx, "work consumer "+group, func(ctx context.Context) error {
		_, err := b.js.CreateOrUpdateConsumer(ctx, StreamWork, jetstream.ConsumerConfig{
			Durable: group, FilterSubject: "work." + group + ".>",
			AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1, MaxAckPending: workMaxPending,
		})
		return err
	})
}

// WorkLeft is how many tasks of a group are waiting or in somebody's hands.
func (b *Bus) WorkLeft(ctx context.Context, group string) (uint64, error) {
	var left uint64
	err := b.retry(ctx, "work consumer "+group, func(ctx context.Context) error {
		c, err := b.js.Consumer(ctx, StreamWork, group)
		if err == nil {
			info := c.CachedInfo()
			left = info.NumPending + uint64(max(info.NumAckPending, 0))
		}
		return err
	})
	return left, err
}

// bind finds what the hub has made for the group that is joined.
func (b *Bus) bind(ctx context.Context) error {
	if err := checkWork(b.cfg.Join, "join"); err != nil {
		return err
	}
	for _, name := range []string{streamPauses, claimsStream(b.cfg.Join)} {
		err := b.await(ctx, "stream "+name, func(ctx context.Context) error {
			s, err := b.js.Stream(ctx, name)
			if err == nil {
				b.addGroup(name, s)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("join as worker group %q: %w", b.cfg.Join, err)
		}
	}
	return nil
}

// boundWork finds the consumer of a group and returns its ack wait.
func (b *Bus) boundWork(ctx context.Context, group string) (time.Duration, error) {
	var wait time.Duration
	err := b.await(ctx, "work consumer "+group, func(ctx context.Context) error {
		c, err := b.js.Consumer(ctx, StreamWork, group)
		if err == nil {
			wait = c.CachedInfo().Config.AckWait
		}
		return err
	})
	return wait, err
}

// codeNoJetStream: the account has no streams. See server/errors.json of nats-server.
const codeNoJetStream jetstream.ErrorCode = 10039

// await repeats f until what it looks for is there, or ctx ends.
func (b *Bus) await(ctx context.Context, what string, f func(context.Context) error) error {
	for told := false; ; told = true {
		err := b.retry(ctx, what, f)
		api, isAPI := errors.AsType[*jetstream.APIError](err)
		switch {
		case err == nil:
			return nil
		case isAPI && api.ErrorCode == codeNoJetStream && b.cfg.Domain == "":
			return fmt.Errorf("%w: with credentials of \"paramedic bus credentials\", name the domain that it printed", err)
		case ctx.Err() != nil:
			return fmt.Errorf("%w: the hub makes it for the groups that it routes to, and only that group's credentials may see it", err)
		case !errors.Is(err, jetstream.ErrStreamNotFound) && !errors.Is(err, jetstream.ErrConsumerNotFound):
			return err
		}
		if !told {
			b.log.Warn("bus waits for the hub to make what this worker group needs", "group", b.cfg.Join, "what", what)
		}
		if err := b.pause(ctx, backoffMax); err != nil {
			return fmt.Errorf("%s is not there: %w: the hub makes it for the groups that it routes to: name the group at a cluster there", what, err)
		}
	}
}

func (b *Bus) addGroup(name string, s jetstream.Stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.groups[name] = s
}

// stream is a stream that was made or bound.
func (b *Bus) stream(name string) (jetstream.Stream, error) {
	if s, ok := b.streams[name]; ok {
		return s, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s, ok := b.groups[name]; ok {
		return s, nil
	}
	// No ErrNotFound, which would be taken for a key that is not there.
	return nil, fmt.Errorf("stream %s: this process has neither made it nor joined for it", name)
}
