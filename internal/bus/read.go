package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	readBatch     = 2048
	readBytes     = 16 << 20
	readExpires   = 20 * time.Second
	readHeartbeat = time.Second
	// readSilence without even a heartbeat means that the consumer is gone.
	readSilence = 5 * readHeartbeat / 2
	// readIdle is how long the server keeps a consumer that nobody pulls from.
	readIdle = 5 * time.Minute
	// gapTries is how often a gap is looked at again before it is believed.
	gapTries = 4
)

type readerOptions struct {
	stream  string
	from    uint64
	filter  string // subject; all when empty
	trimmed bool   // messages may be gone from the front
	sparse  bool   // messages may be gone anywhere
	// headersOnly leaves the data where it is
	headersOnly bool
}

// Reader yields the messages of a stream in order, each exactly once. A loss on
// the way, a restart of the server or a consumer that ends early is noticed by
// its sequences and silence, and repaired from the next message that is due.
// Being at the end is not a state of a Reader: compare Msg.Seq with the
// stream's last sequence. Not for use by several goroutines at once.
type Reader struct {
	b       *Bus
	o       readerOptions
	next    uint64 // stream sequence that is due
	pending uint64
	gaps    int
	wait    time.Duration
	closed  bool
	c       *readConsumer // nil when it must be made again
}

// readConsumer is a server-side cursor and the pull requests at it.
type readConsumer struct {
	name        string
	inbox       string
	sub         *nats.Subscription
	ch          chan *nats.Msg
	due         uint64 // consumer sequence
	outstanding int    // messages asked for and not yet seen
	conn        context.Context
}

func (b *Bus) reader(ctx context.Context, o readerOptions) (*Reader, error) {
	r := &Reader{b: b, o: o, next: max(o.from, 1), wait: backoffMin}
	if err := b.retry(ctx, "read "+o.stream, r.open); err != nil {
		return nil, err
	}
	return r, nil
}

// open makes a consumer that begins at the message that is due.
func (r *Reader) open(ctx context.Context) error {
	cfg := jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.next,
		FilterSubject: r.o.filter, InactiveThreshold: readIdle, MemoryStorage: true, Replicas: 1, HeadersOnly: r.o.headersOnly,
	}
	conn := r.b.connection()
	cons, err := r.b.js.CreateConsumer(ctx, r.o.stream, cfg)
	if err != nil {
		return fmt.Errorf("create consumer: %w", err)
	}
	info := cons.CachedInfo()
	// Room for every message asked for, and for the control messages.
	c := &readConsumer{name: info.Name, inbox: r.b.nc.NewInbox(), ch: make(chan *nats.Msg, readBatch+256), due: 1, conn: conn}
	if c.sub, err = r.b.nc.ChanSubscribe(c.inbox, c.ch); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	r.c, r.pending = c, info.NumPending
	return nil
}

// Next returns the next message, waiting for it until ctx ends. ErrGap is final;
// after other errors Next may be called again.
func (r *Reader) Next(ctx context.Context) (Msg, error) {
	for {
		m, ok, err := r.step(ctx, true)
		if ok || err != nil {
			return m, err
		}
	}
}

// NextBatch waits for one message and returns it with those that have arrived
// behind it, at most limit. The batch is never empty when err is nil.
func (r *Reader) NextBatch(ctx context.Context, limit int) ([]Msg, error) {
	first, err := r.Next(ctx)
	if err != nil {
		return nil, err
	}
	out := append(make([]Msg, 0, min(limit, readBatch)), first)
	for len(out) < limit {
		if r.c == nil || len(r.c.ch) == 0 {
			break
		}
		m, ok, err := r.step(ctx, false)
		if err != nil {
			return out, nil //nolint:nilerr // the next call meets it again
		}
		if ok {
			out = append(out, m)
		}
	}
	return out, nil
}

// Pending is how many messages followed the last one when the server sent it:
// a hint for progress displays, not the end of the stream.
func (r *Reader) Pending() uint64 { return r.pending }

// CaughtUp says that nothing followed the last message when it was sent.
func (r *Reader) CaughtUp() bool { return r.pending == 0 }

// NextSeq is the stream sequence of the message that is due.
func (r *Reader) NextSeq() uint64 { return r.next }

// Close gives the consumer up. The Reader must not be used any more.
func (r *Reader) Close() {
	r.closed = true
	r.drop()
}

// drop gives the consumer up. If the server does not hear of it, it forgets
// the consumer by itself after a while.
func (r *Reader) drop() {
	if r.c == nil {
		return
	}
	c := r.c
	r.c = nil
	err := c.sub.Unsubscribe()
	if err == nil {
		err = r.b.nc.Publish(r.b.api+"CONSUMER.DELETE."+r.o.stream+"."+c.name, nil)
	}
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		r.b.log.Debug("bus consumer not removed", "stream", r.o.stream, "consumer", c.name, "error", err)
	}
}

// step takes one thing from the consumer. ok is false when it was no message.
func (r *Reader) step(ctx context.Context, block bool) (Msg, bool, error) {
	if r.closed {
		return Msg{}, false, ErrClosed
	}
	if r.c == nil {
		return Msg{}, false, r.repair(ctx)
	}
	m, err := r.receive(ctx, block)
	if errors.Is(err, errConsumerLost) {
		r.b.log.Debug("bus consumer is made again", "stream", r.o.stream, "next", r.next, "reason", err)
		r.drop()
		return Msg{}, false, nil
	}
	if err != nil || m == nil {
		return Msg{}, false, err
	}
	d, err := parseDelivery(m.Reply)
	if err != nil {
		return Msg{}, false, err
	}
	return r.accept(ctx, m, d)
}

// recount makes the consumer again, for the sake of its Pending.
func (r *Reader) recount(ctx context.Context) error {
	r.drop()
	return r.b.retry(ctx, "read "+r.o.stream, r.open)
}

// repair makes the consumer again, slower each time it breaks at once.
func (r *Reader) repair(ctx context.Context) error {
	if err := r.b.pause(ctx, r.wait); err != nil {
		return err
	}
	r.wait = min(2*r.wait, backoffMax)
	return r.b.retry(ctx, "read "+r.o.stream, r.open)
}

// receive returns the next delivered message, or nil after a control message.
func (r *Reader) receive(ctx context.Context, block bool) (*nats.Msg, error) {
	c := r.c
	if c.outstanding <= readBatch/2 {
		n := readBatch - c.outstanding
		req := pullRequest{
			Expires: readExpires, Heartbeat: readHeartbeat, Batch: n,
			MaxBytes: max(readBytes, 2*int(r.b.nc.MaxPayload())),
		}
		if err := r.b.sendPull(r.o.stream, c.name, c.inbox, req); err != nil {
			if r.b.nc.IsClosed() {
				return nil, ErrClosed
			}
			return nil, fmt.Errorf("%w: %w", errConsumerLost, err)
		}
		c.outstanding += n
	}
	select {
	case m := <-c.ch:
		return c.sort(m)
	default:
	}
	if !block {
		return nil, nil
	}
	silence := time.NewTimer(readSilence)
	defer silence.Stop()
	select {
	case m := <-c.ch:
		return c.sort(m)
	case <-ctx.Done():
		return nil, fmt.Errorf("read %s: %w", r.o.stream, ctx.Err())
	case <-r.b.ctx.Done():
		return nil, ErrClosed
	case <-c.conn.Done():
		return nil, fmt.Errorf("%w: %w", errConsumerLost, nats.ErrDisconnected)
	case <-silence.C:
		return nil, fmt.Errorf("%w: no heartbeat for %s", errConsumerLost, readSilence)
	}
}

// sort keeps count of what was asked for and tells messages from control.
func (c *readConsumer) sort(m *nats.Msg) (*nats.Msg, error) {
	if m.Subject != c.inbox {
		c.outstanding--
		return m, nil
	}
	s := readStatus(m)
	c.outstanding -= s.unserved
	return nil, s.lost
}

// accept checks a message's place and moves on past it.
func (r *Reader) accept(ctx context.Context, m *nats.Msg, d delivery) (Msg, bool, error) {
	if d.consumerSeq != r.c.due {
		r.b.log.Warn("bus lost messages on the way; reading them again", "stream", r.o.stream, "next", r.next)
		r.drop()
		return Msg{}, false, nil
	}
	r.c.due++
	if d.streamSeq < r.next {
		// A replica that lagged behind began earlier than it was asked to.
		return Msg{}, false, nil
	}
	if d.streamSeq > r.next && !r.o.sparse {
		if err := r.judgeGap(ctx, d.streamSeq); err != nil {
			return Msg{}, false, err
		}
		if r.c == nil {
			return Msg{}, false, nil
		}
	}
	r.next, r.pending = d.streamSeq+1, d.pending
	r.gaps, r.wait = 0, backoffMin
	return toMsg(m, d), true, nil
}

// judgeGap decides about messages missing before seq: gone from the front of a
// stream that may be trimmed; else read again, and finally an error.
func (r *Reader) judgeGap(ctx context.Context, seq uint64) error {
	info, err := r.b.info(ctx, r.o.stream)
	if err != nil {
		r.drop()
		return err
	}
	if r.o.trimmed && info.State.FirstSeq >= seq {
		return nil
	}
	r.drop()
	if r.o.trimmed && info.State.FirstSeq > r.next {
		r.next = info.State.FirstSeq
		return nil
	}
	if r.gaps++; r.gaps < gapTries {
		return nil
	}
	return fmt.Errorf("read %s: %w: %d to %d are not there", r.o.stream, ErrGap, r.next, seq-1)
}
