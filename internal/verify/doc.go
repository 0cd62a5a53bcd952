// Package verify finds out whether an action may begin and whether it helped. To
// verify is to ask probes again and again until all of them hold for long
// enough, or time is up; to check is to look at each once.
//
// A [Prober] answers one question once and reads only. Those that need a
// system's client live beside its actions, in remediators/kubernetes and
// remediators/http; a [Registry] is the closed list of those that a process
// has. A [Watcher] does the asking, for a worker with a verify or a check task.
//
// What cannot be asked does not hold: a prober's error, a panic of the network,
// an answer too late all count as no. No probes at all are an error.
//
// A Registry and a Watcher are not changed once made and may be used by many
// goroutines. Time is the standard library's, so that tests run in a bubble of
// testing/synctest.
package verify
