package bus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Names of the streams, for those who look at the bus with other tools.
const (
	StreamInbox      = "INBOX"
	StreamLedger     = "LEDGER"
	StreamWork       = "WORK"
	StreamDead       = "DEAD"
	StreamQuarantine = "QUARANTINE"
	streamClaims     = "KV_CLAIMS"
	streamProgress   = "KV_PROGRESS"
	streamTriggers   = "KV_TRIGGERS"
	streamPauses     = "KV_PAUSES"
	streamLeader     = "KV_LEADER"
	streamSnapshots  = "OBJ_SNAPSHOTS"
	bucketSnapshots  = "SNAPSHOTS"

	dedupWindow = 2 * time.Minute
	// The server holds about 105 bytes of heap an id, and INBOX takes thousands
	// of messages a second. Half a minute outlasts the repeats of one request;
	// later ones are recognised by their operation id.
	inboxDedupWindow = 30 * time.Second

	externalMaxStore = 10 << 30
	day              = 24 * time.Hour
)

// definition is one stream and its share of MaxStore, in thousandths.
type definition struct {
	share int64
	cfg   jetstream.StreamConfig
}

// limits is a stream that keeps what it has until that is too old.
func limits(name, subject string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: name, Subjects: []string{subject}, Retention: jetstream.LimitsPolicy,
		Discard: jetstream.DiscardNew, Duplicates: dedupWindow,
	}
}

// keys is the stream of a key-value bucket.
func keys(name, subject string, ttl time.Duration) jetstream.StreamConfig {
	c := limits(name, subject)
	c.MaxMsgsPerSubject, c.AllowRollup, c.DenyDelete, c.MaxAge = 1, true, true, ttl
	return c
}

// definitions lists every stream but the claims of groups. DiscardNew wherever losing the oldest would
// break a promise; the shares leave a little to spare.
func definitions() []definition {
	inbox := limits(StreamInbox, "inbox.>")
	inbox.Duplicates = inboxDedupWindow
	ledger := limits(StreamLedger, "ledger.>")
	ledger.DenyDelete, ledger.DenyPurge = true, true
	work := limits(StreamWork, "work.>")
	work.Retention = jetstream.WorkQueuePolicy
	// The ledger keeps the outcome; a dead letter is a copy for a person, so
	// the oldest may go.
	dead := limits(StreamDead, "dead.>")
	dead.Discard, dead.MaxAge = jetstream.DiscardOld, 90*day
	quarantine := limits(StreamQuarantine, "quarantine.>")
	quarantine.MaxAge = 90 * day
	snapshots := limits(streamSnapshots, "$O."+bucketSnapshots+".C.>")
	snapshots.Subjects = append(snapshots.Subjects, "$O."+bucketSnapshots+".M.>")
	snapshots.AllowRollup = true
	return []definition{
		{400, inbox},
		{300, ledger},
		{60, work},
		{30, dead},
		{50, quarantine},
		{100, snapshots},
		{40, claimsOf(defaultGroup)},
		{5, keys(streamPauses, "$KV.PAUSES.>", 0)},
		{5, keys(streamLeader, "$KV.LEADER.>", day)},
		{5, keys(streamProgress, "$KV.PROGRESS.>", 0)},
		{3, keys(streamTriggers, "$KV.TRIGGERS.>", 0)},
	}
}

// setup brings every stream into shape and binds to it.
func (b *Bus) setup(ctx context.Context) error {
	for _, d := range definitions() {
		d.cfg.MaxBytes, d.cfg.Replicas = b.cfg.MaxStore/1000*d.share, b.cfg.Replicas
		s, err := b.ensure(ctx, d.cfg, d.share)
		if err != nil {
			return fmt.Errorf("stream %s: %w", d.cfg.Name, err)
		}
		b.streams[d.cfg.Name] = s
	}
	var err error
	if b.snaps, err = b.js.ObjectStore(ctx, bucketSnapshots); err != nil {
		return fmt.Errorf("object store %s: %w", bucketSnapshots, err)
	}
	if b.srv != nil {
		// Whoever held a lease lived in a process that is gone, because the
		// server lives in ours; nobody need wait for it to run out.
		if err := b.streams[streamLeader].Purge(ctx); err != nil {
			return fmt.Errorf("stream %s: %w", streamLeader, err)
		}
	}
	return nil
}

// ensure creates the stream, or updates what this package decides about it and
// leaves the rest (placement, description, metadata) as its owner set it.
func (b *Bus) ensure(ctx context.Context, want jetstream.StreamConfig, share int64) (jetstream.Stream, error) {
	created := want
	created.Storage, created.Replicas = jetstream.FileStorage, max(want.Replicas, 1)
	if created.MaxBytes == 0 {
		created.MaxBytes = externalMaxStore / 1000 * share
	}
	var s jetstream.Stream
	err := b.retry(ctx, "create or update", func(ctx context.Context) error {
		var err error
		s, err = b.js.Stream(ctx, want.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			// A concurrent creator with the same configuration is no conflict.
			s, err = b.js.CreateStream(ctx, created)
			return err
		}
		if err != nil {
			return err
		}
		info := s.CachedInfo()
		cfg := merge(info.Config, want, int64(info.State.Bytes)) //nolint:gosec // below MaxStore
		if reflect.DeepEqual(cfg, info.Config) {
			return nil
		}
		s, err = b.js.UpdateStream(ctx, cfg)
		return err
	})
	return s, err
}

// merge puts what this package decides over the existing configuration. A limit
// is never set below what is stored already; limit and replicas of 0 mean that
// nothing was configured, and the owner's stay.
func merge(have, want jetstream.StreamConfig, stored int64) jetstream.StreamConfig {
	out := have
	out.Subjects, out.Retention, out.Discard = want.Subjects, want.Retention, want.Discard
	out.Duplicates, out.MaxAge, out.MaxMsgsPerSubject = want.Duplicates, want.MaxAge, have.MaxMsgsPerSubject
	if want.MaxMsgsPerSubject > 0 {
		out.MaxMsgsPerSubject = want.MaxMsgsPerSubject
	}
	if want.MaxBytes != 0 {
		out.MaxBytes = max(want.MaxBytes, stored)
	}
	if want.Replicas != 0 {
		out.Replicas = want.Replicas
	}
	out.AllowRollup, out.DenyDelete, out.DenyPurge = want.AllowRollup, want.DenyDelete, want.DenyPurge
	out.AllowDirect = false
	return out
}
