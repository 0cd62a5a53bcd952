package bus

import (
	"context"
	"errors"
)

// Progress is the bucket in which those who follow a stream keep how far they
// came. Entries stay until they are replaced.
type Progress struct{ kv bucket }

// Progress gives access to the bucket PROGRESS.
func (b *Bus) Progress() *Progress { return &Progress{kv: b.bucket(streamProgress)} }

// Save replaces the value of a key.
func (p *Progress) Save(ctx context.Context, key string, value []byte) error {
	_, err := p.kv.put(ctx, key, value, anyRevision, "")
	return err
}

// Load reads a key from the leader; nil for one that was never saved.
func (p *Progress) Load(ctx context.Context, key string) ([]byte, error) {
	value, _, err := p.kv.get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return value, err
}
