package web

import (
	"context"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/web/api"
)

// deliveryKind is the kind of the INBOX messages that bring alerts.
const deliveryKind = "delivery"

// Raiser makes the alert with which a person sets off a rule that is in force. Its
// errors are for that person: there is no such rule, or a label is wrong.
type Raiser func(ctx context.Context, rule string, labels map[string]string, by, reason string) (*alert.Delivery, error)

// trigger answers POST /triggers/{rule}.
func (s *Server) trigger(c echo.Context, who caller) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	var in api.TriggerRequest
	if err := bodyOf(c, &in); err != nil {
		return err
	}
	if err := checkReason(in.Reason); err != nil {
		return err
	}
	if !s.api.Engine.Ready() {
		return notReady()
	}
	ctx := c.Request().Context()
	d, err := s.api.Raise(ctx, c.Param("rule"), in.Labels, who.name, in.Reason)
	if err != nil {
		return bad("%s", err)
	}
	seq, err := s.api.Engine.Submit(ctx, deliveryKind, engine.Input{Delivery: d})
	if err != nil {
		return unavailable("Not stored", err, "it is not certain that the rule is set off; look at its runs before you try again")
	}
	out := api.Triggered{Delivery: d.ID, Runs: []api.Run{}}
	waiting, cancel := context.WithTimeout(ctx, s.api.DecideTimeout)
	defer cancel()
	if err := s.api.Engine.Decided(waiting, seq); err != nil {
		return s.answer(c, http.StatusAccepted, out)
	}
	out.Decided = true
	s.api.Engine.View(func(st *engine.State) {
		ep := st.Episodes[d.Alerts[0].Episode()]
		if ep == nil {
			return
		}
		for _, id := range slices.Sorted(slices.Values(ep.Runs)) {
			if r := st.Runs[id]; r != nil {
				out.Runs = append(out.Runs, brief(r))
			}
		}
	})
	return s.answer(c, http.StatusOK, out)
}
