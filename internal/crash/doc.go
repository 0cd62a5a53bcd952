// Command crash kills Paramedic and looks what becomes of its promises. It runs
// on a real Kubernetes API server (package lab); the child that it kills is this
// program itself, running the whole of Paramedic as package app puts it together.
//
//	go run ./internal/crash -kills 20
//
// One iteration is a namespace with three Deployments, one Paramedic with a data
// folder of its own, and a sender that behaves as Alertmanager does: it posts
// until it gets a 202, repeats what still fires, and resolves what has rolled
// out. Paramedic is ended by SIGKILL at the n-th passing of a named point, or at
// a random time, and started again on the same folder; some iterations kill
// twice. In the end the sender repeats everything once more, too late.
//
// Then it is judged from outside. The API server's audit log and the Deployments'
// generations say how often each was changed; which attempt a change belongs to
// stands in the change itself. A request whose client is killed is cut off with
// 504, whether its change was made or not: there the generation alone tells. The
// ledger is read last, by a bus of the judge's own, and must verify and tell the
// same story.
//
// What is chosen at random follows from -seed. On a violation the iteration's
// folder stays: the logs of every life, the ledger and the evidence.
//
// The tests run it with a few kills, against a Paramedic whose changes bear no
// fence, which must be found out, and the judge against made-up evidence.
package main
