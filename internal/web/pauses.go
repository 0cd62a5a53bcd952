package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/web/api"
)

// mostScope bounds a scope, in bytes; the bucket takes no longer keys.
const mostScope = 1024

// pauseValue is what the kill switch's bucket says about a scope. The workers
// look at the key only.
type pauseValue struct {
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// listPauses answers GET /pauses. What the workers obey must be readable: an
// empty list that is only a failed read would be a lie.
func (s *Server) listPauses(c echo.Context, _ caller) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	enforced, err := s.api.Pauses.List(c.Request().Context())
	if err != nil {
		return unavailable("The kill switch cannot be read", err, "the bus does not answer; try again")
	}
	all := map[string]api.Pause{}
	s.api.Engine.View(func(st *engine.State) {
		for scope, p := range st.Paused {
			all[scope] = api.Pause{Scope: scope, By: p.By, Reason: p.Reason, Recorded: true}
		}
	})
	for scope, raw := range enforced {
		p := all[scope]
		p.Scope, p.Enforced = scope, true
		var v pauseValue
		// Whatever the value is, the key pauses.
		if json.Unmarshal(raw, &v) == nil {
			p.By, p.Reason, p.At = v.By, v.Reason, v.At
		}
		all[scope] = p
	}
	out := api.Pauses{Pauses: make([]api.Pause, 0, len(all))}
	for _, p := range all {
		out.Pauses = append(out.Pauses, p)
	}
	slices.SortFunc(out.Pauses, func(a, b api.Pause) int { return strings.Compare(a.Scope, b.Scope) })
	return s.answer(c, http.StatusOK, out)
}

// pause answers POST /pauses.
func (s *Server) pause(c echo.Context, who caller) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	var in api.PauseRequest
	if err := bodyOf(c, &in); err != nil {
		return err
	}
	if err := errors.Join(checkScope(in.Scope), checkReason(in.Reason)); err != nil {
		return err
	}
	ctx := c.Request().Context()
	value, err := json.Marshal(pauseValue{By: who.name, Reason: in.Reason, At: s.now().UTC()})
	if err != nil {
		return fmt.Errorf("pause %s: %w", in.Scope, err)
	}
	if err := s.api.Pauses.Put(ctx, in.Scope, value); err != nil {
		return unavailable("Not paused", err, "it is not certain that %s is paused; try again", in.Scope)
	}
	out := s.switched(ctx, engine.Command{Verb: engine.Pause, By: who.name, Reason: in.Reason, Scope: in.Scope})
	return s.answer(c, http.StatusOK, out)
}

// resume answers DELETE /pauses?scope=.
func (s *Server) resume(c echo.Context, who caller) error {
	q, err := queryOf(c, "scope")
	if err != nil {
		return err
	}
	scope, ctx := q.Get("scope"), c.Request().Context()
	if err := checkScope(scope); err != nil {
		return err
	}
	enforced, err := s.api.Pauses.List(ctx)
	if err != nil {
		return unavailable("The kill switch cannot be read", err, "the bus does not answer; try again")
	}
	_, paused := enforced[scope]
	s.api.Engine.View(func(st *engine.State) {
		_, recorded := st.Paused[scope]
		paused = paused || recorded
	})
	if !paused && s.api.Engine.Ready() {
		return refuse(http.StatusNotFound, "Not paused", "scope %q is not paused", scope)
	}
	if err := s.api.Pauses.Delete(ctx, scope); err != nil {
		return unavailable("Not resumed", err, "it is not certain that %s is resumed; try again", scope)
	}
	out := s.switched(ctx, engine.Command{Verb: engine.Resume, By: who.name, Scope: scope})
	return s.answer(c, http.StatusOK, out)
}

func checkScope(scope string) error {
	if len(scope) > mostScope {
		return bad("the scope has %d bytes: want at most %d", len(scope), mostScope)
	}
	if err := engine.ParseScope(scope); err != nil {
		return bad("%v", err)
	}
	return nil
}

// switched records a change that the workers obey already.
func (s *Server) switched(ctx context.Context, cmd engine.Command) api.Switched {
	out := api.Switched{Scope: cmd.Scope, Paused: cmd.Verb == engine.Pause, By: cmd.By, Enforced: true, Recorded: true}
	if _, err := s.api.Engine.Submit(ctx, commandKind, engine.Input{Command: &cmd}); err != nil {
		s.log.ErrorContext(ctx, "a change of the kill switch is not recorded", "verb", cmd.Verb, "scope", cmd.Scope, "by", cmd.By, "error", err)
		out.Recorded = false
		out.Warning = "the workers obey, but it is not certain that the ledger will have it: repeat the command when the bus is well"
	}
	s.api.Engine.View(func(st *engine.State) {
		for _, r := range st.ActiveRuns() {
			if slices.ContainsFunc(r.Targets(), func(t engine.Target) bool { return slices.Contains(engine.Scopes(r.Rule, t), cmd.Scope) }) {
				out.ActiveRuns++
			}
		}
	})
	return out
}
