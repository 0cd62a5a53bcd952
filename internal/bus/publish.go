package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// attemptTimeout bounds one request, so that a server that died is asked
	// again elsewhere well before the caller gives up.
	attemptTimeout = 3 * time.Second
	backoffMin     = 20 * time.Millisecond
	backoffMax     = time.Second

	headerID       = jetstream.MsgIDHeader
	headerLastSeq  = jetstream.ExpectedLastSeqHeader
	headerLastSubj = jetstream.ExpectedLastSubjSeqHeader
	// headerMeta carries what belongs to a message without being its payload,
	// as one JSON object of strings: no value can then break out of its header.
	headerMeta = "Paramedic-Meta"
	// headerOp marks a deleted key (NATS ADR-8).
	headerOp = "KV-Operation"

	// headerReserve is kept free of MaxMessage for headers.
	headerReserve = 8 << 10
)

// outgoing is a message about to be published to one of the streams.
type outgoing struct {
	stream  string
	subject string
	id      string
	data    []byte
	meta    map[string]string
	op      string // KV-Operation, or empty
	cas     string // name of the expectation header, or empty
	expect  uint64
}

// build makes the message and refuses what could not be stored or read back.
func (b *Bus) build(o outgoing) (*nats.Msg, error) {
	if err := checkID(o.id); err != nil {
		return nil, err
	}
	if len(o.data) > b.MaxMessage() {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(o.data), b.MaxMessage())
	}
	h := nats.Header{headerID: []string{o.id}}
	if o.cas != "" {
		h[o.cas] = []string{strconv.FormatUint(o.expect, 10)}
	}
	if o.op != "" {
		h[headerOp] = []string{o.op}
	}
	if len(o.meta) > 0 {
		m, err := json.Marshal(o.meta)
		if err != nil {
			return nil, fmt.Errorf("encode headers: %w", err)
		}
		if len(m) > headerReserve-1024 {
			return nil, fmt.Errorf("%w: %d bytes of headers, at most %d", ErrTooLarge, len(m), headerReserve-1024)
		}
		h[headerMeta] = []string{string(m)}
	}
	return &nats.Msg{Subject: o.subject, Header: h, Data: o.data}, nil
}

// checkID holds operation ids to what survives a header unchanged.
func checkID(id string) error {
	if id == "" || len(id) > 512 {
		return fmt.Errorf("operation id has %d bytes: want 1 to 512", len(id))
	}
	if strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return fmt.Errorf("operation id %q: want no spaces or control characters", id)
	}
	return nil
}

// publish stores o, repeating it under the same id while ctx lives and the
// outcome is open. It is for messages without an expectation; the errors are
// *PublishError.
func (b *Bus) publish(ctx context.Context, o outgoing) (*jetstream.PubAck, error) {
	fail := func(ambiguous bool, err error) error {
		return &PublishError{Subject: o.subject, ID: o.id, Ambiguous: ambiguous, Err: err}
	}
	m, err := b.build(o)
	if err != nil {
		return nil, fail(false, err)
	}
	if err := b.enter(); err != nil {
		return nil, fail(false, err)
	}
	defer b.leave()
	ambiguous := false
	for wait := backoffMin; ; wait = min(2*wait, backoffMax) {
		if err := ctx.Err(); err != nil {
			return nil, fail(ambiguous, err)
		}
		ack, v, err := b.attempt(ctx, o, m)
		if err == nil {
			return ack, nil
		}
		switch v {
		case refused, wrongLast:
			return nil, fail(ambiguous, err)
		case closed:
			return nil, fail(true, err)
		case unknown:
			ambiguous = true
		case unsent:
		}
		if cause := b.pause(ctx, wait); cause != nil {
			return nil, fail(ambiguous, errors.Join(err, cause))
		}
	}
}

// attempt sends m once and waits for its ack.
func (b *Bus) attempt(ctx context.Context, o outgoing, m *nats.Msg) (*jetstream.PubAck, verdict, error) {
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	ack, err := b.js.PublishMsg(ctx, m)
	if err != nil {
		v, err := classify(err)
		if errors.Is(err, ErrFull) {
			b.noteFull(o.stream, int64(m.Size()))
		}
		return nil, v, err
	}
	if ack.Stream != o.stream {
		return nil, refused, fmt.Errorf("subject %s belongs to stream %s, want %s", o.subject, ack.Stream, o.stream)
	}
	return ack, unknown, nil
}

// pause waits for d; it returns why it may not go on, if so.
func (b *Bus) pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-b.ctx.Done():
		return ErrClosed
	}
}

// retry calls f, each time with a bounded context, until it succeeds, fails for
// good, or ctx ends. It is for requests that may be repeated at will.
func (b *Bus) retry(ctx context.Context, what string, f func(context.Context) error) error {
	var err error
	for wait := backoffMin; ; wait = min(2*wait, backoffMax) {
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", what, errors.Join(err, ctx.Err()))
		}
		actx, cancel := b.bounded(ctx)
		err = f(actx)
		cancel()
		if err == nil {
			return nil
		}
		if permanent(err) {
			return fmt.Errorf("%s: %w", what, err)
		}
		if cause := b.pause(ctx, wait); cause != nil {
			return fmt.Errorf("%s: %w", what, errors.Join(err, cause))
		}
	}
}

// permanent says that repeating a read or an administrative request is useless.
func permanent(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		switch api.ErrorCode {
		case codeTooManyRequests, codeNoPeers:
			return false
		case codeStorageResources, codeNoReplication, codeStreamConfig:
			return true
		default:
			return api.Code >= 400 && api.Code < 500
		}
	}
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrClosed) || errors.Is(err, nats.ErrConnectionClosed) ||
		errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, jetstream.ErrInvalidOption)
}
