// Package worker does tasks: it pulls them from WORK, calls the remediator or
// the verifier, and answers into INBOX.
//
// Its one idea is that a task which may change its target, execute or undo, has
// one record, its claim, and that the claim alone decides how the task ended. Every answer is written to the claim
// by compare-and-set before it is published, so of two workers that hold the
// same task, whichever way that came about, only one ever answers, and both
// would publish the same answer. A claim goes
//
//	(none) -> started -> done
//	             |  ^
//	             v  |
//	          released
//
// "started" is written before the call and means that the target may have been
// changed. Whoever finds it observes the target and does not call, unless the
// call is known not to be applied and the target itself refuses the older call
// (the very same plan with its old precondition is handed over again, so that
// of the two calls one at most is accepted) or calling twice is calling once.
// "released" means that nothing was called after all. "done" carries the
// result, which is published again on every redelivery until the task is
// acknowledged. Whoever loses the compare-and-set leaves the message alone: it
// belongs to the winner.
//
// A change that takes its target minutes outlives the call: Execute has kept, while
// it waits, what the change can be followed with (remediators.Checkpoint). It is
// stored in the claim, still "started", and handed to Observe, by which a successor
// learns how the change ended instead of asking a person.
//
// An undo task goes the same way, but is never observed: Undo may be called
// again by its contract, so whoever finds it started calls it, once the call
// that was announced can no longer be under way.
//
// Use: New, then Run, which owns every goroutine and returns once they have
// ended. Cancelling Run's context stops pulling; tasks in hand have Config.Drain
// to end, after which their contexts are cancelled and their outcome is left to
// whoever gets the redelivery. A verification is cancelled at
// once, since it can start anew elsewhere.
//
// Concurrency: a Worker is used by one Run. Remediators and the verifier are
// called from Config.Parallel goroutines.
//
// Testing: the tests drive the worker over a queue and a claim store that
// redeliver and fail as JetStream does, crash it at every point of its way, at
// every pair of points, and let a stopped worker's call land at every point of
// its successor's. Config.Hook names the points for a program that kills.
package worker
