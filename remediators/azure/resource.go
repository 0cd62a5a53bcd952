package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// place is a resource, and the account that reaches it.
type place struct {
	*Account
	name string // the account's
	id   *arm.ResourceID
}

// resourceID has what the names of the resources here may be made of; the rest would
// be part of a URL that means something else.
var resourceID = regexp.MustCompile(`^(/[A-Za-z0-9_()@*-][A-Za-z0-9_.()@* -]*)+$`)

// at finds the resource of a target, which must be of one of the types, such as
// Microsoft.Network/dnsZones, in the account's subscription.
func (a Accounts) at(t engine.Target, types ...string) (place, error) {
	if t.System != engine.SystemAzure {
		return place{}, remediators.Terminal("target %q: system is %q, want %q", t, t.System, engine.SystemAzure)
	}
	account, err := a.Account(t.Account)
	if err != nil {
		return place{}, err
	}
	if !resourceID.MatchString(t.Name) {
		return place{}, remediators.Terminal("azure: resource %q: want its id, as /subscriptions/ID/resourceGroups/NAME/providers/%s/NAME", t.Name, types[0])
	}
	id, err := arm.ParseResourceID(t.Name)
	switch {
	case err != nil:
		return place{}, remediators.Terminal("azure: resource %q: %w", t.Name, err)
	case !strings.EqualFold(id.SubscriptionID, account.subscription):
		return place{}, remediators.Terminal("azure: resource %q is in another subscription than the account %q, %s: name the account of its own",
			t.Name, t.Account, account.subscription)
	case !slices.ContainsFunc(types, func(want string) bool { return strings.EqualFold(id.ResourceType.String(), want) }):
		return place{}, remediators.Terminal("azure: resource %q is a %s, want a %s", t.Name, id.ResourceType, strings.Join(types, " or a "))
	}
	return place{Account: account, name: t.Account, id: id}, nil
}

// target is the canonical target of the place, or with parts, which are pairs of a
// type and a name, of something in it.
func (p place) target(parts ...string) engine.Target {
	name := strings.Join(append([]string{p.id.String()}, parts...), "/")
	return engine.Target{System: engine.SystemAzure, Account: p.name, Name: strings.ToLower(name)}
}

// String is what messages call it.
func (p place) String() string { return p.id.Name + " in " + p.name }

// path is the path of the place, spelt as in Azure's reference: the provider and its
// types as in kinds, such as Microsoft.Network/dnsZones.
func (p place) path(kinds string) string {
	provider, types, _ := strings.Cut(kinds, "/")
	var names []string
	for id := p.id; id != nil && id.ResourceType.Namespace == p.id.ResourceType.Namespace; id = id.Parent {
		names = append([]string{id.Name}, names...)
	}
	parts := []string{"", "subscriptions", p.id.SubscriptionID, "resourceGroups", p.id.ResourceGroupName, "providers", provider}
	for i, kind := range strings.Split(types, "/") {
		parts = append(parts, kind, names[i])
	}
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// request is one to Azure Resource Manager.
type request struct {
	method, path, version string
	// query is more of the URL's query; body is sent as JSON unless it is nil.
	query   url.Values
	body    any
	ifMatch string
}

// send sends a request through the SDK's pipeline, and returns what is answered with
// one of 2xx. The error is the SDK's.
func (a *Account) send(ctx context.Context, r request) (*http.Response, error) {
	// The SDK names its calls so in traces, and its fakes tell them apart by it.
	ctx = context.WithValue(ctx, runtime.CtxAPINameKey{}, r.method+" "+r.path)
	req, err := runtime.NewRequest(ctx, r.method, runtime.JoinPaths(a.clients.resources.Endpoint(), r.path))
	if err != nil {
		return nil, err
	}
	query := url.Values{"api-version": {r.version}}
	maps.Copy(query, r.query)
	req.Raw().URL.RawQuery = query.Encode()
	req.Raw().Header.Set("Accept", "application/json")
	if r.ifMatch != "" {
		req.Raw().Header.Set("If-Match", r.ifMatch)
	}
	if r.body != nil {
		if err := runtime.MarshalAsJSON(req, r.body); err != nil {
			return nil, err
		}
	}
	resp, err := a.clients.resources.Pipeline().Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, runtime.NewResponseError(resp)
	}
	return resp, nil
}

// get reads path into v, with the retries that the SDK has for what only reads. The
// error is classified; what names it.
func (a *Account) get(ctx context.Context, what, path, version string, query url.Values, v any) error {
	return a.read(ctx, what, request{method: http.MethodGet, path: path, version: version, query: query}, v)
}

// lookUp is get for what is asked for with a POST.
func (a *Account) lookUp(ctx context.Context, what, path, version string, body, v any) error {
	return a.read(ctx, what, request{method: http.MethodPost, path: path, version: version, body: body}, v)
}

func (a *Account) read(ctx context.Context, what string, r request, v any) error {
	resp, err := a.send(ctx, r)
	if err != nil {
		return a.readFailed(ctx, what, err)
	}
	defer func() { _ = resp.Body.Close() }() // the SDK has read it
	body, err := runtime.Payload(resp)
	if err == nil {
		err = json.Unmarshal(body, v)
	}
	if err != nil {
		return remediators.Retryable(0, "azure: %s: the answer is not as documented: %w", what, errors.New(shown(fmt.Sprint(err))))
	}
	return nil
}
