package bus

import (
	"context"
	"fmt"
)

// Triggers is the bucket in which triggers keep what they concluded. Keys are any
// strings; entries stay until they are replaced or deleted.
type Triggers struct{ kv bucket }

// Triggers gives access to the bucket TRIGGERS.
func (b *Bus) Triggers() *Triggers { return &Triggers{kv: b.bucket(streamTriggers)} }

// List reads every key that has a value from the leader, with its revision.
func (t *Triggers) List(ctx context.Context) (map[string]uint64, error) { return t.kv.revisions(ctx) }

// Get reads a key from the leader. Without a value it gives ErrNotFound, and the
// revision to be given to Put.
func (t *Triggers) Get(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	return t.kv.get(ctx, key)
}

// Put replaces the value whose revision is given, 0 for a key that never had one,
// and returns the new revision; ErrConflict if it was changed meanwhile. Any other
// error leaves open whether it was written.
func (t *Triggers) Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	next, err := t.kv.put(ctx, key, value, revision, "")
	if err != nil {
		return 0, fmt.Errorf("put trigger record %s: %w", key, err)
	}
	return next, nil
}

// Delete removes the value whose revision is given; ErrConflict if it was changed
// meanwhile.
func (t *Triggers) Delete(ctx context.Context, key string, revision uint64) error {
	if revision == 0 {
		return nil // it never was there
	}
	if _, err := t.kv.put(ctx, key, nil, revision, opDelete); err != nil {
		return fmt.Errorf("delete trigger record %s: %w", key, err)
	}
	return nil
}
