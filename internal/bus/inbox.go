package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// PublishInbox stores data on inbox.<kind> and returns its sequence; nil means
// that it is durable. id is the operation id: repeats within half a minute
// return the sequence of the first, later ones may be stored again and are the
// reader's to recognise by Msg.ID. While ctx lives an unanswered attempt is
// repeated; errors are *PublishError.
func (b *Bus) PublishInbox(ctx context.Context, kind, id string, data []byte) (uint64, error) {
	if err := checkTokens("inbox kind", kind); err != nil {
		return 0, err
	}
	b.hook("inbox.publish.before")
	ack, err := b.publish(ctx, outgoing{stream: StreamInbox, subject: "inbox." + kind, id: id, data: data})
	if err != nil {
		return 0, err
	}
	b.hook("inbox.publish.after")
	return ack.Sequence, nil
}

// kindResult is the kind of INBOX message that workers may publish: nothing else
// may be believed of one that came on it.
const kindResult = "result"

// ResultKind is the kind of INBOX message in which a worker group answers.
func ResultKind(group string) string { return kindResult + "." + group }

// ResultGroup says whether a message of INBOX came on a subject that is for
// workers' answers, and for those of which group: empty for the one without a
// group, which only the hub's own processes may use.
func ResultGroup(subject string) (group string, is bool) {
	rest, is := strings.CutPrefix(subject, "inbox."+kindResult)
	if !is || rest != "" && rest[0] != '.' {
		return "", false
	}
	return strings.TrimPrefix(rest, "."), true
}

// Inbox reads INBOX in order, beginning with sequence from, or with the first
// message that is still there.
func (b *Bus) Inbox(ctx context.Context, from uint64) (*Reader, error) {
	return b.reader(ctx, readerOptions{stream: StreamInbox, from: from, trimmed: true})
}

// InboxLast is the sequence of the last message of INBOX, by its leader; 0 when
// there never was one.
func (b *Bus) InboxLast(ctx context.Context) (uint64, error) { return b.last(ctx, StreamInbox) }

// Shares of the stream's limit: trimming starts above the first and goes on to
// the second, so that it is not needed again at once.
const (
	trimAbove = 0.80
	trimTo    = 0.60
)

// TrimInbox removes messages up to and including sequence decided, where they
// are older than the retention, or, oldest first, while INBOX fills more than
// 80% of its limit. A message behind decided is never removed.
func (b *Bus) TrimInbox(ctx context.Context, decided uint64) error {
	info, err := b.info(ctx, StreamInbox)
	if err != nil {
		return err
	}
	first, last := info.State.FirstSeq, info.State.LastSeq
	if decided > last {
		return fmt.Errorf("trim %s: decided is %d and the last message %d: this is another stream's progress, or messages were lost",
			StreamInbox, decided, last)
	}
	if info.State.Msgs == 0 || decided < first {
		return nil
	}
	keep, err := b.firstSince(ctx, first, decided, info.TimeStamp.Add(-b.cfg.InboxRetention))
	if err != nil {
		return err
	}
	keep = max(keep, keepForSpace(info, decided))
	if keep <= first {
		return nil
	}
	return b.retry(ctx, "trim "+StreamInbox, func(ctx context.Context) error {
		// Purge removes what is below the given sequence.
		return b.streams[StreamInbox].Purge(ctx, jetstream.WithPurgeSequence(keep))
	})
}

// keepForSpace is the first sequence to keep so that the stream falls to trimTo
// of its limit, by the average size of a message; decided+1 at most.
func keepForSpace(info *jetstream.StreamInfo, decided uint64) uint64 {
	s, limit := info.State, float64(info.Config.MaxBytes)
	if limit <= 0 || float64(s.Bytes) <= trimAbove*limit {
		return s.FirstSeq
	}
	excess := (float64(s.Bytes) - trimTo*limit) / float64(s.Bytes) * float64(s.Msgs)
	return min(s.FirstSeq+uint64(excess)+1, decided+1)
}

// firstSince finds, in [first, decided], the first message stored at t or
// later; decided+1 if all are older. Store times do not decrease.
func (b *Bus) firstSince(ctx context.Context, first, decided uint64, t time.Time) (uint64, error) {
	lo, hi := first, decided+1
	for lo < hi {
		mid := lo + (hi-lo)/2
		m, err := b.get(ctx, StreamInbox, mid)
		switch {
		case errors.Is(err, ErrNotFound): // trimmed by somebody else meanwhile
			lo = mid + 1
		case err != nil:
			return 0, err
		case m.Time.Before(t):
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return lo, nil
}

// info asks the leader of a stream about it.
func (b *Bus) info(ctx context.Context, stream string, opts ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	var info *jetstream.StreamInfo
	err := b.retry(ctx, "info of "+stream, func(ctx context.Context) error {
		s, err := b.js.Stream(ctx, stream)
		if err != nil {
			return err
		}
		if len(opts) == 0 {
			info = s.CachedInfo()
			return nil
		}
		info, err = s.Info(ctx, opts...)
		return err
	})
	return info, err
}

func (b *Bus) last(ctx context.Context, stream string) (uint64, error) {
	info, err := b.info(ctx, stream)
	if err != nil {
		return 0, err
	}
	return info.State.LastSeq, nil
}

// get reads one message from the leader; ErrNotFound if it is not there.
func (b *Bus) get(ctx context.Context, stream string, seq uint64) (Msg, error) {
	return b.fetch(ctx, fmt.Sprintf("read %s at %d", stream, seq), func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		s, err := b.stream(stream)
		if err != nil {
			return nil, err
		}
		return s.GetMsg(ctx, seq)
	})
}

// lastOf reads the last message of one subject from the leader.
func (b *Bus) lastOf(ctx context.Context, stream, subject string) (Msg, error) {
	return b.fetch(ctx, "read "+subject, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		s, err := b.stream(stream)
		if err != nil {
			return nil, err
		}
		return s.GetLastMsgForSubject(ctx, subject)
	})
}

func (b *Bus) fetch(ctx context.Context, what string, f func(context.Context) (*jetstream.RawStreamMsg, error)) (Msg, error) {
	var raw *jetstream.RawStreamMsg
	err := b.retry(ctx, what, func(ctx context.Context) error {
		var err error
		raw, err = f(ctx)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return ErrNotFound
		}
		return err
	})
	if err != nil {
		return Msg{}, err
	}
	return Msg{
		Seq: raw.Sequence, Subject: raw.Subject, Time: raw.Time, ID: raw.Header.Get(headerID),
		Meta: decodeMeta(raw.Header), Data: raw.Data, op: raw.Header.Get(headerOp),
	}, nil
}
