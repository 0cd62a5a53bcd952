package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/tripgen/paramedic/remediators"
)

// failure classifies what the SDK returns. The SDK's errors print whole answers
// and hold the request with its token, so their text is made anew and they are not
// wrapped.
func (a *Account) failure(ctx context.Context, err error) error {
	const format = "azure: costs of subscription %s: %w"
	if refusal, ok := errors.AsType[*azcore.ResponseError](err); ok {
		return a.answered(refusal)
	}
	if identity, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok && identity.RawResponse != nil {
		return a.notSignedIn(identity.RawResponse)
	}
	if ended := ctx.Err(); ended != nil {
		return remediators.Retryable(0, format, a.subscription, ended)
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // the address is known, and a page's is long
	}
	// Nothing was changed, whatever it is, and all of it can heal: the network, a
	// token file that is not there yet, a command line that is not signed in.
	return remediators.Retryable(0, format, a.subscription, errors.New(shown(err.Error())))
}

// answeredAfter is the delay that an answer asks for.
func (a *Account) answeredAfter(e *azcore.ResponseError) time.Duration {
	if e.RawResponse == nil {
		return 0
	}
	return retryAfter(e.RawResponse.Header, a.now())
}

// answered classifies an answer of Azure that is no result.
func (a *Account) answered(e *azcore.ResponseError) error {
	const format = "azure: costs of subscription %s: %s"
	text, after := describe(e), a.answeredAfter(e)
	switch {
	case e.StatusCode == http.StatusTooManyRequests:
		return remediators.Retryable(max(after, leastThrottle), format, a.subscription, text)
	case e.StatusCode == http.StatusRequestTimeout || e.StatusCode >= 500:
		return remediators.Retryable(after, format, a.subscription, text)
	case e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden:
		text += ": give the identity the role Cost Management Reader on the subscription; in an Enterprise Agreement let it view charges, too"
	case e.StatusCode == http.StatusNotFound:
		text += ": check the id of the subscription, and its cloud"
	}
	return remediators.Terminal(format, a.subscription, text)
}

// describe is an answer in one line.
func describe(e *azcore.ResponseError) string {
	text := status(e.StatusCode)
	if e.ErrorCode != "" {
		text += " (" + e.ErrorCode + ")"
	}
	if e.RawResponse == nil {
		return text
	}
	var body struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if content, err := runtime.Payload(e.RawResponse); err == nil && json.Unmarshal(content, &body) == nil && body.Error.Message != "" {
		text += ": " + body.Error.Message
	}
	return shown(withoutToken(text, e.RawResponse.Request))
}

func status(code int) string {
	return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", code, http.StatusText(code)))
}

// withoutToken takes the token that was sent out of a text that came back.
func withoutToken(text string, r *http.Request) string {
	if r == nil {
		return text
	}
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token == "" {
		return text
	}
	return strings.ReplaceAll(text, token, "…")
}

// entraCode is one of Entra's own error codes
// (https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
var entraCode = regexp.MustCompile(`AADSTS\d{3,9}`)

// notSignedIn classifies an answer to the request for a token. Only its codes are
// shown: the request held the secret, and an answer may hold a token.
func (a *Account) notSignedIn(resp *http.Response) error {
	const format = "azure: subscription %s: the identity got no token: %s%s"
	var code string
	if body, err := runtime.Payload(resp); err == nil {
		if found := entraCode.Find(body); found != nil {
			code = fmt.Sprintf(" (%s): see https://login.microsoftonline.com/error?code=%s", found, found[len("AADSTS"):])
		}
	}
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500 {
		return remediators.Retryable(retryAfter(resp.Header, a.now()), format, a.subscription, status(resp.StatusCode), code)
	}
	return remediators.Terminal(format, a.subscription, status(resp.StatusCode), code)
}

// maxText is how much of another's words is shown, in bytes.
const maxText = 600

// tokenLike is a part of a token: a text without a gap, longer than any id.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9_-]{40,}`)

// shown is another's text in one line, without what may be a token. The library
// below azidentity repeats an answer that it cannot read, and that one may hold
// the token that was asked for; it is JSON, so the text ends where it begins.
func shown(text string) string {
	text, _, _ = strings.Cut(text, "{")
	text = tokenLike.ReplaceAllString(strings.Join(strings.Fields(text), " "), "…")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}
