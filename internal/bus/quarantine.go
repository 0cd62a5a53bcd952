package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Keys of Msg.Meta of a body in quarantine, beside what it was stored with.
const (
	// metaPart and metaParts number the messages of a body that is larger than
	// one, from 0. Their operation ids are the body's with ".0", ".1" ...
	metaPart  = "Paramedic-Part"
	metaParts = "Paramedic-Parts"
	// metaSize is the whole body's, in bytes.
	metaSize = "Paramedic-Size"
)

// quarantineShare is the part of the largest message that one part of a body
// fills. A single message is read as JSON, in which it is a third larger.
const quarantineShare = 2

// removeTimeout bounds the removal of a body that was stored in part only.
const removeTimeout = 5 * time.Second

// ErrIncomplete is for a body in quarantine of which messages are missing. It
// was not stored whole, and its sender was told so; or it was being deleted.
// Nothing was promised of it.
var ErrIncomplete = errors.New("not all of the body is there")

// QuarantineEntry is one body in quarantine.
type QuarantineEntry struct {
	// Seq is its place: entries are in the order in which they came.
	Seq uint64
	// ID is unique to it, and Source whom it came from.
	ID, Source string
	// Stored is when it was.
	Stored time.Time
	// Headers are those that it was stored with.
	Headers map[string]string
	// Size is the body's, in bytes; Parts is how many messages hold it.
	Size, Parts int
}

// PublishQuarantine stores a body that could not be used on quarantine.<source>,
// with its headers, and returns its sequence. The body may be larger than a
// message; id has no dots. It is kept for 90 days, unless it is deleted before;
// when the stream is full the error is ErrFull.
func (b *Bus) PublishQuarantine(ctx context.Context, source, id string, headers map[string]string, data []byte) (uint64, error) {
	if err := checkTokens("source", source); err != nil {
		return 0, err
	}
	if strings.Contains(id, ".") {
		return 0, fmt.Errorf("operation id %q: a body in quarantine has one without dots", id)
	}
	out := outgoing{stream: StreamQuarantine, subject: "quarantine." + source, id: id, data: data, meta: maps.Clone(headers)}
	if out.meta == nil {
		out.meta = map[string]string{}
	}
	out.meta[metaSize] = strconv.Itoa(len(data))
	piece := b.MaxMessage() / quarantineShare
	if len(data) <= piece {
		ack, err := b.publish(ctx, out)
		if err != nil {
			return 0, err
		}
		return ack.Sequence, nil
	}
	out.meta[metaParts] = strconv.Itoa((len(data) + piece - 1) / piece)
	seqs, err := b.publishParts(ctx, out, piece)
	if err != nil {
		// What is there already is of no use, and takes the place of others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
		defer cancel()
		return 0, errors.Join(err, b.deleteQuarantined(ctx, seqs))
	}
	return seqs[0], nil
}

// publishParts returns the sequences of what it has stored, also with an error.
func (b *Bus) publishParts(ctx context.Context, out outgoing, piece int) ([]uint64, error) {
	var seqs []uint64
	id := out.id
	for part := range slices.Chunk(out.data, piece) {
		n := strconv.Itoa(len(seqs))
		out.id, out.meta[metaPart], out.data = id+"."+n, n, part
		ack, err := b.publish(ctx, out)
		if err != nil {
			return seqs, err
		}
		seqs = append(seqs, ack.Sequence)
	}
	return seqs, nil
}

// entryOf reads a message of the quarantine; part is its place in the body.
func entryOf(m Msg) (e QuarantineEntry, part int) {
	e = QuarantineEntry{
		Seq: m.Seq, ID: m.ID, Source: strings.TrimPrefix(m.Subject, "quarantine."), Stored: m.Time,
		Headers: maps.Clone(m.Meta), Size: number(m.Meta[metaSize]), Parts: max(number(m.Meta[metaParts]), 1),
	}
	if e.Parts > 1 {
		part = number(m.Meta[metaPart])
		e.ID = strings.TrimSuffix(m.ID, "."+strconv.Itoa(part))
	}
	for _, key := range []string{metaPart, metaParts, metaSize} {
		delete(e.Headers, key)
	}
	return e, part
}

// number is 0 for what is none, or less.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// QuarantineBody reads the body of an entry. ErrNotFound says that it is gone,
// ErrIncomplete that some of it is.
func (b *Bus) QuarantineBody(ctx context.Context, e QuarantineEntry) ([]byte, error) {
	seqs, err := b.partsOf(ctx, e)
	if err != nil {
		return nil, err
	}
	parts := make([][]byte, len(seqs))
	for part, seq := range seqs {
		var m Msg
		err := ErrNotFound
		if seq != 0 {
			m, err = b.get(ctx, StreamQuarantine, seq)
		}
		switch {
		case errors.Is(err, ErrNotFound) && part > 0:
			return nil, fmt.Errorf("quarantine %s: %w: part %d of %d is missing", e.ID, ErrIncomplete, part+1, len(seqs))
		case err != nil:
			return nil, fmt.Errorf("quarantine %s: %w", e.ID, err)
		}
		parts[part] = m.Data
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return bytes.Join(parts, nil), nil
}

// DeleteQuarantine deletes exactly the messages of an entry. nil means that they
// are gone, also if they were before. A body that is deleted in part is still
// listed.
func (b *Bus) DeleteQuarantine(ctx context.Context, e QuarantineEntry) error {
	seqs, err := b.partsOf(ctx, e)
	if err != nil {
		return err
	}
	return b.deleteQuarantined(ctx, seqs)
}

// deleteQuarantined deletes the first message last: it is the one that is listed.
// What was deleted is not overwritten, since the server would write everything anew
// that it has in one file with it, a hundred times slower.
func (b *Bus) deleteQuarantined(ctx context.Context, seqs []uint64) error {
	for _, seq := range slices.Backward(seqs) {
		if seq == 0 {
			continue
		}
		err := b.retry(ctx, fmt.Sprintf("delete %s at %d", StreamQuarantine, seq), func(ctx context.Context) error {
			err := b.streams[StreamQuarantine].DeleteMsg(ctx, seq)
			if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
				// Of the reasons, one is that it is done.
				if _, read := b.streams[StreamQuarantine].GetMsg(ctx, seq); errors.Is(read, jetstream.ErrMsgNotFound) {
					return nil
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
