package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// scanSilence is how long a message that is pending may fail to come before it is
// asked whether it is still there.
const scanSilence = 3 * time.Second

// QuarantineFilter says which entries to list.
type QuarantineFilter struct {
	// Source narrows them to one source; empty for all.
	Source string
	// Newest lists the newest first. Otherwise it is the oldest.
	Newest bool
	// After is the Seq of the entry behind which the list begins, in its own
	// direction; 0 for its beginning.
	After uint64
	// Limit is the most entries to list: 1 at least.
	Limit int
}

// QuarantineList lists entries, without reading their bodies.
func (b *Bus) QuarantineList(ctx context.Context, f QuarantineFilter) ([]QuarantineEntry, error) {
	if f.Limit < 1 {
		return nil, fmt.Errorf("list %s: Limit is %d: want 1 at least", StreamQuarantine, f.Limit)
	}
	subject := "quarantine.>"
	if f.Source != "" {
		if err := checkTokens("source", f.Source); err != nil {
			return nil, err
		}
		subject = "quarantine." + f.Source
	}
	info, err := b.info(ctx, StreamQuarantine)
	if err != nil {
		return nil, err
	}
	first, last := info.State.FirstSeq, info.State.LastSeq
	if info.State.Msgs == 0 {
		return nil, nil
	}
	if f.Newest {
		if f.After != 0 {
			last = min(last, f.After-1)
		}
		return b.listBackward(ctx, subject, first, last, f.Limit)
	}
	var list []QuarantineEntry
	err = b.scan(ctx, subject, max(first, f.After+1), last, func(m Msg) bool {
		if e, part := entryOf(m); part == 0 {
			list = append(list, e)
		}
		return len(list) < f.Limit
	})
	return list, err
}

// listBackward lists from last down to first. A stream is read forward only, so it
// reads a stretch before what it has, twice as long each time.
func (b *Bus) listBackward(ctx context.Context, subject string, first, last uint64, limit int) ([]QuarantineEntry, error) {
	var list []QuarantineEntry
	for stretch := uint64(limit); last >= first && len(list) < limit; stretch *= 2 { //nolint:gosec // at least 1
		from := first
		if last-first >= stretch {
			from = last - stretch + 1
		}
		var found []QuarantineEntry
		err := b.scan(ctx, subject, from, last, func(m Msg) bool {
			if e, part := entryOf(m); part == 0 {
				found = append(found, e)
			}
			if len(found) >= 2*limit { // only the last ones are wanted
				found = slices.Delete(found, 0, len(found)-limit)
			}
			return true
		})
		if err != nil {
			return nil, err
		}
		slices.Reverse(found)
		list = append(list, found[:min(len(found), limit-len(list))]...)
		last = from - 1
	}
	return list, nil
}

// QuarantineFind finds the entries that have one of these ids, the oldest first.
// What is not there is left out.
func (b *Bus) QuarantineFind(ctx context.Context, ids ...string) ([]QuarantineEntry, error) {
	info, err := b.info(ctx, StreamQuarantine)
	if err != nil || info.State.Msgs == 0 {
		return nil, err
	}
	var found []QuarantineEntry
	err = b.scan(ctx, "quarantine.>", info.State.FirstSeq, info.State.LastSeq, func(m Msg) bool {
		if e, part := entryOf(m); part == 0 && slices.Contains(ids, e.ID) {
			found = append(found, e)
		}
		return true
	})
	return found, err
}

// partsOf returns the sequences of an entry's messages in the order of the body;
// 0 for one that is not there.
func (b *Bus) partsOf(ctx context.Context, e QuarantineEntry) ([]uint64, error) {
	seqs := make([]uint64, max(e.Parts, 1))
	seqs[0] = e.Seq
	missing := len(seqs) - 1
	if missing == 0 {
		return seqs, nil
	}
	last, err := b.last(ctx, StreamQuarantine)
	if err != nil {
		return nil, err
	}
	err = b.scan(ctx, "quarantine."+e.Source, e.Seq+1, last, func(m Msg) bool {
		other, part := entryOf(m)
		if other.ID == e.ID && part > 0 && part < len(seqs) && seqs[part] == 0 {
			seqs[part] = m.Seq
			missing--
		}
		return missing > 0
	})
	return seqs, err
}

// scan calls take with the quarantine's messages from one sequence to another, of
// one subject and without their data, until take returns false. It does not wait
// for more to come.
func (b *Bus) scan(ctx context.Context, subject string, from, to uint64, take func(Msg) bool) error {
	r, err := b.reader(ctx, readerOptions{
		stream: StreamQuarantine, from: from, filter: subject, sparse: true, headersOnly: true,
	})
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		if r.CaughtUp() {
			// A consumer whose server lags behind, as after the loss of a leader, is
			// caught up too early: the stream's leader knows.
			if more, err := b.follows(ctx, subject, r.NextSeq(), to); err != nil || !more {
				return err
			}
			if err := r.recount(ctx); err != nil {
				return err
			}
			if r.CaughtUp() {
				if err := b.pause(ctx, backoffMin); err != nil {
					return err
				}
				continue
			}
		}
		waiting, cancel := context.WithTimeout(ctx, scanSilence)
		m, err := r.Next(waiting)
		cancel()
		switch {
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			// What was pending may have been deleted: a new consumer counts anew.
			if err := r.recount(ctx); err != nil {
				return err
			}
		case err != nil:
			return err
		case m.Seq > to || !take(m) || m.Seq == to:
			return nil
		}
	}
}

// follows asks the leader whether a subject has a message from one sequence to
// another.
func (b *Bus) follows(ctx context.Context, subject string, from, to uint64) (bool, error) {
	if from > to {
		return false, nil
	}
	m, err := b.fetch(ctx, fmt.Sprintf("read %s from %d", StreamQuarantine, from), func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return b.streams[StreamQuarantine].GetMsg(ctx, from, jetstream.WithGetMsgSubject(subject))
	})
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && m.Seq <= to, err
}

// QuarantineState is what lies in quarantine, in numbers.
type QuarantineState struct {
	// Messages are counted by source. A body that is larger than a message has
	// several.
	Messages map[string]uint64
	// Age is that of the oldest message; 0 without any.
	Age time.Duration
	// Bytes are stored, headers included; Limit is the most that may be.
	Bytes, Limit int64
}

// QuarantineState asks the stream's leader.
func (b *Bus) QuarantineState(ctx context.Context) (QuarantineState, error) {
	info, err := b.info(ctx, StreamQuarantine, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return QuarantineState{}, err
	}
	s := QuarantineState{
		Messages: map[string]uint64{},
		Bytes:    int64(info.State.Bytes), Limit: info.Config.MaxBytes, //nolint:gosec // below the limit
	}
	for subject, n := range info.State.Subjects {
		e, _ := entryOf(Msg{Subject: subject})
		s.Messages[e.Source] = n
	}
	if info.State.Msgs > 0 {
		s.Age = max(info.TimeStamp.Sub(info.State.FirstTime), 0)
	}
	return s, nil
}
