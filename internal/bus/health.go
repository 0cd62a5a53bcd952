package bus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// diskReserve is what must be free on the disk beside the store's own limit:
// others may have filled it.
const diskReserve = 32 << 20

// Health returns nil when publishes can be made durable: connected, the server
// fit, every stream that takes promises with a leader and room. It asks the
// server, so bound it by ctx; ErrFull tells a full store from an absent one.
func (b *Bus) Health(ctx context.Context) error {
	b.mu.Lock()
	closing := b.closing
	b.mu.Unlock()
	if closing {
		return ErrClosed
	}
	if s := b.nc.Status(); s != nats.CONNECTED {
		return fmt.Errorf("bus connection is %s: %w", s, nats.ErrDisconnected)
	}
	if b.cfg.Join != "" {
		// What a group's credentials allow says nothing of the streams.
		ctx, cancel := b.bounded(ctx)
		defer cancel()
		if err := b.nc.FlushWithContext(ctx); err != nil {
			return fmt.Errorf("a round trip on the bus: %w", err)
		}
		return nil
	}
	if b.srv != nil {
		if err := b.serverHealth(); err != nil {
			return err
		}
	} else if err := b.accountHealth(ctx); err != nil {
		return err
	}
	var errs []error
	for _, name := range []string{StreamInbox, StreamLedger, StreamWork, streamClaims} {
		errs = append(errs, b.streamHealth(ctx, name))
	}
	return errors.Join(errs...)
}

func (b *Bus) serverHealth() error {
	h := b.srv.Healthz(&server.HealthzOptions{})
	if h.StatusCode != http.StatusOK {
		return fmt.Errorf("embedded server is not healthy: status %d, %s", h.StatusCode, h.Error)
	}
	info, err := b.srv.Jsz(&server.JSzOptions{})
	if err != nil {
		return fmt.Errorf("embedded server: %w", err)
	}
	if limit := uint64(max(b.cfg.MaxStore, 0)); info.Store >= limit {
		return fmt.Errorf("%w: the streams hold %d bytes of %d (MaxStore)", ErrFull, info.Store, limit)
	}
	free, err := diskFree(b.cfg.Dir)
	if err != nil {
		return err
	}
	if free < diskReserve {
		return fmt.Errorf("%w: the disk of %s has %d bytes left, want %d", ErrFull, b.cfg.Dir, free, diskReserve)
	}
	return nil
}

// accountHealth looks at the limits that a cluster's owner gave to our account.
func (b *Bus) accountHealth(ctx context.Context) error {
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	info, err := b.js.AccountInfo(ctx)
	if err != nil {
		return fmt.Errorf("account on the cluster: %w", err)
	}
	tiers := []jetstream.Tier{info.Tier}
	for _, t := range info.Tiers {
		tiers = append(tiers, t)
	}
	for _, t := range tiers {
		if limit := t.Limits.MaxStore; limit > 0 && t.Store >= uint64(limit) {
			return fmt.Errorf("%w: the account stores %d bytes of %d", ErrFull, t.Store, limit)
		}
	}
	return nil
}

func (b *Bus) streamHealth(ctx context.Context, name string) error {
	// Bounded, because a stream without a leader does not answer at all.
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return fmt.Errorf("stream %s: %w", name, err)
	}
	info := s.CachedInfo()
	if c := info.Cluster; c != nil && c.Leader == "" {
		return fmt.Errorf("stream %s has no leader", name)
	}
	return b.room(info)
}

// room says whether a stream takes messages: below 95% of its limit, and, after
// it refused one, with room for that one.
func (b *Bus) room(info *jetstream.StreamInfo) error {
	name, limit := info.Config.Name, info.Config.MaxBytes
	if limit <= 0 {
		return nil
	}
	stored := int64(min(info.State.Bytes, math.MaxInt64))
	b.mu.Lock()
	defer b.mu.Unlock()
	if stored+max(b.full[name], limit/20) > limit {
		return fmt.Errorf("stream %s: %w: it holds %d bytes of %d", name, ErrFull, stored, limit)
	}
	delete(b.full, name)
	return nil
}

// noteFull remembers what a stream had no room for.
func (b *Bus) noteFull(stream string, size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full[stream] = max(b.full[stream], size)
}
