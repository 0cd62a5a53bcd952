// Package failover tries the library's rule for a region's failover, and the way back, end to end: the built program
// as a process of its own, an Azure over HTTPS (package lab/azure), two real Redis servers that replicate, and two
// regions whose services can be made sick. The program is killed with kill -9 at every moment of every step: before the
// target has made a change, with that lost or made after all; after it was made and before it was answered; and right
// after the answer. It is started again, and afterwards, whatever happened, one of these must be true by what
// the targets themselves say, and by the ledger:
//
//   - all four steps were made, each once, and the run has cured
//   - everything is as it was before, and people were told
//   - the run is parked since nobody knows, nothing more was begun, and people were asked
//
// or, where a target has changed since so that it is not put back, people were told which.
//
// What is half done and silent is none of these. There is no code here but tests. The rule is the library's own, with
// its times shortened and its addresses replaced; each replacement must find what it replaces.
//
// After a kill the call of the dead worker is taken to go on for its timeout (1m in the library, or 20m of what takes Azure long; 8s here),
// in which a scenario waits. So they run side by side,
// as many as there are, rather than as many as there are processors.
package failover
