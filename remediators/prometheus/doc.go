// Package prometheus holds the prober that asks a Prometheus, or what speaks its
// API, a question in PromQL.
//
// Use: make a [Server] of each configured one with [NewServer], collect them in
// [Servers], and hand these to [NewProbe].
//
// # When it holds
//
// Every series of the answer must be on the right side of the threshold, which is a
// number or the answer to another query. What cannot be compared does not hold: a
// value that is not a number, a series without its counterpart, and no answer at
// all, unless the rule says that this is well: an empty answer is also what a
// misspelt name gives. The server's warnings are shown, since they may mean that
// the answer is of only a part of the data.
//
// No secret is repeated, and no redirect followed, which could take one elsewhere.
//
// Everything here is safe for concurrent use. The tests run against a real
// Prometheus (package lab), and a local server for what that does not do.
package prometheus
