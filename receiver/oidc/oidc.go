package oidc

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

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

// New returns what accepts "Authorization: Bearer TOKEN" (RFC 6750) with such a
// token. It fetches nothing yet. The error names the option that is wrong.
func New(o Options) (receiver.Authenticator, error) {
	if len(o.Algorithms) == 0 {
		o.Algorithms = []string{goidc.RS256, goidc.ES256}
	}
	if o.Leeway == 0 {
		o.Leeway = time.Minute
	}
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("oidc: %w", err)
	}
	a := &authenticator{
		o: o,
		// Issuer, audience and times are judged here, so that the log has the reason.
		config: &goidc.Config{
			SkipIssuerCheck: true, SkipClientIDCheck: true, SkipExpiryCheck: true,
			SupportedSigningAlgs: o.Algorithms, Now: o.Now,
		},
		keys: newKeys(o),
	}
	for _, name := range o.Algorithms {
		a.algorithms = append(a.algorithms, jose.SignatureAlgorithm(name))
	}
	return a, nil
}

func (o Options) validate() error {
	switch {
	case o.Client == nil || o.Now == nil || o.Log == nil:
		return errors.New("the options Client, Now and Log must be set")
	case len(o.Issuers) == 0 || slices.Contains(o.Issuers, ""):
		return errors.New("no Issuers: name the one that tokens come from")
	case len(o.Audiences) == 0 || slices.Contains(o.Audiences, ""):
		return errors.New("no Audiences: name what tokens are issued for, or everybody's would pass")
	case o.KeysURL == "" && len(o.Issuers) > 1:
		return errors.New("KeysURL is empty: it can be left out for one issuer only")
	case o.Leeway < 0:
		return errors.New("the Leeway must not be negative")
	}
	for _, name := range o.Algorithms {
		// Not all that go-jose knows: HS256 would take a public key for the secret.
		if !slices.Contains([]string{
			goidc.RS256, goidc.RS384, goidc.RS512, goidc.PS256, goidc.PS384, goidc.PS512, goidc.ES256, goidc.ES384, goidc.ES512,
		}, name) {
			return fmt.Errorf("the Algorithms: %q is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and ES512", name)
		}
	}
	for i, c := range o.Claims {
		if len(c.Names) == 0 || len(c.Values) == 0 || slices.Contains(c.Values, "") {
			return fmt.Errorf("the Claims: %d has no names, or no values", i)
		}
	}
	if o.KeysURL != "" {
		return checkURL("KeysURL", o.KeysURL)
	}
	return checkURL("Issuers", o.Issuers[0])
}

// checkURL refuses an address from which somebody between could send other keys.
func checkURL(what, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return fmt.Errorf("%s: %q is not an address that begins with https://", what, u.Redacted())
	}
	return nil
}

// wellKnown is where an issuer describes itself (OpenID Connect Discovery 1.0,
// section 4).
func wellKnown(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}
