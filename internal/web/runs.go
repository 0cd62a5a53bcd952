package web

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/web/api"
)

const (
	someRuns = 100
	mostRuns = 1000
)

// listRuns answers GET /runs?state=active|ended|all&rule=&outcome=&limit=.
func (s *Server) listRuns(c echo.Context, _ caller) error {
	q, err := queryOf(c, "state", "rule", "outcome", "limit")
	if err != nil {
		return err
	}
	limit, err := number(q, "limit", someRuns, mostRuns)
	if err != nil {
		return err
	}
	state := cmp.Or(q.Get("state"), "all")
	if !slices.Contains([]string{"active", "ended", "all"}, state) {
		return bad("query parameter state=%q: want active, ended or all", state)
	}
	rule, outcome := q.Get("rule"), engine.RunFinal(q.Get("outcome"))
	if outcome != "" && !slices.Contains(outcomes(), outcome) {
		return bad("query parameter outcome=%q: want one of %v", outcome, outcomes())
	}
	if !s.api.Engine.Ready() {
		return notReady()
	}
	runs := []api.Run{}
	s.api.Engine.View(func(st *engine.State) {
		for _, r := range st.Runs {
			if (state == "all" || r.Active() == (state == "active")) &&
				(rule == "" || r.Rule == rule) && (outcome == "" || r.Outcome == outcome) {
				runs = append(runs, brief(r))
			}
		}
	})
	slices.SortFunc(runs, func(a, b api.Run) int {
		return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(a.ID, b.ID))
	})
	return s.answer(c, http.StatusOK, api.Runs{Runs: runs[:min(len(runs), int(limit))], Matching: len(runs)}) //nolint:gosec // at most mostRuns
}

// outcomes are the ends that a run may have.
func outcomes() []engine.RunFinal {
	return []engine.RunFinal{
		engine.Cured, engine.Uncured, engine.SelfResolved, engine.Observed, engine.Shadowed, engine.HeldBack,
		engine.Denied, engine.Unapproved, engine.Undetermined, engine.Merged, engine.Cancelled, engine.Restored,
	}
}

// brief copies what is shown of a run in short. It is called within View.
func brief(r *engine.Run) api.Run {
	b := api.Run{
		ID: r.ID, Rule: r.Rule, Mode: r.Mode, RuleSet: r.RuleSet, Target: r.Stated.String(),
		Alert: r.Alert.Name, Severity: r.Alert.Severity, Episodes: len(r.Episodes),
		Phase: r.Phase, Outcome: r.Outcome, Why: r.Why, Guard: r.Guard, Attempt: r.Attempt + 1,
		StartedAt: r.StartedAt, EndedAt: r.EndedAt, WakeAt: r.WakeAt,
	}
	if r.Canonical() {
		b.Target = r.Target.String()
	}
	if r.Phase == engine.PhaseApproval {
		b.Plan = r.PlanDigest()
	}
	return b
}

// known is what the state has about a run.
type known struct {
	run      api.Run
	alert    alert.Alert
	plans    []api.Plan
	episodes []alert.EpisodeID
}

func (s *Server) find(id string) (k known, ok bool) {
	s.api.Engine.View(func(st *engine.State) {
		r := st.Runs[id]
		if ok = r != nil; !ok {
			return
		}
		k = known{run: brief(r), alert: r.Alert, episodes: slices.Clone(r.Episodes)}
		for _, p := range r.Plans {
			k.plans = append(k.plans, api.Plan{Target: p.Target.String(), Summary: p.Summary, Changes: slices.Clone(p.Changes), Noop: p.Noop})
		}
	})
	return k, ok
}

// notReady is the answer where an empty state would be taken for the truth.
func notReady() *refusal {
	return unavailable("The engine is not ready", nil, "the ledger is not read to its end yet; try again")
}

// notInMemory is the answer about a run that is not in memory.
func (s *Server) notInMemory(id string) *refusal {
	if !s.api.Engine.Ready() {
		return notReady()
	}
	return noSuchRun(id)
}

func noSuchRun(id string) *refusal {
	return refuse(http.StatusNotFound, "No such run", "run %q is not known", id)
}

// showRun answers GET /runs/{id}: the run and all that the ledger says about it,
// which is enough also while the engine is not ready.
func (s *Server) showRun(c echo.Context, _ caller) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	ctx, id := c.Request().Context(), c.Param("id")
	release, refused := place(s.scans, scanning)
	if refused != nil {
		return refused
	}
	defer release()
	k, inMemory := s.find(id)
	from := uint64(1)
	last, err := s.api.Ledger.LedgerLast(ctx)
	if err != nil {
		return ledgerAway(err)
	}
	if inMemory {
		if from, err = s.firstSince(ctx, k.run.StartedAt, last); err != nil {
			return err
		}
	}
	tale := newTale(id, k.episodes)
	if err := s.tell(ctx, tale, from, last); err != nil {
		return err
	}
	if !inMemory {
		if !tale.started {
			return noSuchRun(id)
		}
		k = known{run: tale.run, alert: tale.alert, plans: tale.plans}
	}
	return s.answer(c, http.StatusOK, api.RunDetail{
		Run: k.run, Alert: k.alert, Plans: k.plans, Timeline: tale.entries, Truncated: tale.truncated, Ledger: last,
	})
}

func ledgerAway(err error) *refusal {
	return unavailable("The ledger cannot be read", err, "the bus does not answer; try again")
}
