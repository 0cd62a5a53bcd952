// Package web is the HTTP side that people and other programs operate Paramedic
// by: health, metrics and the API under /api/v1.
//
// # Use
//
// [New] checks the options, [Server.Mount] puts the routes into an echo instance
// that the application shares with other routes. Call [Server.Close] before
// http.Server.Shutdown, or hand it to RegisterOnShutdown: it ends the live
// streams, for which Shutdown would wait for ever.
//
// # What is promised
//
// The kill switch is written to where the workers look before anything else is
// done, and needs no engine. A command about a run is answered with 200 only
// when the engine has obeyed it; with 202 when it is stored and not decided yet.
// A timeline is read from the ledger, not from memory, so it can be had of every
// run there ever was. Every error is application/problem+json (RFC 9457).
//
// A body in quarantine is replayed under the delivery that it came as, the oldest
// first, and leaves the quarantine only once its alerts are on disk. What dies in
// between is replayed again, which the engine recognises. Only what is named is
// dropped, and who dropped it, and why, is in the log.
//
// Who may do what is decided by bearer tokens (RFC 6750) with roles. Without
// tokens, the API serves loopback connections only, and refuses what a web page
// in the same machine's browser could send: foreign names in Host (DNS
// rebinding) and requests from other sites.
//
// # Concurrency
//
// A Server may be used from many goroutines, and starts none but those that
// [net/http] serves requests by. Streams and scans of the ledger are bounded in
// number.
//
// # Testing
//
// The tests run it in a real server on the embedded bus with a real responder.
package web
