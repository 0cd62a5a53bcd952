package simulation

import "github.com/tripgen/paramedic/internal/engine"

// reasons checks that what was declined, put off or ended says why.
func (o *observer) reasons(ev engine.Event) {
	reason := "none is needed"
	switch e := ev.(type) {
	case engine.AlertDropped:
		reason = e.Reason
	case engine.AlertUnmatched:
		reason = e.Reason
	case engine.RuleFailed:
		reason = e.Reason
	case engine.AnswerIgnored:
		reason = e.Reason
	case engine.RetryScheduled:
		reason = e.Reason
	case engine.Replanned:
		reason = e.Reason
	case engine.RunHeld:
		reason = e.Reason
		if !knownGuard(e.Guard) {
			reason = ""
		}
	case engine.VerifyWaiting:
		reason = e.Reason
	case engine.AttemptFailed:
		reason = e.Reason
	case engine.RunStanding:
		reason = e.Reason
	case engine.UndoStarted:
		reason = e.Reason
	case engine.ActionSkipped:
		reason = e.Reason
	case engine.RunParked:
		reason = e.Reason
	case engine.RunEnded:
		reason = e.Reason
	case engine.Escalated:
		reason = e.Reason
	case engine.CommandRefused:
		reason = e.Reason
	}
	if reason == "" {
		o.w.violate("event %s gives no reason", ev.Kind())
	}
}

func knownGuard(name string) bool {
	switch name {
	case engine.GuardPaused, engine.GuardFreshness, engine.GuardFlap, engine.GuardBusy, engine.GuardCooldown, engine.GuardHoldDown, engine.GuardLimit, engine.GuardBudget,
		engine.GuardWindow, engine.GuardUnless, engine.GuardRequires, engine.GuardConcurrent, engine.GuardMinHealthy:
		return true
	}
	return false
}
