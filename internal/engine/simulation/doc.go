// Package simulation runs the pure engine in a world where everything goes
// wrong that may: senders repeat, delay, reorder and lose notifications; hosts
// crash between any two steps and fight over the ledger; WORK redelivers and
// duplicates; workers crash and wake up late; targets refuse, hang, change by
// themselves and are not cured; people pause, approve and cancel at random. One
// seed is one such world, in virtual time, and the same seed is the same world.
//
// Beside it stands an observer that knows what the engine must never do. It
// believes the ledger only where there is nothing else to ask: effects are
// counted by the targets, what was resolved or paused is read from INBOX, and
// guards are counted anew.
//
// Use: Run, with a seed. A violation comes back as an error that names the
// seed; with a trace, Run writes down what happened, to be read from the end.
// Nothing is shared between runs, so many may run at once. The tests run ten
// thousand seeds, and then break the shell and the engine in one way after the
// other, and want each of them caught.
package simulation
