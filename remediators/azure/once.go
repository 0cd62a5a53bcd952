package azure

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/tripgen/paramedic/remediators"
)

// requestID is what Azure's activity log shows of a task: x-ms-client-request-id, a
// UUID (version 8, RFC 9562) that nothing else has.
func requestID(task string) string {
	b := sha256.Sum256([]byte(task))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	text := hex.EncodeToString(b[:16])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// once is the context of a request that changes something: the SDK sends it once and
// repeats it in no case, and Azure's activity log shows the task. The flag tells
// whether it may have been sent.
func once(ctx context.Context, task string) (context.Context, *atomic.Bool) {
	sent := new(atomic.Bool)
	ctx = context.WithValue(ctx, sentKey{}, sent)
	ctx = policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: -1})
	header := http.Header{}
	header.Set("X-Ms-Client-Request-Id", requestID(task))
	return policy.WithHTTPHeader(ctx, header), sent
}

// errStale is Azure's word that a resource was written since it was read: it refused
// the change, unless something on the way had sent it twice.
var errStale = errors.New("it was written since it was planned")

// errConflict is Azure's word that a resource is not in a state for the change: mostly
// another operation goes on, and ends.
var errConflict = errors.New("refused for now")

// errNotFound is Azure's word that there is no such resource.
var errNotFound = errors.New("there is none")

// changeFailed classifies why a request that changes something failed: whether Azure
// refused it, never got it, or may have acted on it.
func (a *Account) changeFailed(what string, sent bool, err error) error {
	const format = "azure: %s: %s"
	if known, ok := errors.AsType[*remediators.Error](err); ok {
		return known
	}
	if refusal, ok := errors.AsType[*azcore.ResponseError](err); ok {
		return a.changeAnswered(what, refusal)
	}
	if identity, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok && identity.RawResponse != nil && !sent {
		return a.notSignedIn(identity.RawResponse)
	}
	if !sent {
		return remediators.Retryable(0, format, what, "not sent: "+shown(err.Error()))
	}
	return remediators.UnknownOutcome(format, what, "sent, and nobody knows what became of it: "+shown(err.Error()))
}

func (a *Account) changeAnswered(what string, e *azcore.ResponseError) error {
	const format = "azure: %s: %s"
	text, after := describe(e), a.answeredAfter(e)
	switch code := e.StatusCode; {
	case code == http.StatusPreconditionFailed:
		return remediators.PlanChanged("azure: %s: %w: %s", what, errStale, text)
	case code == http.StatusConflict:
		return remediators.Retryable(after, "azure: %s: %w: %s", what, errConflict, text)
	case code == http.StatusTooManyRequests:
		return remediators.Retryable(after, format, what, text)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return remediators.Terminal(format, what, text+": give the identity a role that allows it")
	case code >= 400 && code < 500 && code != http.StatusRequestTimeout:
		return remediators.Terminal(format, what, text)
	}
	return remediators.UnknownOutcome(format, what, text)
}

// readFailed classifies why a request that changes nothing failed.
func (a *Account) readFailed(ctx context.Context, what string, err error) error {
	const format = "azure: %s: %w"
	if known, ok := errors.AsType[*remediators.Error](err); ok {
		return known
	}
	if refusal, ok := errors.AsType[*azcore.ResponseError](err); ok {
		text := errors.New(describe(refusal))
		switch code := refusal.StatusCode; {
		case code == http.StatusNotFound:
			return remediators.Terminal("azure: %s: %w: %w", what, errNotFound, text)
		case code == http.StatusUnauthorized, code == http.StatusForbidden:
			return remediators.Terminal("azure: %s: %w: give the identity the role Reader on it", what, text)
		case code >= 400 && code < 500 && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout:
			return remediators.Terminal(format, what, text)
		}
		return remediators.Retryable(a.answeredAfter(refusal), format, what, text)
	}
	if identity, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok && identity.RawResponse != nil {
		return a.notSignedIn(identity.RawResponse)
	}
	if ended := ctx.Err(); ended != nil {
		return remediators.Retryable(0, format, what, ended)
	}
	return remediators.Retryable(0, format, what, errors.New(shown(err.Error())))
}
