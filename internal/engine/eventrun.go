package engine

import "fmt"

// eventRun tells which run an event belongs to. RunStarted makes a run and so
// belongs to none.
func eventRun(ev Event) (string, bool) {
	switch e := ev.(type) {
	case RunJoined:
		return e.Run, true
	case RunMerged:
		return e.Run, true
	case RunContinued:
		return e.Run, true
	case TaskIssued:
		return e.Run, true
	case TaskAnswered:
		return e.Run, true
	case TaskUnanswered:
		return e.Run, true
	case RetryScheduled:
		return e.Run, true
	case Replanned:
		return e.Run, true
	case RunHeld:
		return e.Run, true
	case RunAllowed:
		return e.Run, true
	case ActionSkipped:
		return e.Run, true
	case ApprovalAsked:
		return e.Run, true
	case ApprovalGiven:
		return e.Run, true
	case VerifyStarted:
		return e.Run, true
	case VerifyWaiting:
		return e.Run, true
	case RunStanding:
		return e.Run, true
	case AttemptFailed:
		return e.Run, true
	case UndoStarted:
		return e.Run, true
	case RunParked:
		return e.Run, true
	case RunEnded:
		return e.Run, true
	case Escalated:
		return e.Run, true
	}
	return "", false
}

// RunOf tells which run an event is about, for whoever reads the ledger.
func RunOf(ev Event) (string, bool) {
	if e, ok := ev.(RunStarted); ok {
		return e.Run, true
	}
	return eventRun(ev)
}

func unknownEpisode(ev Event, id string) error {
	return fmt.Errorf("event %s: episode %s is not known", ev.Kind(), id)
}
