package bus

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// snapshotChunk is the size of the messages that a snapshot is cut into; each
// is synced by itself, so they are large.
const snapshotChunk = 1 << 20

// snapshotTimeout bounds one operation; without a deadline the client would
// give up after five seconds, which a slow disk needs for a large snapshot.
const snapshotTimeout = time.Minute

// PutSnapshot stores data under name, replacing what was there. It is whole or
// absent for every reader, which a digest ensures.
func (b *Bus) PutSnapshot(ctx context.Context, name string, data []byte) error {
	if err := b.enter(); err != nil {
		return fmt.Errorf("snapshot %s: %w", name, err)
	}
	defer b.leave()
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	meta := jetstream.ObjectMeta{Name: name, Opts: &jetstream.ObjectMetaOptions{ChunkSize: snapshotChunk}}
	if _, err := b.snaps.Put(ctx, meta, bytes.NewReader(data)); err != nil {
		if _, typed := classify(err); errors.Is(typed, ErrFull) {
			err = typed
		}
		return fmt.Errorf("snapshot %s: %w", name, err)
	}
	return nil
}

// GetSnapshot reads a snapshot and checks its digest; ErrNotFound if it is not there.
func (b *Bus) GetSnapshot(ctx context.Context, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	data, err := b.snaps.GetBytes(ctx, name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", name, err)
	}
	return data, nil
}

// ListSnapshots gives the names, the most recently stored first; none is no error.
func (b *Bus) ListSnapshots(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	infos, err := b.snaps.List(ctx)
	if errors.Is(err, jetstream.ErrNoObjectsFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	slices.SortFunc(infos, func(x, y *jetstream.ObjectInfo) int {
		return cmp.Or(y.ModTime.Compare(x.ModTime), cmp.Compare(y.Name, x.Name))
	})
	names := make([]string, 0, len(infos))
	for _, i := range infos {
		names = append(names, i.Name)
	}
	return names, nil
}

// DeleteSnapshot removes a snapshot; one that is not there is no error.
func (b *Bus) DeleteSnapshot(ctx context.Context, name string) error {
	if err := b.snaps.Delete(ctx, name); err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) {
		return fmt.Errorf("delete snapshot %s: %w", name, err)
	}
	return nil
}
