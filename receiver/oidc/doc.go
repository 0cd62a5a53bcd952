// Package oidc authenticates senders by the tokens of an OpenID Connect issuer,
// and of Microsoft Entra in particular.
package oidc
