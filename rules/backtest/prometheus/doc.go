// Package prometheus makes a history of what a Prometheus remembers of its
// alerts: the series ALERTS and ALERTS_FOR_STATE, which it writes at every
// evaluation of an alerting rule.
//
// # Use
//
// [New] makes a [Source] for package backtest. It asks the range API in chunks,
// so that a month is never in memory at once; a chunk that is too much for the
// server is split, and one that fails in passing is asked for again.
//
// # What the series can tell, and what not
//
// A range query looks at the series once a step. So every time is uncertain by a
// step, and a firing that begins and ends between two looks is not seen. What
// Alertmanager would have made of it is assumed: it waits (group_wait) before
// the first notification, repeats it (repeat_interval), and sends the resolve.
// Silences, inhibitions, routes and annotations are not in the series, nor are
// the external labels that Prometheus adds when it sends; those can be given.
//
// ALERTS_FOR_STATE holds since when an expression has been true. Where it
// changes between two looks, there were two firings; where it is the same on
// both sides of a time in which Prometheus has nothing, there was one. Such a
// time is told by count(up), which has no value in it.
//
// # Concurrency
//
// A Source starts no goroutine. It is for one reader at a time.
//
// # Testing
//
// The tests run against a local server that answers as Prometheus does and
// refuses what Prometheus refuses, limits included.
package prometheus
