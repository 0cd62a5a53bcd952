package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/web/api"
)

const (
	// replayAtOnce bounds the bodies that one request replays, replayFor the time
	// after which it begins with no other. Who asks goes on from there.
	replayAtOnce = 100
	replayFor    = 20 * time.Second
)

// Replayer decodes a body from quarantine again, and stores what it is, or, if it
// is only tried, nothing. Of the answer, Outcome is Replayed, Ignored or Refused,
// and the ID and the Source are not set. nil means that what is stored is on disk;
// after an error that is not certain, and the same may be tried again.
type Replayer func(ctx context.Context, e bus.QuarantineEntry, body []byte, try bool) (api.ReplayedEntry, error)

func noSources() error {
	return refuse(http.StatusConflict, "No sources", "this process is configured without sources, so it has no decoders: "+
		"ask one that has them, or configure the same sources here")
}

// replay answers POST /quarantine/replay.
func (s *Server) replay(c echo.Context, who caller) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	var in api.ReplayRequest
	if err := bodyOf(c, &in); err != nil {
		return err
	}
	if err := checkReplay(in); err != nil {
		return err
	}
	if s.api.Replay == nil {
		return noSources()
	}
	// One at a time: two would replay the same, and mix their orders up.
	select {
	case s.replays <- struct{}{}:
		defer func() { <-s.replays }()
	default:
		return unavailable("Too busy", nil, "another replay is under way; try again when it has ended")
	}
	out, err := s.replayAll(c.Request().Context(), in, who)
	if err != nil {
		return err
	}
	return s.answer(c, http.StatusOK, out)
}

func checkReplay(in api.ReplayRequest) error {
	named := 0
	for _, is := range []bool{in.IDs != nil, in.Source != "", in.All} {
		if is {
			named++
		}
	}
	if named != 1 {
		return bad("want exactly one of ids, source and all, which say what to replay")
	}
	if in.IDs != nil {
		return checkIDs(in.IDs)
	}
	return checkSource(in.Source, "source")
}

// replayAll replays the next ones that the request names.
func (s *Server) replayAll(ctx context.Context, in api.ReplayRequest, who caller) (api.Replay, error) {
	out := api.Replay{Entries: []api.ReplayedEntry{}, Stopped: slices.Clone(in.Stopped)}
	entries, more, err := s.toReplay(ctx, in, &out)
	if err != nil {
		return api.Replay{}, err
	}
	began := s.now()
	for i, e := range entries {
		if i > 0 && s.now().Sub(began) >= replayFor {
			more = true
			break
		}
		got := api.ReplayedEntry{Outcome: api.Skipped, Detail: "it is behind one of its source that still cannot be used"}
		if in.Continue || !slices.Contains(out.Stopped, e.Source) {
			got = s.replayOne(ctx, e, who)
		}
		got.ID, got.Source = e.ID, e.Source
		out.Entries, out.Next = append(out.Entries, got), e.Seq
		s.metrics.replayed(e.Source, got.Outcome)
		if got.Outcome == api.Failed {
			more = false
			break
		}
		if got.Outcome == api.Refused && !in.Continue && !slices.Contains(out.Stopped, e.Source) {
			out.Stopped = append(out.Stopped, e.Source)
		}
	}
	if !more || in.Source != "" && slices.Contains(out.Stopped, in.Source) {
		out.Next = 0
	}
	return out, nil
}

// toReplay returns the next entries, the oldest first, and whether there are more.
// What is named and not there is said in out.
func (s *Server) toReplay(ctx context.Context, in api.ReplayRequest, out *api.Replay) ([]bus.QuarantineEntry, bool, error) {
	if in.IDs == nil {
		entries, err := s.api.Quarantine.QuarantineList(ctx, bus.QuarantineFilter{Source: in.Source, After: in.After, Limit: replayAtOnce + 1})
		if err != nil {
			return nil, false, quarantineAway(err)
		}
		return entries[:min(len(entries), replayAtOnce)], len(entries) > replayAtOnce, nil
	}
	entries, err := s.api.Quarantine.QuarantineFind(ctx, in.IDs...)
	if err != nil {
		return nil, false, quarantineAway(err)
	}
	if in.After == 0 { // once, and not again where the request is followed up
		for _, id := range in.IDs {
			if !slices.ContainsFunc(entries, func(e bus.QuarantineEntry) bool { return e.ID == id }) {
				out.Entries = append(out.Entries, api.ReplayedEntry{ID: id, Outcome: api.Absent, Detail: absent(id)})
			}
		}
	}
	return slices.DeleteFunc(entries, func(e bus.QuarantineEntry) bool { return e.Seq <= in.After }), false, nil
}

// replayOne replays an entry and, once that is on disk, removes it. A process that
// dies in between has it replayed again, which the engine recognises.
func (s *Server) replayOne(ctx context.Context, e bus.QuarantineEntry, who caller) api.ReplayedEntry {
	got, err := s.reread(ctx, e, false)
	switch {
	case err != nil:
		s.log.ErrorContext(ctx, "a body from quarantine was not replayed", "delivery", e.ID, "source", e.Source, "by", who.name, "error", err)
		return api.ReplayedEntry{Outcome: api.Failed, Detail: "it is not certain that it was replayed; replay it again: what is there twice is recognised"}
	case got.Outcome != api.Replayed && got.Outcome != api.Ignored:
		return got
	}
	if err := s.api.Quarantine.DeleteQuarantine(ctx, e); err != nil {
		s.log.ErrorContext(ctx, "a body that was replayed is still in quarantine", "delivery", e.ID, "source", e.Source, "by", who.name, "error", err)
		return api.ReplayedEntry{
			Outcome: api.Failed, Alerts: got.Alerts,
			Detail: "it was replayed, and it is not certain that it was removed; replay it again: what is there twice is recognised",
		}
	}
	s.log.InfoContext(ctx, "a body from quarantine was replayed",
		"delivery", e.ID, "source", e.Source, "outcome", string(got.Outcome), "alerts", got.Alerts, "by", who.name)
	return got
}

// reread hands the body of an entry to the decoder.
func (s *Server) reread(ctx context.Context, e bus.QuarantineEntry, try bool) (api.ReplayedEntry, error) {
	body, err := s.api.Quarantine.QuarantineBody(ctx, e)
	var got api.ReplayedEntry
	switch {
	case errors.Is(err, bus.ErrNotFound):
		got = api.ReplayedEntry{Outcome: api.Absent, Detail: absent(e.ID)}
	case errors.Is(err, bus.ErrIncomplete):
		got = api.ReplayedEntry{Outcome: api.Refused, Detail: incomplete}
	case err != nil:
		return api.ReplayedEntry{}, err
	default:
		if got, err = s.api.Replay(ctx, e, body, try); err != nil {
			return api.ReplayedEntry{}, err
		}
	}
	got.ID, got.Source = e.ID, e.Source
	return got, nil
}
