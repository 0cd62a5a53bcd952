package simulation

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// mostSeeds is within how many seeds a fault must be noticed.
const mostSeeds = 1500

// TestBrokenEngineIsCaught breaks the engine, or the shell around it, in one way
// at a time. A simulation that does not notice proves nothing about what it is
// to notice.
func TestBrokenEngineIsCaught(t *testing.T) {
	for name, c := range map[string]struct {
		sabotage func(*shell)
		want     string
	}{
		"no busy guard":         {blind(forgetHolders), "which "},
		"no freshness":          {blind(forgetAge), "evidence"},
		"no pause":              {blind(forgetPauses), "is paused"},
		"no budgets":            {blind(forgetSpent), "the budget is"},
		"no limits":             {blind(forgetPast), "the limit is"},
		"no cooldown":           {blind(forgetPast), "the cooldown is"},
		"no breaker":            {blind(forgetUncured), "without approval"},
		"no flap guard":         {blind(forgetOpens), "flaps"},
		"no approval":           {blind(approveAll), "without approval"},
		"acts on the resolved":  {blind(forgetResolves), "have resolved"},
		"all rules are auto":    {trustAll, "without approval"},
		"unknown is retried":    {retryUnknown, "may have been applied"},
		"two runs on a target":  {rewrite(neverMerge), "are both about"},
		"silent drops":          {rewrite(without("alert.dropped")), "was concluded upon"},
		"silent repeats":        {rewrite(without("alert.repeated")), "was concluded upon"},
		"nobody is told":        {rewrite(without("run.escalated")), "nobody is told"},
		"no reason to hold":     {rewrite(noReason), "gives no reason"},
		"tasks are doubled":     {doubleTasks, "which no record issued"},
		"time never passes":     {noTicks, "calm down"},
		"decides by chance":     {chance, "the replay concludes"},
		"state beside ledger":   {secretState, "but the leader has"},
		"no CAS on the ledger":  {noRace, ""},
		"progress is forgotten": {func(s *shell) { s.restored = rewind }, "was concluded upon"},
		"progress is overshot":  {func(s *shell) { s.restored = skip }, ""},
		"claims are not read":   {noClaims, "by one attempt"},
		"no CAS on claims":      {func(s *shell) { s.wins = func(int, int) bool { return true } }, "by one attempt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= mostSeeds; seed++ {
				sh := soundShell()
				c.sabotage(&sh)
				_, err := run(seed, nil, sh)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					continue
				}
				t.Logf("caught by seed %d: %.200v", seed, err)
				return
			}
			t.Errorf("not caught within %d seeds", mostSeeds)
		})
	}
}

// blind has every decision made without knowing something; the state itself is
// left right. Hide returns what puts it back.
func blind(hide func(*engine.State, time.Time) (restore func())) func(*shell) {
	return func(s *shell) {
		s.advance = advanceBy(func(sets engine.Sets, st *engine.State, at time.Time, step engine.Step) []engine.Event {
			restore := hide(st, at)
			defer restore()
			return engine.Decide(sets, st, at, step)
		})
	}
}

// rewrite has the events of every decision changed before they are folded.
func rewrite(change func(at time.Time, events []engine.Event) []engine.Event) func(*shell) {
	return func(s *shell) {
		s.advance = advanceBy(func(sets engine.Sets, st *engine.State, at time.Time, step engine.Step) []engine.Event {
			return change(at, engine.Decide(sets, st, at, step))
		})
	}
}

type decision func(engine.Sets, *engine.State, time.Time, engine.Step) []engine.Event

// advanceBy is engine.Advance around another Decide.
func advanceBy(decide decision) func(engine.Sets, *engine.State, time.Time, engine.Input) ([]engine.Event, error) {
	return func(sets engine.Sets, st *engine.State, at time.Time, in engine.Input) ([]engine.Event, error) {
		if at.Before(st.At) {
			at = st.At
		}
		var all []engine.Event
		take := func(step engine.Step) error {
			events := decide(sets, st, at, step)
			for _, ev := range events {
				if err := st.Apply(at, ev); err != nil {
					return err
				}
			}
			all = append(all, events...)
			return nil
		}
		for _, step := range engine.Steps(in) {
			if err := take(step); err != nil {
				return nil, err
			}
		}
		heard := time.Time{}
		if in.Tick != nil {
			heard = in.Tick.At
		}
		for range 1000 {
			step, due := engine.Due(st, at, heard)
			if !due {
				break
			}
			if err := take(step); err != nil {
				return nil, err
			}
		}
		return all, nil
	}
}

func forgetPauses(st *engine.State, _ time.Time) func() {
	was := st.Paused
	st.Paused = nil
	return func() { st.Paused = was }
}

func forgetSpent(st *engine.State, _ time.Time) func() {
	was := st.Spent
	st.Spent = nil
	return func() { st.Spent = was }
}

func forgetPast(st *engine.State, _ time.Time) func() {
	was := st.Past
	st.Past = nil
	return func() { st.Past = was }
}

func forgetUncured(st *engine.State, _ time.Time) func() {
	was := st.Uncured
	st.Uncured = nil
	return func() { st.Uncured = was }
}

func forgetHolders(st *engine.State, _ time.Time) func() {
	was := map[*engine.Run]int{}
	for _, r := range st.Runs {
		was[r], r.Acted = r.Acted, 0
	}
	st.Reindex()
	return func() {
		for r, n := range was {
			r.Acted = n
		}
		st.Reindex()
	}
}

func forgetOpens(st *engine.State, _ time.Time) func() {
	was := map[*engine.Series][]time.Time{}
	for _, s := range st.Series {
		was[s], s.Opens = s.Opens, nil
	}
	return func() {
		for s, opens := range was {
			s.Opens = opens
		}
	}
}

func forgetAge(st *engine.State, at time.Time) func() {
	was := map[*engine.Episode]time.Time{}
	for _, ep := range st.Episodes {
		was[ep], ep.LastFiring = ep.LastFiring, at
	}
	return func() {
		for ep, last := range was {
			ep.LastFiring = last
		}
	}
}

func forgetResolves(st *engine.State, at time.Time) func() {
	was := map[*engine.Episode]time.Time{}
	for _, ep := range st.Episodes {
		was[ep], ep.ResolvedAt = ep.ResolvedAt, time.Time{}
	}
	age := forgetAge(st, at)
	return func() {
		age()
		for ep, resolved := range was {
			ep.ResolvedAt = resolved
		}
	}
}

func approveAll(st *engine.State, _ time.Time) func() {
	was := map[*engine.Run]string{}
	for _, r := range st.Runs {
		if len(r.Plans) > 0 && r.Phase == engine.PhaseHeld {
			was[r], r.Approved = r.Approved, r.PlanDigest()
		}
	}
	return func() {
		for r, approved := range was {
			r.Approved = approved
		}
	}
}

// trusting gives rule sets in which every rule and rung is auto.
type trusting struct{ engine.Sets }

func (t trusting) Set(digest string) (engine.RuleSet, bool) {
	set, ok := t.Sets.Set(digest)
	return trustingSet{set}, ok
}

type trustingSet struct{ engine.RuleSet }

func (s trustingSet) Rule(name string) (*engine.Rule, bool) {
	rule, ok := s.RuleSet.Rule(name)
	if !ok {
		return nil, false
	}
	c := *rule
	c.Mode, c.Attempts = engine.ModeAuto, nil
	for _, a := range rule.Attempts {
		a.Mode = engine.ModeAuto
		c.Attempts = append(c.Attempts, a)
	}
	return &c, true
}

func trustAll(s *shell) {
	s.advance = func(sets engine.Sets, st *engine.State, at time.Time, in engine.Input) ([]engine.Event, error) {
		return engine.Advance(trusting{sets}, st, at, in)
	}
}

func retryUnknown(s *shell) {
	s.advance = func(sets engine.Sets, st *engine.State, at time.Time, in engine.Input) ([]engine.Event, error) {
		if res := in.Result; res != nil && res.Failure != nil && res.Failure.Class == engine.ClassUnknown {
			c := *res
			c.Failure = &engine.Failure{Class: engine.ClassRetryable, Message: res.Failure.Message}
			in.Result = &c
		}
		return engine.Advance(sets, st, at, in)
	}
}

func neverMerge(at time.Time, events []engine.Event) []engine.Event {
	for i, ev := range events {
		if e, ok := ev.(engine.RunMerged); ok {
			events[i] = engine.RunHeld{Run: e.Run, Guard: engine.GuardBusy, Reason: "busy", Until: at.Add(time.Minute)}
		}
	}
	return events
}

func without(kind string) func(time.Time, []engine.Event) []engine.Event {
	return func(_ time.Time, events []engine.Event) []engine.Event {
		var kept []engine.Event
		for _, ev := range events {
			if ev.Kind() != kind {
				kept = append(kept, ev)
			}
		}
		return kept
	}
}

func noReason(_ time.Time, events []engine.Event) []engine.Event {
	for i, ev := range events {
		if e, ok := ev.(engine.RunHeld); ok {
			e.Reason = ""
			events[i] = e
		}
	}
	return events
}

func doubleTasks(s *shell) {
	once := s.tasks
	s.tasks = func(events []engine.Event) []engine.Task {
		tasks := once(events)
		for _, t := range tasks {
			t.ID += ".again"
			tasks = append(tasks, t)
		}
		return tasks
	}
}

func noTicks(s *shell) {
	s.advance = func(sets engine.Sets, st *engine.State, at time.Time, in engine.Input) ([]engine.Event, error) {
		if in.Tick != nil {
			return nil, nil
		}
		return engine.Advance(sets, st, at, in)
	}
}

// chance decides by something that is in no ledger.
func chance(s *shell) {
	n := 0
	rewrite(func(_ time.Time, events []engine.Event) []engine.Event {
		n++
		for i, ev := range events {
			if e, ok := ev.(engine.RunEnded); ok {
				e.Reason += strconv.Itoa(n)
				events[i] = e
			}
		}
		return events
	})(s)
}

// secretState keeps something in the state that no event says.
func secretState(s *shell) {
	s.advance = func(sets engine.Sets, st *engine.State, at time.Time, in engine.Input) ([]engine.Event, error) {
		events, err := engine.Advance(sets, st, at, in)
		for _, ev := range events {
			if e, ok := ev.(engine.RunParked); ok {
				st.Uncured["parked "+e.Run]++
			}
		}
		return events, err
	}
}

func noRace(s *shell) { s.accepts = func(int, int) bool { return true } }

func rewind(st *engine.State) {
	st.Inbox, st.InboxLine = st.Inbox-min(st.Inbox, 1), 0
}

func skip(st *engine.State) { st.Inbox, st.InboxLine = st.Inbox+1, 0 }

func noClaims(s *shell) {
	s.claimed = func(*claim) *claim { return nil }
	s.wins = func(int, int) bool { return true }
}
