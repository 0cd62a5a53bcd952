// Package oidc authenticates senders by tokens of an OpenID Connect issuer, such
// as OAuth 2 client credentials yield, and of Microsoft Entra in particular.
// https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
//
// A token passes if a key of the issuer has signed it with an accepted algorithm
// (never none, never a shared secret), if it is of the issuer, for the audience,
// valid now, and has the claims that are asked for. Why one does not is for the
// log, in a [receiver.Denial]; the sender hears error="invalid_token", or
// "insufficient_scope" for a claim (RFC 6750, section 3.1). Neither has anything
// of the token but the claim that is wrong, and its key's identifier.
//
// # Keys
//
// They are fetched when the first token comes, again after an hour, and when a
// token names a key that is not there or has another signature, but at most once
// a minute: many unknown keys do not become many requests. Requests that come
// meanwhile wait for the same answer. If it fails, the keys that are there stay
// in use, however old; a token that none of them fits cannot be judged, which is
// an error, and answered with 503.
//
// The key server's answers are bounded in size and time, and its redirects are
// not followed. It is reached by https, or is on this machine.
//
// # Concurrency
//
// What [New] and [Entra] return is safe for concurrent use. There is no goroutine
// of its own: a request that needs keys fetches them.
//
// # Testing
//
// Against a local issuer that counts its requests, fails, hangs and lies; through
// a real receiver, with a table of attacks.
package oidc
