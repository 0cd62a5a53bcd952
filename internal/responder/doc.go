// Package responder is the thin shell around the engine: it reads INBOX, has
// the engine decide, appends what was decided to LEDGER, and derives WORK from
// it.
//
// # Use
//
// New makes a responder, Run runs it until its context ends. Any number may run
// on one bus: one of them holds the leader lease and decides, the others fold
// the ledger and are warm. Submit puts an input into INBOX, Decided waits until
// it has been decided here, View looks at the state. Reload gives it other rules:
// they enter INBOX as one input, by the leader only, so that the ledger says under
// which rules each decision was taken.
//
// # What is promised
//
// The lease keeps two leaders apart for the sake of peace; that they cannot both
// write is the ledger's compare-and-swap. A leader whose record does not come
// next throws its state away and folds anew. INBOX is read from where the
// ledger says that it was decided to, so that nothing is skipped and nothing is
// decided twice with effect. Tasks are published after the record that issues
// them; a new leader publishes those again that have no answer, and the claim
// of a task makes the repeat harmless.
//
// # Concurrency
//
// All methods are safe for concurrent use. Run owns every goroutine that it
// starts and waits for them.
//
// # Testing
//
// The tests run on the real embedded bus.
package responder
