package explain

import (
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
)

func ofRun(ev engine.Event) statement {
	switch e := ev.(type) {
	case engine.RunStarted:
		return statement{TopicRule, fmt.Sprintf("Rule %s (mode %s) starts on %s for the %s", short(e.Rule), e.Mode, short(e.Target.Text()), named(e.Alert))}
	case engine.RunJoined:
		return statement{TopicAlert, fmt.Sprintf("Another alert joins the run (%s)", short(string(e.Episode)))}
	case engine.RunMerged:
		return statement{TopicEnd, fmt.Sprintf("The run ends, because run %s of the same rule has the same target", short(e.Into))}
	case engine.RunContinued:
		return statement{TopicRule, fmt.Sprintf("A relapse: attempt %d comes next, where run %s stopped", e.Attempt+1, short(e.After))}
	case engine.AttemptFailed:
		return statement{TopicVerify, because(fmt.Sprintf("Attempt %d did not cure", e.Attempt+1), e.Reason)}
	case engine.RunStanding:
		return statement{TopicAction, because("Stays as it is until the alert resolves, and is put back then", e.Reason)}
	case engine.UndoStarted:
		return statement{TopicAction, because(undoing(e), e.Reason)}
	case engine.VerifyStarted:
		if e.Only {
			return statement{TopicVerify, "Looks whether all is as it must be, until " + clock(e.Until) + ", and changes nothing"}
		}
		return statement{TopicVerify, "Waits for the cure to show until " + clock(e.Until)}
	case engine.VerifyWaiting:
		return statement{TopicVerify, because("Not confirmed yet, at most until "+clock(e.Until), e.Reason)}
	case engine.RunParked:
		return statement{TopicAction, because("It is not known what became of the action; a person is asked until "+clock(e.Until), e.Reason)}
	case engine.RunEnded:
		return statement{TopicEnd, because(ending(e.Outcome), e.Reason)}
	case engine.Escalated:
		return statement{TopicPerson, because("People are asked"+through(e.Routes), e.Reason)}
	}
	return statement{}
}

// undoing is what comes before what an attempt did is put back, in words.
func undoing(e engine.UndoStarted) string {
	switch e.Ends {
	case "":
		return fmt.Sprintf("Attempt %d did not cure, and what it did is put back", e.Attempt+1)
	case engine.Restored:
		return fmt.Sprintf("The time of what attempt %d did is over, and it is put back", e.Attempt+1)
	default:
		return fmt.Sprintf("What attempt %d did is put back before the run ends", e.Attempt+1)
	}
}

// ending is how a run ended, in words.
func ending(o engine.RunFinal) string {
	switch o {
	case engine.Cured:
		return "Cured"
	case engine.Uncured:
		return "Not cured"
	case engine.SelfResolved:
		return "Ended without a further action"
	case engine.Observed:
		return "Recorded only"
	case engine.Shadowed:
		return "Nothing was done, as the mode is shadow"
	case engine.HeldBack:
		return "Given up without an action, as it was held back too long"
	case engine.Denied:
		return "Ended by a person's no"
	case engine.Unapproved:
		return "Ended, as nobody approved in time"
	case engine.Undetermined:
		return "Ended without knowing whether the action was applied"
	case engine.Merged:
		return "Ended in favour of another run"
	case engine.Cancelled:
		return "Ended by a person"
	case engine.Restored:
		return "Restored as it was before"
	}
	return "Ended as " + short(string(o))
}

func through(routes []engine.Route) string {
	if len(routes) == 0 {
		return ""
	}
	return " through " + list(routes, func(r engine.Route) string {
		if r.To == "" {
			return short(r.Reporter)
		}
		return short(r.Reporter) + " " + short(r.To)
	})
}
