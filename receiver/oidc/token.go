package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/tripgen/paramedic/receiver"
)

// authenticator is Options made ready.
type authenticator struct {
	o          Options
	config     *goidc.Config
	algorithms []jose.SignatureAlgorithm
	keys       *keys
}

const challenge = `Bearer realm="paramedic"`

func (a *authenticator) Challenge() string { return challenge }

// deny refuses a token: it is wrong.
func deny(why receiver.Reason, format string, args ...any) error {
	return &receiver.Denial{
		Err: receiver.ErrUnauthenticated, Reason: why, Detail: "the token: " + fmt.Sprintf(format, args...),
		Challenge: challenge + `, error="invalid_token"`,
	}
}

// forbid refuses a token that is right, and not enough.
func forbid(format string, args ...any) error {
	return &receiver.Denial{
		Err: receiver.ErrForbidden, Reason: receiver.ReasonTokenClaim, Detail: "the token: " + fmt.Sprintf(format, args...),
		Challenge: challenge + `, error="insufficient_scope"`,
	}
}

func (a *authenticator) Authenticate(r *http.Request) error {
	text, ok := receiver.BearerToken(r)
	if !ok {
		return receiver.ErrUnauthenticated
	}
	signed, err := a.parse(text)
	if err != nil {
		return err
	}
	check := &signatureCheck{keys: a.keys, signed: signed}
	token, err := goidc.NewVerifier("", check, a.config).Verify(r.Context(), text)
	switch {
	case check.err != nil:
		return check.err
	case err != nil:
		return deny(receiver.ReasonToken, "its claims cannot be read")
	}
	claims := map[string]any{}
	if err := token.Claims(&claims); err != nil {
		return deny(receiver.ReasonToken, "its claims cannot be read")
	}
	return a.judge(token, claims)
}

// parse reads a token without believing it. One of another issuer is refused
// here, as its key would be looked for in vain.
func (a *authenticator) parse(text string) (*jose.JSONWebSignature, error) {
	signed, err := jose.ParseSignedCompact(text, a.algorithms)
	if other, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok {
		return nil, deny(receiver.ReasonToken, "it is signed with %.20q, wanted one of %v", string(other.Got), a.o.Algorithms)
	}
	// The error is not told: it may have a piece of what was sent.
	if err != nil {
		return nil, deny(receiver.ReasonToken, "it is no signed JSON Web Token")
	}
	var claimed struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &claimed); err != nil {
		return nil, deny(receiver.ReasonToken, "its claims cannot be read")
	}
	return signed, a.judgeIssuer(claimed.Issuer)
}

func (a *authenticator) judgeIssuer(issuer string) error {
	if !slices.Contains(a.o.Issuers, issuer) {
		return deny(receiver.ReasonTokenIssuer, "it says that it is of %.200q, wanted %q", issuer, a.o.Issuers)
	}
	return nil
}

// judge judges what a token says, now that it is known whose it is.
func (a *authenticator) judge(token *goidc.IDToken, claims map[string]any) error {
	if err := a.judgeIssuer(token.Issuer); err != nil {
		return err
	}
	if !slices.ContainsFunc(token.Audience, func(one string) bool { return slices.Contains(a.o.Audiences, one) }) {
		return deny(receiver.ReasonTokenAudience, "it is for %.200q, wanted one of %q", token.Audience, a.o.Audiences)
	}
	now := a.o.Now()
	if token.Expiry.IsZero() {
		return deny(receiver.ReasonTokenExpired, "it does not say when it expires")
	}
	if late := now.Sub(token.Expiry); late > a.o.Leeway {
		return deny(receiver.ReasonTokenExpired, "it expired at %s, %s ago", token.Expiry.UTC().Format(time.RFC3339), late.Round(time.Second))
	}
	if value, there := claims["nbf"]; there {
		seconds, ok := value.(float64)
		if !ok {
			return deny(receiver.ReasonTokenEarly, "when it becomes valid, nbf, is no number")
		}
		from := time.Unix(int64(seconds), 0)
		if early := from.Sub(now); early > a.o.Leeway {
			return deny(receiver.ReasonTokenEarly, "it is valid from %s, in %s", from.UTC().Format(time.RFC3339), early.Round(time.Second))
		}
	}
	for _, c := range a.o.Claims {
		if wrong := c.wrong(claims); wrong != "" {
			return forbid("%s", wrong)
		}
	}
	return nil
}

// signatureCheck is a go-oidc KeySet for one token. It keeps its error, as
// go-oidc passes on the text alone.
type signatureCheck struct {
	keys   *keys
	signed *jose.JSONWebSignature
	err    error
}

// VerifySignature implements the KeySet.
func (c *signatureCheck) VerifySignature(ctx context.Context, _ string) (payload []byte, err error) {
	payload, c.err = c.keys.verify(ctx, c.signed)
	return payload, c.err
}
