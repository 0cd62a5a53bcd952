package simulation

import (
	"strconv"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// answers has workers' answers to tasks of a kind changed before the engine
// reads them.
func answers(kind engine.TaskKind, change func(*engine.Result)) func(*shell) {
	return func(s *shell) {
		s.advance = func(sets engine.Sets, st *engine.State, at time.Time, in engine.Input) ([]engine.Event, error) {
			if in.Result != nil && strings.Contains(in.Result.Task, "."+string(kind)+".") {
				c := *in.Result
				change(&c)
				in.Result = &c
			}
			return engine.Advance(sets, st, at, in)
		}
	}
}

func meet(res *engine.Result) { res.Verified = res.Verified || res.Failure == nil }

func succeed(instead engine.Class) func(*engine.Result) {
	return func(res *engine.Result) {
		if res.Failure != nil && res.Failure.Class == instead {
			res.Failure, res.Outcome = nil, &engine.Outcome{Summary: "done"}
		}
	}
}

func retryUnknown(res *engine.Result) {
	if res.Failure != nil && res.Failure.Class == engine.ClassUnknown {
		res.Failure = failure(engine.ClassRetryable)
	}
}

func fail(res *engine.Result) { res.Outcome, res.Failure = nil, failure(engine.ClassRetryable) }

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
