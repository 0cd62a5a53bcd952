package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/costmanagement/armcostmanagement/v2"

	"github.com/tripgen/paramedic/remediators"
)

// page is one page of an answer.
type page struct {
	table *armcostmanagement.QueryProperties
	// next is where the next page is; nil after the last.
	next *url.URL
	// at is when it was answered, by Azure's clock if it tells, and now the same
	// moment by this machine's.
	at, now time.Time
}

// ask asks for one page: the first, or the one that link leads to. The error is
// classified.
func (a *Account) ask(ctx context.Context, d dimension, link *url.URL) (page, error) {
	var raw *http.Response
	ctx = policy.WithCaptureResponse(ctx, &raw)
	ctx = policy.WithRetryOptions(ctx, a.retry)
	// Azure counts the calls of each type of client by itself; all that do not say
	// theirs share one small quota over the whole tenant. The header is not in the
	// reference; without effect it would do no harm.
	header := http.Header{}
	header.Set("ClientType", "paramedic")
	ctx = policy.WithHTTPHeader(ctx, header)
	if link != nil {
		ctx = context.WithValue(ctx, pageKey{}, link)
	}
	answer, err := a.costs.Usage(ctx, "subscriptions/"+a.subscription, question(d), nil)
	if err != nil {
		return page{}, a.failure(ctx, err)
	}
	p := page{table: answer.Properties, now: a.now()}
	if p.at = p.now; raw != nil {
		if raw.StatusCode == http.StatusNoContent {
			return page{}, remediators.Retryable(0, "azure: costs of subscription %s: Azure answered 204 No Content: it has no figures to give at the moment", a.subscription)
		}
		if date, err := http.ParseTime(raw.Header.Get("Date")); err == nil {
			p.at = date
		}
	}
	if p.table != nil && p.table.NextLink != nil && *p.table.NextLink != "" {
		if p.next, err = a.pageLink(*p.table.NextLink); err != nil {
			return page{}, remediators.Terminal("azure: costs of subscription %s: the link to the next page: %w", a.subscription, err)
		}
	}
	return p, nil
}

// pageLink accepts a link only to what was asked: the request carries a token,
// which is nobody else's business. So no more than its query is taken.
func (a *Account) pageLink(text string) (*url.URL, error) {
	encoded, err := runtime.EncodeQueryParams(text) // Azure leaves characters in it that a URL may not have
	if err != nil {
		return nil, errors.New("it is not a URL")
	}
	link, err := url.Parse(encoded)
	if err != nil {
		return nil, errors.New("it is not a URL")
	}
	next := *a.query
	if link.Scheme != next.Scheme || !strings.EqualFold(link.Host, next.Host) || link.User != nil || !strings.EqualFold(link.Path, next.Path) {
		return nil, fmt.Errorf("it leads to %s://%s%s, and not to %s", link.Scheme, link.Host, link.Path, a.query)
	}
	next.RawQuery = link.RawQuery
	return &next, nil
}

// pageKey is the key of a context that has the link of a page.
type pageKey struct{}

// followPage is the step of the SDK's pipeline that takes a request to the page
// that the context names. The SDK's client has no way to ask for another than the
// first; the body is that of the first, for the link has only the place in the
// answer (https://github.com/Azure/azure-rest-api-specs/issues/12276).
type followPage struct{}

// Do implements [policy.Policy].
func (followPage) Do(r *policy.Request) (*http.Response, error) {
	if link, ok := r.Raw().Context().Value(pageKey{}).(*url.URL); ok {
		to := *link
		r.Raw().URL = &to
	}
	return r.Next()
}
