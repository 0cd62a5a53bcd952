// Package simulation runs the pure engine in a world where everything goes
// wrong that may: senders repeat, delay, reorder and lose notifications; hosts
// crash between any two steps and fight over the ledger; WORK redelivers and
// duplicates; workers crash and wake up late; targets refuse, hang, change by
// themselves and are not cured; people pause, approve and cancel at random. Each
// world draws its own rules, so that every construct of the language comes up in
// many: windows, unless, requires, minHealthy, concurrent, hold-down, groups, checks,
// undo, actions with targets of their own, and schedules that restore. One seed is one such world, in virtual time, and the same seed is the
// same world.
//
// Beside it stands an observer that knows what the engine must never do. It
// believes the ledger only where there is nothing else to ask: effects, and what
// was put back, are counted by the targets, what fires, has resolved or is paused
// is read from INBOX, and guards are judged anew. All of them are judged at the
// time of the decision that lets an action go, which is a while before a worker
// takes it up. What INBOX does not settle, since a record may be of a part of a
// message, is taken in the engine's favour.
//
// Use: Run, with a seed. A violation comes back as an error that names the
// seed; with a trace, Run writes down what happened, to be read from the end.
// Nothing is shared between runs, so many may run at once. The tests run ten
// thousand seeds, and then break the shell and the engine in one way after the
// other, and want each of them caught.
package simulation
