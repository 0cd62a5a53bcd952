package azure

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/costmanagement/armcostmanagement/v2"

	"github.com/tripgen/paramedic/remediators"
)

// Accounts are the configured accounts, made by [Connect], by the name that rules
// call them. It is not changed once in use.
type Accounts map[string]*Account

// Account finds an account by its name. The error is terminal and says which
// there are.
func (a Accounts) Account(name string) (*Account, error) {
	if account, ok := a[name]; ok {
		return account, nil
	}
	return nil, remediators.Terminal("azure account %q is not configured; known are: %s",
		name, strings.Join(slices.Sorted(maps.Keys(a)), ", "))
}

// Account is one subscription and the identity that is used on it.
type Account struct {
	subscription string
	query        *url.URL // where costs are asked for
	costs        *armcostmanagement.QueryClient
	retry        policy.RetryOptions // of costs
	clients      clients
	// poll is how often a long-running operation is asked for its end where Azure
	// does not say.
	poll time.Duration
	now  func() time.Time
}

// AccountConfig says which subscription, and as whom.
type AccountConfig struct {
	// Subscription is the subscription's id, a UUID.
	Subscription string
	// Credential is one of the Credential constants.
	Credential string
	// Tenant and ClientID are of the identity. [CredentialClientSecret] needs
	// both; otherwise they may be empty: then the environment names them, or the
	// identity is the only one there is. A credential that would not look at one
	// of them refuses it.
	Tenant, ClientID string
	// ClientSecret reads the secret of [CredentialClientSecret]. It is called
	// whenever a token is asked for, so a new secret counts at once.
	ClientSecret func() (string, error)
	// Cloud is one of the Cloud constants; empty means [CloudPublic]. It is not looked
	// at where Private is set, a cloud that Microsoft does not run.
	Cloud   string
	Private *PrivateCloud
	// Transport sends the requests; nil means one of its own, which takes proxies
	// from the environment. It is for tests.
	Transport http.RoundTripper
}

// The clouds that an account can be in. Each has its own sign-in and its own API.
const (
	CloudPublic       = "public"
	CloudUSGovernment = "usgovernment"
	CloudChina        = "china"
)

// PrivateCloud says where a cloud is that Microsoft does not run, such as Azure Stack
// Hub. The first three are what "az cloud show" calls resourceManager, activeDirectory
// and activeDirectoryResourceId.
type PrivateCloud struct {
	Endpoint, Authority, Audience string
	// Roots are the authorities of its certificates; nil means the system's.
	Roots *x509.CertPool
}

// Connect makes an account, which shows itself as paramedic/VERSION. It sends
// nothing, so an Azure that is out of reach is no error here, nor is an identity
// that may not do what it is for.
func Connect(c AccountConfig, version string, now func() time.Time) (*Account, error) {
	where, err := c.cloud()
	if err != nil {
		return nil, err
	}
	options := azcore.ClientOptions{
		Cloud:     where,
		Telemetry: policy.TelemetryOptions{ApplicationID: "paramedic/" + version},
		Transport: client(c.transport()),
	}
	credential, err := c.credential(options)
	if err != nil {
		return nil, fmt.Errorf("azure: credential %s: %w", c.Credential, err)
	}
	return newAccount(c.Subscription, credential, options, now)
}

// transport is what sends; nil for the usual.
func (c AccountConfig) transport() http.RoundTripper {
	if c.Transport == nil && c.Private != nil && c.Private.Roots != nil {
		return transport(c.Private.Roots)
	}
	return c.Transport
}

func (c AccountConfig) cloud() (cloud.Configuration, error) {
	if p := c.Private; p != nil {
		if p.Endpoint == "" || p.Authority == "" || p.Audience == "" {
			return cloud.Configuration{}, errors.New("azure: a private cloud needs its endpoint, its authority and its audience")
		}
		return cloud.Configuration{
			ActiveDirectoryAuthorityHost: p.Authority,
			Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
				cloud.ResourceManager: {Endpoint: strings.TrimSuffix(p.Endpoint, "/"), Audience: p.Audience},
			},
		}, nil
	}
	switch c.Cloud {
	case "", CloudPublic:
		return cloud.AzurePublic, nil
	case CloudUSGovernment:
		return cloud.AzureGovernment, nil
	case CloudChina:
		return cloud.AzureChina, nil
	}
	return cloud.Configuration{}, fmt.Errorf("azure: cloud %q is not known: want %s, %s or %s",
		c.Cloud, CloudPublic, CloudUSGovernment, CloudChina)
}

// subscriptionID keeps whatever is configured from becoming another path of the
// API.
var subscriptionID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func newAccount(subscription string, credential azcore.TokenCredential, o azcore.ClientOptions, now func() time.Time) (*Account, error) {
	if !subscriptionID.MatchString(subscription) {
		return nil, fmt.Errorf("azure: subscription %q: want its id, such as 00000000-0000-0000-0000-000000000000", subscription)
	}
	all, err := newClients(subscription, credential, o)
	if err != nil {
		return nil, err
	}
	query, err := url.Parse(o.Cloud.Services[cloud.ResourceManager].Endpoint + "/subscriptions/" + subscription + "/providers/Microsoft.CostManagement/query")
	if err != nil {
		return nil, fmt.Errorf("azure: the cloud's endpoint: %w", err)
	}
	o.PerCallPolicies = []policy.Policy{followPage{}}
	costs, err := armcostmanagement.NewQueryClient(credential, &arm.ClientOptions{
		ClientOptions: o,
		// By default the SDK registers resource providers in the subscription where
		// one is missing, which is a change that nobody asked for.
		DisableRPRegistration: true,
	})
	if err != nil {
		return nil, fmt.Errorf("azure: client of Cost Management: %w", err)
	}
	return &Account{subscription: subscription, query: query, costs: costs, retry: costRetry(), clients: all, poll: pollEvery, now: now}, nil
}
