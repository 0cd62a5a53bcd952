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
