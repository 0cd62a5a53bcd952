package web

import (
	"bytes"
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/internal/web/api"
)

// commandKind is the kind of the INBOX messages written here.
const commandKind = "command"

// approve answers POST /runs/{id}/approve.
func (s *Server) approve(c echo.Context, who caller) error {
	return s.command(c, who, engine.Approve)
}

// deny answers POST /runs/{id}/deny.
func (s *Server) deny(c echo.Context, who caller) error {
	return s.command(c, who, engine.Deny)
}

// cancel answers POST /runs/{id}/cancel.
func (s *Server) cancel(c echo.Context, who caller) error {
	return s.command(c, who, engine.Cancel)
}

func (s *Server) command(c echo.Context, who caller, verb engine.Verb) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	var in api.CommandRequest
	if err := bodyOf(c, &in); err != nil {
		return err
	}
	if err := checkReason(in.Reason); err != nil {
		return err
	}
	id := c.Param("id")
	k, ok := s.find(id)
	if !ok {
		return s.notInMemory(id)
	}
	switch {
	case verb == engine.Approve && in.Plan == "":
		return bad("say which plan is approved: plan is its digest, which the run shows")
	case verb == engine.Deny && in.Plan == "":
		in.Plan = k.run.Plan
	case verb == engine.Cancel && in.Plan != "":
		return bad("a cancel names no plan")
	}
	cmd := engine.Command{Verb: verb, By: who.name, Reason: in.Reason, Run: id, Plan: in.Plan}
	out, err := s.obey(c.Request().Context(), cmd)
	if err != nil {
		return err
	}
	// A leader that lost its lead has nothing in memory for a moment.
	if now, ok := s.find(id); ok {
		k = now
	}
	out.Run = k.run
	if !out.Decided {
		return s.answer(c, http.StatusAccepted, out)
	}
	return s.answer(c, http.StatusOK, out)
}

// obey stores a command, waits a while for the engine to decide it, and finds
// out whether it was refused.
func (s *Server) obey(ctx context.Context, cmd engine.Command) (api.Commanded, error) {
	before, err := s.api.Ledger.LedgerLast(ctx)
	if err != nil {
		return api.Commanded{}, ledgerAway(err)
	}
	seq, err := s.api.Engine.Submit(ctx, commandKind, engine.Input{Command: &cmd})
	if err != nil {
		return api.Commanded{}, unavailable("Not stored", err, "it is not certain that the command is stored; look at the run before you try again")
	}
	waiting, cancel := context.WithTimeout(ctx, s.api.DecideTimeout)
	defer cancel()
	if err := s.api.Engine.Decided(waiting, seq); err != nil {
		return api.Commanded{Detail: "the command is stored; the engine has not decided it yet"}, nil
	}
	refused, err := s.refusalOf(ctx, cmd, seq, before)
	if err != nil {
		s.log.WarnContext(ctx, "it is not known whether a command was refused", "error", err)
		return api.Commanded{Detail: "the command is decided; whether it was refused cannot be read now"}, nil
	}
	if refused != "" {
		return api.Commanded{}, refuse(http.StatusConflict, "Refused", "%s", refused)
	}
	return api.Commanded{Decided: true}, nil
}

// refusalOf is why the engine refused the command that stands at seq in INBOX;
// empty if it did not. Records up to before are older than the command.
func (s *Server) refusalOf(ctx context.Context, cmd engine.Command, seq, before uint64) (string, error) {
	last, err := s.api.Ledger.LedgerLast(ctx)
	if err != nil {
		return "", ledgerAway(err)
	}
	decoder, mark := ledger.NewDecoder(), []byte(engine.CommandRefused{}.Kind())
	var reason string
	err = s.read(ctx, before+1, last, func(m bus.Msg) (bool, error) {
		if !bytes.Contains(m.Data, mark) {
			return true, nil
		}
		rec, err := decoder.Decode(m.Data)
		if err != nil {
			return false, err
		}
		if rec.Cause.Inbox > seq {
			return false, nil
		}
		for _, ev := range rec.Events {
			if e, ok := ev.(engine.CommandRefused); ok && e.Command == cmd {
				reason = e.Reason
			}
		}
		return true, nil
	})
	return reason, err
}
