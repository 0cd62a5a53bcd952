// Package receiver is the HTTP edge: it takes the webhooks of monitoring
// systems, makes their alerts durable, and answers 202 only after that.
//
// A [Receiver] owns the route POST /v1/webhooks/{source}. For each request it
// finds the [Source], authenticates, reads a bounded body, has the source's
// [Decoder] turn it into alerts, encodes them as lines for the INBOX stream,
// and waits until a group commit has stored them. What goes wrong is answered
// as application/problem+json (RFC 9457), and with 503 and Retry-After wherever
// it is not certain that the alerts are on disk. A body that cannot be decoded
// is put into quarantine before it is answered.
//
// One bad alert does not hold up the others of its body: most senders would
// send the same body again and again. The usable ones are accepted, and the
// body goes into quarantine, first, with a reason that names the others. The
// 202 is {"delivery": id, "alerts": n}, with "quarantined": m if alerts were
// refused, and "warnings": [...] if something was odd.
//
// What is in quarantine can be decoded again, once the cause is mended:
// [Receiver.Replay] takes it as the delivery that it came as, whole or not at all.
//
// Some senders also post what is no alert: a ping, a note on an incident. Such a
// body is answered with 202 too, with "alerts": 0 and "ignored": why; it is
// counted, and nothing is stored of it.
//
// Some senders first ask whether they may send: a [Decoder] that is a
// [Handshaker] answers them, after authentication.
//
// # Authentication
//
// A [Source] has a list of [Authenticator], of which any one lets a request pass:
// [Bearer], [Basic], [URLToken], [ClientCertificate], [HMAC], and the tokens of
// package oidc. All but HMAC judge the headers alone, before any of the body is
// read. HMAC refuses by the headers what it can, and the rest when the body is
// there; until then the body counts against a quarter of MaxInFlight, so that who
// knows no secret cannot keep out who does.
//
// A signature with a timestamp is good for one accepted request: it is remembered,
// in memory, for as long as its timestamp is good. One that was answered with 503
// is good again. Schemes without a timestamp, as PagerDuty's, have no such
// protection; there, and after a restart and between replicas, a replay is the
// repeat of an alert, which the engine recognises.
//
// Why credentials were refused is counted and logged as a [Reason], with what an
// authenticator says in a [Denial]. The sender hears 401 or 403 and no more, but
// for the age of its signature. Credentials, signatures and queries of URLs are
// not in logs, answers or quarantine.
//
// Source.Allow is asked before, and Options.TrustedProxies say whose
// X-Forwarded-For is believed. An address that fails too often is answered with
// 503 for a while, whatever it shows.
//
// An INBOX message is JSON lines, one input of the engine a line; the lines
// written here are {"delivery": D}, D being an [alert.Delivery].
//
// # Use
//
// [New] starts the committer, [Receiver.Mount] puts the route into an echo
// instance that the application may share with other routes, [NewServer] makes
// the http.Server with this edge's timeouts. Shut the http.Server down first,
// then call [Receiver.Close], then close the bus.
//
// # Concurrency
//
// Everything exported is safe for concurrent use. One goroutine publishes;
// Close waits for it. The memory that requests may hold is bounded by
// Options.MaxInFlight.
//
// # Testing
//
// The package takes its clock, identifiers, publisher and metrics registry as
// arguments. Tests of its own use a strict in-memory publisher and, where the
// durability matters, the embedded bus.
package receiver
