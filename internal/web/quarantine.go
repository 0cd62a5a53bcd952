package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/web/api"
)

const (
	someQuarantined = 50
	mostQuarantined = 500
	// mostIDs bounds the bodies that one request names.
	mostIDs = 100
)

// The headers of a body in quarantine that are the receiver's word, not the
// request's. See package receiver.
const (
	keptReason     = "Paramedic-Reason"
	keptReceivedAt = "Paramedic-Received-At"
	keptMissing    = "Paramedic-Headers-Missing"
)

// Quarantine is the bodies that could not be used.
type Quarantine interface {
	QuarantineList(ctx context.Context, f bus.QuarantineFilter) ([]bus.QuarantineEntry, error)
	QuarantineFind(ctx context.Context, ids ...string) ([]bus.QuarantineEntry, error)
	QuarantineBody(ctx context.Context, e bus.QuarantineEntry) ([]byte, error)
	DeleteQuarantine(ctx context.Context, e bus.QuarantineEntry) error
}

// listQuarantine answers GET /quarantine?source=&limit=&after=&order=oldest|newest.
func (s *Server) listQuarantine(c echo.Context, _ caller) error {
	q, err := queryOf(c, "source", "limit", "after", "order")
	if err != nil {
		return err
	}
	limit, err := number(q, "limit", someQuarantined, mostQuarantined)
	if err != nil {
		return err
	}
	after, err := number(q, "after", 0, 1<<62)
	if err != nil {
		return err
	}
	order := q.Get("order")
	if order != "" && order != "oldest" && order != "newest" {
		return bad("query parameter order=%q: want oldest or newest", order)
	}
	if err := checkSource(q.Get("source"), "query parameter source"); err != nil {
		return err
	}
	f := bus.QuarantineFilter{Source: q.Get("source"), Newest: order == "newest", After: after, Limit: int(limit) + 1} //nolint:gosec // at most mostQuarantined
	entries, err := s.api.Quarantine.QuarantineList(c.Request().Context(), f)
	if err != nil {
		return quarantineAway(err)
	}
	out := api.QuarantineList{Entries: make([]api.Quarantined, 0, len(entries))}
	for _, e := range entries[:min(len(entries), f.Limit-1)] {
		out.Entries = append(out.Entries, quarantined(e))
	}
	if len(entries) == f.Limit {
		out.Next = out.Entries[f.Limit-2].Sequence
	}
	return s.answer(c, http.StatusOK, out)
}

// showQuarantined answers GET /quarantine/{id}.
func (s *Server) showQuarantined(c echo.Context, _ caller) error {
	e, err := s.quarantinedOf(c)
	if err != nil {
		return err
	}
	out := api.QuarantineDetail{Quarantined: quarantined(e), Headers: maps.Clone(e.Headers), MissingHeaders: e.Headers[keptMissing]}
	for _, name := range []string{keptReason, keptReceivedAt, keptMissing} {
		delete(out.Headers, name)
	}
	if e.Parts > 1 {
		switch _, err := s.bodyOfQuarantined(c.Request().Context(), e); {
		case errors.Is(err, bus.ErrIncomplete):
			out.Incomplete = incomplete
		case err != nil:
			return err
		}
	}
	return s.answer(c, http.StatusOK, out)
}

// incomplete says what a body is of which a part is missing.
const incomplete = "a part of the body is missing: either it was not stored whole, and its sender was told to send it again, " +
	"or it was being removed after it was replayed or dropped; drop it"

// quarantinedBody answers GET /quarantine/{id}/body, byte for byte. A browser saves
// it: whatever it is, it is not to be rendered.
func (s *Server) quarantinedBody(c echo.Context, _ caller) error {
	e, err := s.quarantinedOf(c)
	if err != nil {
		return err
	}
	body, err := s.bodyOfQuarantined(c.Request().Context(), e)
	if errors.Is(err, bus.ErrIncomplete) {
		return refuse(http.StatusConflict, "Incomplete", "%s", incomplete)
	}
	if err != nil {
		return err
	}
	if err := boundWrite(c.Response()); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentDisposition, "attachment")
	h.Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	if err := c.Blob(http.StatusOK, echo.MIMEOctetStream, body); err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return nil
}

// tryQuarantined answers GET /quarantine/{id}/try: what a replay would do now.
func (s *Server) tryQuarantined(c echo.Context, _ caller) error {
	e, err := s.quarantinedOf(c)
	if err != nil {
		return err
	}
	if s.api.Replay == nil {
		return noSources()
	}
	got, err := s.reread(c.Request().Context(), e, true)
	if err != nil {
		return unavailable("Cannot be tried now", err, "try again; the reason is in the server's log")
	}
	return s.answer(c, http.StatusOK, got)
}

// drop answers POST /quarantine/drop.
func (s *Server) drop(c echo.Context, who caller) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	var in api.DropRequest
	if err := bodyOf(c, &in); err != nil {
		return err
	}
	if err := errors.Join(checkIDs(in.IDs), checkReason(in.Reason)); err != nil {
		return err
	}
	if in.Reason == "" {
		return bad("say why: reason is for the log, which is all that is left of a body that is dropped")
	}
	ctx := c.Request().Context()
	entries, err := s.api.Quarantine.QuarantineFind(ctx, in.IDs...)
	if err != nil {
		return quarantineAway(err)
	}
	out := api.Dropped{Dropped: []api.Quarantined{}}
	for _, id := range in.IDs {
		if !slices.ContainsFunc(entries, func(e bus.QuarantineEntry) bool { return e.ID == id }) {
			out.Absent = append(out.Absent, id)
		}
	}
	for _, e := range entries {
		if err := s.api.Quarantine.DeleteQuarantine(ctx, e); err != nil {
			return unavailable("Not all is dropped", err, "%d of %d were dropped, and of %s it is not certain; try again", len(out.Dropped), len(entries), e.ID)
		}
		gone := quarantined(e)
		s.log.LogAttrs(ctx, slog.LevelWarn, "a body in quarantine was dropped", slog.String("delivery", e.ID), slog.String("source", e.Source),
			slog.String("by", who.name), slog.String("reason", in.Reason), slog.String("kept_for", gone.Reason))
		s.metrics.dropped(e.Source)
		out.Dropped = append(out.Dropped, gone)
	}
	return s.answer(c, http.StatusOK, out)
}

// quarantinedOf finds the entry that the path names.
func (s *Server) quarantinedOf(c echo.Context) (bus.QuarantineEntry, error) {
	if _, err := queryOf(c); err != nil {
		return bus.QuarantineEntry{}, err
	}
	id := c.Param("id")
	found, err := s.api.Quarantine.QuarantineFind(c.Request().Context(), id)
	if err != nil {
		return bus.QuarantineEntry{}, quarantineAway(err)
	}
	if len(found) == 0 {
		return bus.QuarantineEntry{}, notInQuarantine(id)
	}
	return found[0], nil
}

func notInQuarantine(id string) error {
	return refuse(http.StatusNotFound, "Not in quarantine", "%s", absent(id))
}

func absent(id string) string {
	return fmt.Sprintf("no body %q is in quarantine: it was replayed, dropped or kept for its time already, or never was there", id)
}

// placed gives h one of the places of scans: it reads on and on, and bodies whole.
func (s *Server) placed(h handler) handler {
	return func(c echo.Context, who caller) error {
		release, refused := place(s.scans, scanning)
		if refused != nil {
			return refused
		}
		defer release()
		return h(c, who)
	}
}

// bodyOfQuarantined tells a body that is gone, or incomplete, from a bus that does
// not answer.
func (s *Server) bodyOfQuarantined(ctx context.Context, e bus.QuarantineEntry) ([]byte, error) {
	body, err := s.api.Quarantine.QuarantineBody(ctx, e)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return nil, notInQuarantine(e.ID)
	case err != nil && !errors.Is(err, bus.ErrIncomplete):
		return nil, quarantineAway(err)
	}
	return body, err
}

func quarantineAway(err error) error {
	return unavailable("The quarantine cannot be read", err, "the bus does not answer; try again")
}

func quarantined(e bus.QuarantineEntry) api.Quarantined {
	out := api.Quarantined{ID: e.ID, Source: e.Source, Reason: e.Headers[keptReason], Bytes: e.Size, Sequence: e.Seq}
	if at, err := time.Parse(time.RFC3339Nano, e.Headers[keptReceivedAt]); err == nil {
		out.ReceivedAt = at.UTC()
	}
	return out
}

var sourceName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// checkSource holds a source's name to what one can be; empty is for all.
func checkSource(source, what string) error {
	if source != "" && !sourceName.MatchString(source) {
		return bad("%s: %q is not a source's name: want 1 to 64 letters, digits, - and _", what, source)
	}
	return nil
}

// checkIDs refuses a list that names nothing, or something twice.
func checkIDs(ids []string) error {
	switch {
	case len(ids) == 0:
		return bad("ids is empty: name at least one body")
	case len(ids) > mostIDs:
		return bad("ids has %d entries: at most %d at a time", len(ids), mostIDs)
	}
	for i, id := range ids {
		if id == "" || slices.Contains(ids[:i], id) {
			return bad("ids[%d] is %q: want each body once", i, id)
		}
	}
	return nil
}
