// Package webhook reports by posting each notice as JSON.
//
// # Protocol
//
// POST to the configured URL, with
//
//	Content-Type: application/json
//	User-Agent: paramedic/VERSION
//	X-Paramedic-Notice-Id: 1042-3
//	Authorization: Bearer TOKEN                     if a token is configured
//	X-Paramedic-Signature: t=1764000000,v1=HEX      if a signing key is configured
//
// The body is {"version": "1", "notice": {...}}, the fields of [report.Notice]. Notices may come more than once, always
// with the same id, and in order of the ledger but for those that were given up. The signature is the HMAC-SHA256 (RFC
// 2104) of the timestamp t in decimal, a full stop, and the body; a receiver checks it in constant time and refuses a t
// that is more than some minutes off. Repeats are signed anew.
//
// What the answer's status means:
//
//	2xx                       arrived
//	408, 425, 429, and 5xx    tried again, after Retry-After if that is given in seconds or as a date (RFC 9110)
//	all others                refused: not tried again. Redirects are not followed: a token could go astray
//
// No answer at all is tried again. Errors name the scheme and host but not the rest of the URL, whose path is often a
// secret.
//
// Concurrency: a [Reporter] may be used by several goroutines. Tests run against a local server that checks every
// request and answers every status.
package webhook
