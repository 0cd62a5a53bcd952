// Package report tells people and programs what Paramedic concluded. A [Notice] is derived from the ledger and from
// nothing else ([Fold]), so it can be derived again, and always with the same [Notice.ID]. The [Dispatcher] follows
// the ledger once for each [Reporter] and hands it the notices that a rule's routes, or its subscription, ask for.
//
// Promise: every notice is delivered at least once and in the order of the ledger, or it is counted and logged as dead
// with the reason. A notice dies when its reporter refuses it for good ([Permanent]), or when it still fails once it
// is older than [Options.Patience]. After a crash the notices of about the last second come again; receivers tell them
// by their ID. A reporter that is seen for the first time begins at the ledger's present end.
//
// A route {webhook: ops} of a rule goes to the reporter named "webhook/ops" if there is one, else to the one named
// "webhook". A route to neither is counted, and logged once for each name.
//
// Concurrency: each reporter has a goroutine, a reading of the ledger and a progress of its own, so one that is slow or
// down holds up no other. [Dispatcher.Run] owns them and waits for them. Only one process at a time may run a
// Dispatcher on one ledger, or notices are sent twice; where several could, the caller holds a lease.
//
// Tests fold golden ledgers (testdata) and run the Dispatcher in virtual time.
package report
