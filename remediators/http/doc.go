// Package http holds the action that sends one HTTP request, and the prober that
// asks a URL for its health.
//
// Both go through one [Client]. It follows no redirect, so a request goes where
// the rule says and nowhere else. It takes a new connection for each request and
// speaks HTTP/1.1: net/http repeats a request by itself if a kept connection
// turns out to be closed and the request bears an Idempotency-Key header (as
// Transport's documentation says), and HTTP/2 may repeat it too; here what is
// sent is sent once. Until there is a connection, nothing was sent; from then on
// the server may have acted on it.
//
// A client asks only where its [Egress] allows, and none asks a link-local address or
// a cloud's metadata service that is not listed; that is looked at when the address is
// known and before anything is sent.
//
// The presets of spring stand for endpoints of Spring Boot's Actuator.
//
// No secret is repeated: URLs are shown without user and query values, headers
// without their values, bodies not at all.
//
// Everything is safe for concurrent use. The tests run against a local server
// that checks each request.
package http
