package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/internal/web/api"
)

// cursor is a place among the events of the ledger: everything up to and
// including this one was seen. Its text, SEQ.INDEX, is the id of an SSE event.
type cursor struct {
	seq   uint64
	index int
}

func (c cursor) String() string { return fmt.Sprintf("%d.%d", c.seq, c.index) }

func parseCursor(s string) (cursor, error) {
	seq, index, ok := strings.Cut(s, ".")
	n, err := strconv.ParseUint(seq, 10, 64)
	i, err2 := strconv.ParseUint(index, 10, 31)
	if !ok || err != nil || err2 != nil || n == 0 {
		return cursor{}, bad("Last-Event-ID %q: want SEQUENCE.INDEX", s)
	}
	return cursor{n, int(i)}, nil
}

// events answers GET /events?run=&from= as server-sent events (WHATWG HTML,
// section 9.2): the ledger's events from a sequence on, by default those that
// come from now on, or those after Last-Event-ID.
func (s *Server) events(c echo.Context, _ caller) error {
	q, err := queryOf(c, "run", "from")
	if err != nil {
		return err
	}
	if s.life.Err() != nil {
		return unavailable("Shutting down", nil, "this server is about to end; try again")
	}
	ctx, cancel := context.WithCancel(c.Request().Context())
	defer cancel()
	stop := context.AfterFunc(s.life, cancel)
	defer stop()
	follow := newFollower("", nil)
	if run := q.Get("run"); run != "" {
		k, ok := s.find(run)
		if !ok {
			return s.notInMemory(run)
		}
		follow = newFollower(run, k.episodes)
	}
	seen, err := s.startOf(ctx, q.Get("from"), c.Request().Header.Get("Last-Event-ID"))
	if err != nil {
		return err
	}
	release, refused := place(s.streams, "live streams")
	if refused != nil {
		return refused
	}
	defer release()
	reader, err := s.api.Ledger.Ledger(ctx, seen.seq)
	if err != nil {
		return ledgerAway(err)
	}
	defer reader.Close()
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()
	st := &stream{s: s, c: c, follow: follow, seen: seen, decoder: ledger.NewDecoder()}
	if err := st.begin(); err != nil {
		return err
	}
	return st.run(ctx, reader)
}

// startOf is the place after which the stream begins.
func (s *Server) startOf(ctx context.Context, from, lastEventID string) (cursor, error) {
	last, err := s.api.Ledger.LedgerLast(ctx)
	if err != nil {
		return cursor{}, ledgerAway(err)
	}
	seen := cursor{last + 1, -1}
	switch {
	case lastEventID != "":
		if seen, err = parseCursor(lastEventID); err != nil {
			return cursor{}, err
		}
	case from != "":
		n, err := strconv.ParseUint(from, 10, 64)
		if err != nil || n == 0 {
			return cursor{}, bad("query parameter from=%q: want a sequence, from 1", from)
		}
		seen = cursor{n, -1}
	}
	if seen.seq > last+1 {
		return cursor{}, bad("the ledger ends at %d: there is nothing from %d on to follow; is this another ledger?", last, seen.seq)
	}
	return seen, nil
}

// stream is one open stream of events.
type stream struct {
	s       *Server
	c       echo.Context
	follow  *follower
	decoder *ledger.Decoder
	// seen is the last event that the stream is past, sent when something was
	// last written.
	seen cursor
	sent time.Time
}

func (st *stream) begin() error {
	h := st.c.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	st.c.Response().WriteHeader(http.StatusOK)
	return st.write("retry: 1000\n: follows the ledger\n\n")
}

// run sends until the client, the server or the stream's time ends.
func (st *stream) run(ctx context.Context, reader *bus.Reader) error {
	for {
		waiting, cancel := context.WithTimeout(ctx, st.s.api.Heartbeat)
		m, err := reader.Next(waiting)
		silent := waiting.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the end that was to come
		case err == nil:
			err = st.send(m)
		case silent:
			err = st.beat()
		}
		if err == nil && st.s.now().Sub(st.sent) >= st.s.api.Heartbeat {
			err = st.beat()
		}
		if err != nil {
			return st.broken(ctx, err)
		}
	}
}

// broken tells the client why the stream ends here, and has it cut off.
func (st *stream) broken(ctx context.Context, err error) error {
	if errors.Is(err, errGone) || ctx.Err() != nil {
		return err
	}
	body, e := json.Marshal(asRefusal(err).problem())
	if e != nil {
		return errors.Join(err, e)
	}
	return errors.Join(err, st.write("event: problem\ndata: "+string(body)+"\n\n"))
}

// send writes the events of one record that concern the client.
func (st *stream) send(m bus.Msg) error {
	if !st.follow.mayConcern(m.Data) {
		st.seen = cursor{m.Seq, 0}
		return nil
	}
	rec, err := st.decoder.Decode(m.Data)
	if err != nil {
		return fmt.Errorf("at sequence %d: %w", m.Seq, err)
	}
	var out strings.Builder
	for i, ev := range rec.Events {
		if !st.follow.concerns(ev) || m.Seq == st.seen.seq && i <= st.seen.index {
			continue
		}
		e, err := entry(m.Seq, i, rec.At, ev)
		if err != nil {
			return err
		}
		if err := frame(&out, e); err != nil {
			return err
		}
	}
	st.seen = cursor{m.Seq, max(len(rec.Events)-1, 0)}
	if out.Len() == 0 {
		return nil
	}
	return st.write(out.String())
}

func frame(out *strings.Builder, e api.Entry) error {
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("event %s: %w", e.Kind, err)
	}
	fmt.Fprintf(out, "id: %s\ndata: %s\n\n", cursor{e.Seq, e.Index}, data)
	return nil
}

// beat says that the stream lives, and how far it is, so that a client that
// comes again need not have the quiet part read once more.
func (st *stream) beat() error {
	if st.seen.index < 0 {
		return st.write(": nothing new\n\n")
	}
	return st.write("id: " + st.seen.String() + "\n: nothing new\n\n")
}

func (st *stream) write(s string) error {
	if err := boundWrite(st.c.Response()); err != nil {
		return err
	}
	if _, err := st.c.Response().Write([]byte(s)); err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	if err := http.NewResponseController(st.c.Response().Writer).Flush(); err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	st.sent = st.s.now()
	return nil
}
