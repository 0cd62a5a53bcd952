// Package backtest says what a rule set would have done on real history.
//
// # Use
//
// [Run] reads a [Source] once, in order, and plays it through the production
// engine: nothing is decided here. It gives a [Report], and with Against also
// the difference to other rules over the same history, which is read only once
// for both. [WriteText], [WriteJSON] and [WriteHTML] print reports.
//
// # The two ways to play a recording
//
// A recording with ticks that is played under its own rules is replayed: every
// input is decided at its recorded time, ticks, answers and commands included,
// and nothing else is. The engine then takes the very decisions that it took
// when the recording was made. All else is a rehearsal: ticks are left out,
// the engine wakes by virtual time, and what workers would have answered is
// taken from the recording where it has an answer to the same task of the same
// action, and is assumed where it has none (model.go says what; [Report] tells
// the assumptions with the figures). Rules that other rules replace are left
// out as well, and so are commands about runs that this history does not have.
//
// What lies before Since is played like the rest, so that cooldowns, limits and
// budgets stand as they would have, and is not counted.
//
// # Concurrency
//
// One Run uses one goroutine. Sets must be safe for use by one goroutine.
//
// # Testing
//
// A property test drives an engine through random worlds and replays what was
// recorded: events must be equal byte for byte. Another does it with the
// responder on a real bus. Reports have golden files (go test -update).
package backtest
