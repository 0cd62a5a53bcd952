package oidc

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/tripgen/paramedic/receiver"
)

// Options say which tokens are accepted. Issuers, Audiences, Client, Now and Log
// must be set; for the rest zero means the default.
type Options struct {
	// Issuers are compared with the claim iss, each exactly.
	Issuers []string
	// KeysURL is where the issuers' JSON Web Key Set is. Empty: the one issuer
	// says so at /.well-known/openid-configuration.
	KeysURL string
	// Audiences: the claim aud must have one of them.
	Audiences []string
	// Claims must all be met.
	Claims []Claim
	// Algorithms are the accepted ones of RS256, RS384, RS512, PS256, PS384,
	// PS512, ES256, ES384 and ES512. The default is RS256 and ES256.
	Algorithms []string
	// Leeway is how far the clocks may differ: 1 min.
	Leeway time.Duration
	// Client fetches the keys. Its redirects are not followed.
	Client *http.Client
	Now    func() time.Time
	Log    *slog.Logger
}

// Claim is a condition on what a token says beside issuer, audience and times.
type Claim struct {
	// Names are claims of which at least one must be there. Each that is there
	// must be one of Values, or a list that has one of them.
	Names  []string
	Values []string
}

// New returns what accepts "Authorization: Bearer TOKEN" (RFC 6750) with such a
// token. It fetches nothing yet. The error names the option that is wrong.
func New(o Options) (receiver.Authenticator, error) {
	return nil, errors.New("oidc: not made yet")
}
