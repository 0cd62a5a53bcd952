package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/web/api"
)

const (
	// silence is how long a stream may say nothing before it is taken for dead:
	// the server says every 15 s that it lives.
	silence = 45 * time.Second
	// comeAgain is the first wait after a lost connection, doubled to at most
	// comeAtMost.
	comeAgain, comeAtMost = time.Second, 15 * time.Second
	// mostLine bounds one line of a stream, in bytes: an event is less than a
	// message of the bus.
	mostLine = 16 << 20
)

// ErrStop is returned by the function that takes events, to end Events without
// an error.
var ErrStop = errors.New("enough events")

// Follow says which events to take.
type Follow struct {
	// Run narrows them to one run; empty for all.
	Run string
	// From is the first record's sequence; 0 for what comes from now on.
	From uint64
	// Lost, if not nil, is told why a connection was lost, before it is made
	// again.
	Lost func(err error)
}

// Events calls take with each event of the ledger, in order and once, until ctx
// ends (no error), take returns an error, or the server refuses. A connection
// that was made once and is lost is made again from where it was lost.
func (c *Client) Events(ctx context.Context, f Follow, take func(api.Entry) error) error {
	s := &following{c: c, f: f, take: take}
	for {
		err := s.once(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, ErrStop):
			return nil //nolint:nilerr // the end that was asked for
		case s.taken != nil:
			return s.taken
		case !s.open || refusedForGood(err):
			return err
		}
		if f.Lost != nil {
			f.Lost(err)
		}
		if !s.pause(ctx) {
			return nil
		}
	}
}

// refusedForGood reports whether trying again would be answered the same.
func refusedForGood(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status >= 400 && e.Status < 500
}

// following is the state of Events over several connections.
type following struct {
	c    *Client
	f    Follow
	take func(api.Entry) error

	lastID string
	open   bool  // a connection was made once
	taken  error // what take returned
	wait   time.Duration
}

func (s *following) pause(ctx context.Context) bool {
	s.wait = min(max(2*s.wait, comeAgain), comeAtMost)
	t := time.NewTimer(s.wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// once follows over one connection.
func (s *following) once(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dead := time.AfterFunc(silence, func() { cancel(fmt.Errorf("the server said nothing for %s", silence)) })
	defer dead.Stop()

	q, h := url.Values{}, http.Header{"Accept": {"text/event-stream"}}
	if s.f.Run != "" {
		q.Set("run", s.f.Run)
	}
	if s.lastID != "" {
		h.Set("Last-Event-Id", s.lastID)
	} else if s.f.From != 0 {
		q.Set("from", strconv.FormatUint(s.f.From, 10))
	}
	resp, err := s.c.request(ctx, http.MethodGet, "events", q, nil, h)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // a stream's end says nothing more
	s.open = true
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 64<<10), mostLine)
	var ev frame
	for lines.Scan() {
		dead.Reset(silence)
		if line := lines.Text(); line != "" {
			ev.field(line)
			continue
		}
		s.wait = 0
		if err := s.dispatch(ev); err != nil {
			return err
		}
		ev = frame{}
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	return fmt.Errorf("events: %w", io.ErrUnexpectedEOF)
}

// frame is one server-sent event as it is put together.
type frame struct{ id, event, data string }

func (f *frame) field(line string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch name {
	case "id":
		f.id = value
	case "event":
		f.event = value
	case "data":
		f.data += value
	}
}

func (s *following) dispatch(f frame) error {
	switch {
	case f.event == "problem":
		var p api.Problem
		if err := json.Unmarshal([]byte(f.data), &p); err != nil {
			return fmt.Errorf("events: %w", err)
		}
		return &Error{Status: p.Status, Title: p.Title, Detail: p.Detail}
	case f.data != "":
		var e api.Entry
		if err := json.Unmarshal([]byte(f.data), &e); err != nil {
			return fmt.Errorf("events: %w", err)
		}
		if err := s.take(e); err != nil {
			s.taken = err
			return err
		}
	}
	if f.id != "" {
		s.lastID = f.id
	}
	return nil
}
