// Package alertmanager holds the prober that asks an Alertmanager whether alerts
// still fire.
//
// Use: make a [Server] of each configured one with [NewServer], collect them in
// [Servers], and hand these to [NewProbe].
//
// # When it holds
//
// No alert that agrees with all matchers may fire. One that is silenced or inhibited
// does not count. One that is only muted by the time of day does: it is a problem
// still. Nothing but a whole, well-formed answer of the API says that none fires. A
// server that has just lost its alerts gives one, too, as does a misspelt matcher,
// which the prober cannot tell.
//
// No secret is repeated, and no redirect followed.
//
// Everything here is safe for concurrent use. The tests run against a real
// Alertmanager (package lab), and a strict local server for what that does not do.
package alertmanager
