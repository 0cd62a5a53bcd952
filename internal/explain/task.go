package explain

import (
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
)

func ofTask(ev engine.Event) statement {
	switch e := ev.(type) {
	case engine.TaskIssued:
		return issued(e.Task)
	case engine.TaskAnswered:
		return answered(e.Task, e.Result)
	case engine.TaskUnanswered:
		return statement{TopicPlan, fmt.Sprintf("No worker answered task %s in time", short(e.Task))}
	case engine.AnswerIgnored:
		return statement{TopicAction, because(fmt.Sprintf("An answer to task %s came too late to count", short(e.Result.Task)), e.Reason)}
	case engine.RetryScheduled:
		return statement{topicOf(e.Task), because(fmt.Sprintf("The %s failed and is tried again at %s", noun(e.Task), clock(e.At)), e.Reason)}
	case engine.ActionSkipped:
		return statement{TopicAction, because(fmt.Sprintf("Action %d is skipped, as it finds nothing to change", e.Action+1), e.Reason)}
	case engine.Replanned:
		if e.Stale {
			return statement{TopicPlan, because("The plan is made anew", e.Reason)}
		}
		return statement{TopicPlan, because("The plan no longer holds and is made anew", e.Reason)}
	}
	return statement{}
}

func issued(t engine.Task) statement {
	switch t.Kind {
	case engine.TaskPlan:
		return statement{TopicPlan, fmt.Sprintf("Asks what %s would change on %s (attempt %d)", short(t.Action), short(t.Target.Text()), t.Attempt+1)}
	case engine.TaskExecute:
		words := fmt.Sprintf("Does %s on %s (attempt %d)", short(t.Action), short(t.Target.Text()), t.Attempt+1)
		if t.Plan != nil {
			words = because(words, t.Plan.Summary)
		}
		return statement{TopicAction, words}
	case engine.TaskCheck:
		return statement{TopicVerify, because("Looks whether what the attempt needs first is so", probes(t.Probes))}
	case engine.TaskVerify:
		return statement{TopicVerify, because("Watches until "+clock(t.Deadline)+" whether it helped", probes(t.Probes))}
	case engine.TaskUndo:
		words := fmt.Sprintf("Puts back %s on %s (attempt %d)", short(t.Action), short(t.Target.Text()), t.Attempt+1)
		if t.Outcome != nil {
			words = because(words, t.Outcome.Summary)
		}
		return statement{TopicAction, words}
	}
	return statement{TopicAction, fmt.Sprintf("Asks a worker for task %s", short(t.ID))}
}

func probes(all []engine.ProbeTask) string {
	return list(all, func(p engine.ProbeTask) string {
		if p.Target != nil {
			return short(p.Kind) + " of " + short(p.Target.Text())
		}
		return short(p.Kind)
	})
}

// answered tells of a result. A ledger of an older build does not name the kind
// of the task.
func answered(kind engine.TaskKind, r engine.Result) statement {
	switch {
	case r.Failure != nil:
		return failed(*r.Failure)
	case r.Plan != nil && r.Plan.Noop:
		return statement{TopicPlan, because("Nothing on "+short(r.Plan.Target.Text())+" needs to change", r.Plan.Summary)}
	case r.Plan != nil:
		return statement{TopicPlan, because("Would change "+short(r.Plan.Target.Text()), r.Plan.Summary)}
	case r.Outcome != nil && kind == engine.TaskUndo:
		return statement{TopicAction, because("Put back", r.Outcome.Summary)}
	case r.Outcome != nil && r.Observed:
		return statement{TopicAction, because("Done, as was found out afterwards", r.Outcome.Summary)}
	case r.Outcome != nil:
		return statement{TopicAction, because("Done", r.Outcome.Summary)}
	case kind == engine.TaskCheck && r.Verified:
		return statement{TopicVerify, because("What the attempt needs first is so", checks(r.Checks))}
	case kind == engine.TaskCheck:
		return statement{TopicVerify, because("What the attempt needs first is not so", checks(r.Checks))}
	case r.Verified:
		return statement{TopicVerify, because("Everything that was watched is well", checks(r.Checks))}
	}
	return statement{TopicVerify, because("It did not help in time", checks(r.Checks))}
}

func failed(f engine.Failure) statement {
	switch f.Class {
	case engine.ClassRetryable:
		return statement{TopicAction, because("Failed for now, and changed nothing", f.Message)}
	case engine.ClassTerminal:
		return statement{TopicAction, because("Failed, and changed nothing", f.Message)}
	case engine.ClassUnknown:
		return statement{TopicAction, because("Failed, and may have changed the target", f.Message)}
	case engine.ClassPlanChanged:
		return statement{TopicAction, because("Not done, as the target is no longer as the plan saw it", f.Message)}
	case engine.ClassPaused:
		return statement{TopicAction, because("Not done, as the kill switch stopped it", f.Message)}
	case engine.ClassExpired:
		return statement{TopicAction, because("Not done, as it came to a worker too late", f.Message)}
	}
	return statement{TopicAction, because("Failed as "+short(string(f.Class)), f.Message)}
}

func checks(all []engine.Check) string {
	return list(all, func(c engine.Check) string {
		words := short(c.Kind)
		if !c.OK {
			words += " fails"
		}
		if c.Detail != "" {
			words += " (" + short(c.Detail) + ")"
		}
		return words
	})
}

func noun(k engine.TaskKind) string {
	switch k {
	case engine.TaskPlan:
		return "planning"
	case engine.TaskCheck:
		return "check"
	case engine.TaskExecute:
		return "action"
	case engine.TaskUndo:
		return "undoing"
	case engine.TaskVerify:
		return "verification"
	}
	return "task " + short(string(k))
}

func topicOf(k engine.TaskKind) string {
	switch k {
	case engine.TaskPlan:
		return TopicPlan
	case engine.TaskCheck, engine.TaskVerify:
		return TopicVerify
	case engine.TaskExecute, engine.TaskUndo:
	}
	return TopicAction
}
