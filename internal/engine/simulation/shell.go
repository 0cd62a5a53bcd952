package simulation

import (
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// shell is what stands around the engine, where the tests put broken parts to
// see whether the observer notices.
type shell struct {
	// advance decides one input and folds what follows.
	advance func(engine.Sets, *engine.State, time.Time, engine.Input) ([]engine.Event, error)
	// accepts says whether a ledger of that length takes a record that was
	// decided after so many.
	accepts func(decidedAfter, length int) bool
	// restored is shown every state that a host folds from the ledger.
	restored func(*engine.State)
	// tasks derives WORK from what was decided.
	tasks func([]engine.Event) []engine.Task
	// claimed is what a worker is told that the store of claims has, and wins
	// whether a write replaces the claim at a revision.
	claimed func(*claim) *claim
	wins    func(want, have int) bool
}

func soundShell() shell {
	return shell{
		advance:  engine.Advance,
		accepts:  func(decidedAfter, length int) bool { return decidedAfter == length },
		restored: func(*engine.State) {},
		tasks: func(events []engine.Event) []engine.Task {
			var tasks []engine.Task
			for _, ev := range events {
				if e, ok := ev.(engine.TaskIssued); ok {
					tasks = append(tasks, e.Task)
				}
			}
			return tasks
		},
		claimed: func(c *claim) *claim { return c },
		wins:    func(want, have int) bool { return want == have },
	}
}
