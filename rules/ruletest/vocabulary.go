package ruletest

import (
	"maps"
	"slices"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// anyName stands for every name.
const anyName = "*"

// vocabulary is every name that a test may use and that does not come from the
// rules which it tests.
type vocabulary struct {
	actions, probes, reporters []string
}

func newVocabulary(c rules.Catalog) vocabulary {
	return vocabulary{
		actions: slices.Sorted(maps.Keys(c.Actions)), probes: slices.Sorted(maps.Keys(c.Probes)),
		reporters: slices.Sorted(slices.Values(c.Reporters)),
	}
}

func modes() []string {
	return []string{string(engine.ModeObserve), string(engine.ModeShadow), string(engine.ModeApprove), string(engine.ModeAuto)}
}

func classes() []string {
	return []string{
		string(engine.ClassRetryable), string(engine.ClassTerminal), string(engine.ClassUnknown),
		string(engine.ClassPlanChanged), string(engine.ClassPaused), string(engine.ClassExpired),
	}
}

func outcomes() []string {
	return []string{
		string(engine.Cured), string(engine.Uncured), string(engine.SelfResolved), string(engine.Observed),
		string(engine.Shadowed), string(engine.HeldBack), string(engine.Denied), string(engine.Unapproved),
		string(engine.Undetermined), string(engine.Merged), string(engine.Cancelled), string(engine.Restored),
	}
}

// holds are the guards that hold a run. Freshness is none of them: it ends the run.
func holds() []string {
	return []string{
		engine.GuardPaused, engine.GuardFlap, engine.GuardBusy, engine.GuardCooldown, engine.GuardHoldDown, engine.GuardLimit,
		engine.GuardBudget, engine.GuardWindow, engine.GuardUnless, engine.GuardRequires, engine.GuardConcurrent, engine.GuardMinHealthy,
	}
}

// taskWords name the kinds of task as rules and tests do.
func taskWords() map[engine.TaskKind]string {
	return map[engine.TaskKind]string{
		engine.TaskPlan: kindPlan, engine.TaskCheck: kindCheck, engine.TaskExecute: kindDo,
		engine.TaskVerify: kindVerify, engine.TaskUndo: kindUndo,
	}
}
