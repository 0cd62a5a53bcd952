package bus

import (
	"context"
)

// MetaReason is the key of Msg.Meta that says why a task is a dead letter.
const MetaReason = "reason"

// PublishDead stores a task that will not be done on dead.<group>.<action>,
// with its reason. The oldest make room when the stream is full.
func (b *Bus) PublishDead(ctx context.Context, group, action, id, reason string, data []byte) error {
	if err := checkWork(group, action); err != nil {
		return err
	}
	_, err := b.publish(ctx, outgoing{
		stream: StreamDead, subject: "dead." + group + "." + action, id: id, data: data,
		meta: map[string]string{MetaReason: truncate(reason, 2048)},
	})
	return err
}

// truncate keeps the start of s, in whole runes of it.
func truncate(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xc0 == 0x80 {
		limit--
	}
	return s[:limit]
}

// Dead reads the dead letters from sequence from; Msg.Meta has the reason.
func (b *Bus) Dead(ctx context.Context, from uint64) (*Reader, error) {
	return b.reader(ctx, readerOptions{stream: StreamDead, from: from, sparse: true})
}

// DeadLast is the sequence of the last dead letter; 0 when there never was one.
func (b *Bus) DeadLast(ctx context.Context) (uint64, error) { return b.last(ctx, StreamDead) }

// PublishQuarantine stores a body that could not be decoded on
// quarantine.<source>, with headers kept as Msg.Meta, and returns its sequence.
// It is kept for 90 days; when the stream is full the error is ErrFull.
func (b *Bus) PublishQuarantine(ctx context.Context, source, id string, headers map[string]string, data []byte) (uint64, error) {
	if err := checkTokens("source", source); err != nil {
		return 0, err
	}
	ack, err := b.publish(ctx, outgoing{
		stream: StreamQuarantine, subject: "quarantine." + source, id: id, data: data, meta: headers,
	})
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// Quarantine reads the quarantine from sequence from.
func (b *Bus) Quarantine(ctx context.Context, from uint64) (*Reader, error) {
	return b.reader(ctx, readerOptions{stream: StreamQuarantine, from: from, sparse: true})
}

// QuarantineLast is the sequence of the last message of the quarantine.
func (b *Bus) QuarantineLast(ctx context.Context) (uint64, error) {
	return b.last(ctx, StreamQuarantine)
}

// QuarantineAt reads one message of the quarantine; ErrNotFound if it is gone.
func (b *Bus) QuarantineAt(ctx context.Context, seq uint64) (Msg, error) {
	return b.get(ctx, StreamQuarantine, seq)
}
