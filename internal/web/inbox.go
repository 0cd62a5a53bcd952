package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/web/api"
)

// inboxSilence bounds the wait for a message that was there a moment ago: it may
// have been trimmed meanwhile.
const inboxSilence = 20 * time.Second

// exportInbox answers GET /inbox?from=: every input that is still in INBOX, from
// a sequence up to the present end, a line each. A message of several inputs is
// as many lines of one sequence. An answer that breaks off is cut off.
func (s *Server) exportInbox(c echo.Context, _ caller) error {
	return s.export(c, exported{end: "the recorded inputs end", last: s.api.Inbox.InboxLast, send: s.sendInbox})
}

func (s *Server) sendInbox(ctx context.Context, w *echo.Response, first, last uint64) error {
	reader, err := s.api.Inbox.Inbox(ctx, first)
	if err != nil {
		return ledgerAway(err)
	}
	defer reader.Close()
	lines(w)
	return writeInbox(ctx, w, reader, last)
}

// writeInbox writes what is there now. INBOX is trimmed from the front, so its
// last message may be gone as well: then nothing is pending.
func writeInbox(ctx context.Context, w *echo.Response, reader *bus.Reader, last uint64) error {
	for !reader.CaughtUp() {
		next, cancel := context.WithTimeout(ctx, inboxSilence)
		batch, err := reader.NextBatch(next, readAtOnce)
		cancel()
		if err != nil {
			return fmt.Errorf("the recorded inputs cannot be read on: %w", err)
		}
		if err := boundWrite(w); err != nil {
			return err
		}
		for _, m := range batch {
			if m.Seq > last {
				return nil
			}
			if err := writeInputs(w, m); err != nil {
				return err
			}
			if m.Seq == last {
				return nil
			}
		}
	}
	return nil
}

// writeInputs writes the lines of one message. One that the engine cannot read
// is what the engine makes of it: a tick.
func writeInputs(w *echo.Response, m bus.Msg) error {
	for line := range bytes.SplitSeq(bytes.TrimRight(m.Data, "\n"), []byte("\n")) {
		out := api.RecordedInput{Sequence: m.Seq, At: m.Time.UTC(), Input: line}
		if _, err := engine.UnmarshalLine(line); err != nil {
			out.Input, out.PassedOver = json.RawMessage(`{"tick":{}}`), err.Error()
		}
		b, err := json.Marshal(out)
		if err != nil {
			return fmt.Errorf("recorded input %d: %w", m.Seq, err)
		}
		if _, err := w.Write(append(b, '\n')); err != nil {
			return fmt.Errorf("%w: %w", errGone, err)
		}
	}
	return nil
}
