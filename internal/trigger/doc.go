// Package trigger raises the alerts of rules' own triggers: at a time of day
// (schedule), when a probe fails, when a workload is rolled out, when what was
// spent crosses a budget. Its alerts go into INBOX like those of any source, and
// only the rule that the trigger belongs to takes them.
//
// # What is promised
//
// Of all processes one looks: the holder of a lease. Nothing depends on there
// being only one, though, since a process that was stopped for a while may wake up
// and go on where it was. What a trigger concludes is a record in a bucket of the
// bus, replaced by compare-and-swap: of two processes that come to a conclusion
// about the same thing, one writes, and the other reads what was written. What goes
// into INBOX follows from the record alone, with its times: whoever finds that it
// may not be there yet puts it there again, word for word, and the engine
// recognises it. So a start of a schedule, a rollout or a failure is one episode,
// also across any failover, and none that was recorded is lost.
//
// An alert that stands for a state that goes on (a probe fails, a rollout is stuck,
// the time between a schedule's start and its restore) is sent again every
// [RepeatEvery], so that rules see that it is fresh. One that stands for an event
// (a start without restore, a rollout that began or is complete) fires until the
// next of its kind takes its place.
//
// # Use
//
// A [Manager] is made by [New] and runs until its context ends. It takes the
// triggers of the rules that are in force, and follows when these change: triggers
// that stay as they were run on. The alert of a trigger that is gone is resolved.
//
// # Concurrency and testing
//
// Every trigger has a goroutine of its own, which the manager waits for. What is
// concluded is decided by pure functions of a record, the trigger, what was seen
// and the time; the tests run several managers against one bucket, stop them
// anywhere, and count what the engine makes of it.
package trigger
