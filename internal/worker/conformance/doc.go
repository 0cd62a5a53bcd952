// Package conformance tries a worker, in whatever language, on a real bus: it
// starts the worker's command with the credentials of its group, sends it tasks,
// and judges what it answers, what it writes into claims, and what it changes.
//
// # Use
//
// [Run] with the command, the action, its parameters and a target. Parameters may
// be several, of which the first whose plan would change something is used each
// time: so that turning on can follow turning off. Where Effects is named, a file
// or folder in which each change of the target leaves the task's id, it is also
// counted how often each task changed it.
//
// The worker reaches the bus through a relay that reads the NATS protocol, and
// kills it at the very message that it is about: a crash between the claim and
// the change, or between the change and its result, is one at that point and not
// near it.
//
// # Concurrency
//
// A Run owns its server, its relay and the worker's process, and has ended all of
// them when it returns.
//
// # Testing
//
// The tests try the project's own worker and both of the examples, which must
// pass, and workers that break one promise each, which must not.
package conformance
