// Package engine decides. It is the pure core of Paramedic: given what is known
// (State) and what happened (Input), Decide returns what follows (Event), and
// State.Apply folds an event into what is known. It does no I/O, reads no clock
// and rolls no dice: time, identities and rule sets come in as arguments, so
// the same code runs in production, in rule tests, in backtests and in the
// simulation.
//
// State is the fold of the ledger. Everything that Decide looks at is either in
// the state, in the input, or in a rule set that the state names by digest, so
// a replay of the ledger gives the same state, and a replay of the inbox under
// the same rules gives the same ledger.
//
// Nothing here is safe for concurrent use: a state has one owner. The tests
// fold golden ledgers, and the package simulation runs thousands of seeds of
// crashes, duplicates, delays and reorderings against it.
package engine
