package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// bucket is a key-value bucket in the layout of NATS ADR-8, so that other tools
// read it. Writes carry an id of their own, because an attempt whose answer was
// lost finds its own value in the way when it is repeated.
type bucket struct {
	b      *Bus
	stream string
	prefix string
}

func (b *Bus) bucket(stream string) bucket {
	return bucket{b: b, stream: stream, prefix: "$KV." + strings.TrimPrefix(stream, "KV_") + "."}
}

const (
	opDelete    = "DEL"
	anyRevision = ^uint64(0)
	// keyTries bounds how long a failed comparison without anything to compare
	// with is taken for a write that is still on its way.
	keyTries = 10
)

// put writes value if the key's revision is rev: 0 when it must not exist,
// anyRevision to write regardless. ErrConflict if it is another.
func (k bucket) put(ctx context.Context, key string, value []byte, rev uint64, op string) (uint64, error) {
	token, err := encodeKey(key)
	if err != nil {
		return 0, err
	}
	o := outgoing{stream: k.stream, subject: k.prefix + token, id: nuid.Next(), data: value, op: op}
	if rev != anyRevision {
		o.cas, o.expect = headerLastSubj, rev
	}
	ack, err := k.b.publish(ctx, o)
	if err == nil {
		return ack.Sequence, nil
	}
	if v, _ := classify(err); v != wrongLast {
		return 0, err
	}
	return k.settle(ctx, o, err)
}

// settle finds out against what a comparison failed: another's value, or our
// own, stored by an attempt whose answer was lost.
func (k bucket) settle(ctx context.Context, o outgoing, cause error) (uint64, error) {
	for range keyTries {
		there, err := k.b.lastOf(ctx, k.stream, o.subject)
		switch {
		case err == nil && there.ID == o.id:
			return there.Seq, nil
		case err == nil && there.Seq != o.expect:
			return 0, fmt.Errorf("%w: revision %d stands where %d was expected", ErrConflict, there.Seq, o.expect)
		case errors.Is(err, ErrNotFound) && o.expect != 0:
			return 0, fmt.Errorf("%w: revision %d is gone", ErrConflict, o.expect)
		case err != nil && !errors.Is(err, ErrNotFound):
			return 0, &PublishError{Subject: o.subject, ID: o.id, Ambiguous: true, Err: errors.Join(cause, err)}
		}
		if err := k.b.pause(ctx, attemptTimeout/keyTries); err != nil {
			cause = errors.Join(cause, err)
			break
		}
	}
	return 0, &PublishError{Subject: o.subject, ID: o.id, Ambiguous: true, Err: cause}
}

// get reads the key from the leader. A deleted key gives ErrNotFound and the
// revision of its deletion.
func (k bucket) get(ctx context.Context, key string) (value []byte, rev uint64, err error) {
	token, err := encodeKey(key)
	if err != nil {
		return nil, 0, err
	}
	m, err := k.b.lastOf(ctx, k.stream, k.prefix+token)
	if err != nil {
		return nil, 0, err
	}
	if m.op != "" {
		return nil, m.Seq, fmt.Errorf("read %s: %w", key, ErrNotFound)
	}
	return m.Data, m.Seq, nil
}

// list reads every key that has a value from the leader.
func (k bucket) list(ctx context.Context) (map[string][]byte, error) {
	out := map[string][]byte{}
	return out, k.each(ctx, func(key string, m Msg) { out[key] = m.Data })
}

// revisions reads the revision of every key that has a value, likewise.
func (k bucket) revisions(ctx context.Context) (map[string]uint64, error) {
	out := map[string]uint64{}
	return out, k.each(ctx, func(key string, m Msg) { out[key] = m.Seq })
}

// each reads every key that has a value from the leader.
func (k bucket) each(ctx context.Context, see func(key string, m Msg)) error {
	info, err := k.b.info(ctx, k.stream, jetstream.WithSubjectFilter(k.prefix+">"))
	if err != nil {
		return err
	}
	for subject := range info.State.Subjects {
		key, err := decodeKey(strings.TrimPrefix(subject, k.prefix))
		if err != nil {
			return fmt.Errorf("bucket %s: %w", k.stream, err)
		}
		m, err := k.b.lastOf(ctx, k.stream, subject)
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return err
		case m.op == "":
			see(key, m)
		}
	}
	return nil
}

// Claims is the bucket that says who executes which task of one worker group.
// Keys are any strings; entries go after seven days without a write.
type Claims struct{ kv bucket }

// Claims gives access to the bucket of a group (see ClaimsBucket), which must have
// been made by EnsureClaims, or bound by joining.
func (b *Bus) Claims(group string) *Claims { return &Claims{kv: b.bucket(claimsStream(group))} }

// Create claims the key and returns its revision. Of all who try, one succeeds;
// the others get ErrExists. Any other error leaves open whether it was claimed,
// and then the claim must be taken for made: nothing may be executed under it.
func (c *Claims) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	c.kv.b.hook("claim.before")
	rev, err := c.kv.put(ctx, key, value, 0, "")
	if errors.Is(err, ErrConflict) {
		return 0, fmt.Errorf("claim %s: %w", key, ErrExists)
	}
	if err != nil {
		return 0, fmt.Errorf("claim %s: %w", key, err)
	}
	c.kv.b.hook("claim.after")
	return rev, nil
}

// Get reads a claim from the leader; ErrNotFound if there is none.
func (c *Claims) Get(ctx context.Context, key string) (value []byte, rev uint64, err error) {
	return c.kv.get(ctx, key)
}

// Update replaces the claim whose revision is rev, and returns the new one;
// ErrConflict if it was changed meanwhile.
func (c *Claims) Update(ctx context.Context, key string, value []byte, rev uint64) (uint64, error) {
	if rev == 0 {
		return 0, fmt.Errorf("update claim %s: revision 0 is none: use Create", key)
	}
	next, err := c.kv.put(ctx, key, value, rev, "")
	if err != nil {
		return 0, fmt.Errorf("update claim %s: %w", key, err)
	}
	return next, nil
}
