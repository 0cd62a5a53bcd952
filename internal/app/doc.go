// Package app is the only place where the parts of Paramedic are put together:
// it hands each its own piece of the configuration, starts them in order, and
// ends them in the opposite one: edges, workers, engine, reporters, bus.
//
// Start returns once everything runs; Wait returns when a part has failed or
// its context ends; Close ends everything, bounded in time. What was started
// has an owner here that waits for it.
//
// The tests run the whole program, as main does.
package app
