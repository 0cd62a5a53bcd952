package report

import (
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
)

// end tells how a run ended.
func (r *run) end(id string, e engine.RunEnded) Notice {
	var kind Kind
	var what string
	switch e.Outcome {
	case engine.Cured:
		kind, what = Cured, "Rule %s cured %s"
	case engine.Uncured:
		kind, what = Uncured, "Rule %s did not cure %s"
	case engine.SelfResolved:
		kind, what = SelfResolved, "Rule %s has nothing to do for %s"
	case engine.Observed:
		kind, what = Observed, "Rule %s only observes %s"
	case engine.Shadowed:
		kind, what = Shadowed, "Rule %s shadows %s"
	case engine.HeldBack:
		kind, what = HeldBack, "Rule %s did not act on %s in time"
	case engine.Denied:
		kind, what = Denied, "Rule %s may not act on %s"
	case engine.Unapproved:
		kind, what = Unapproved, "Rule %s got no answer whether to act on %s"
	case engine.Undetermined:
		kind, what = Undetermined, "Rule %s does not know what became of its action on %s"
	case engine.Cancelled:
		kind, what = Cancelled, "Rule %s was told to leave %s alone"
	case engine.Restored:
		kind, what = Restored, "Rule %s has put %s back as it was"
	default:
		kind, what = Kind(e.Outcome), "Rule %s ended its run for %s"
	}
	text := fmt.Sprintf(what, r.rule, r.aim.Target().Text())
	if e.Reason == "" {
		return r.notice(id, kind, "", text+".")
	}
	return r.notice(id, kind, e.Reason, text+": "+sentence(e.Reason))
}
