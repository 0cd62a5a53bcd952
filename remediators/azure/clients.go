package azure

import (
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/dns/armdns"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/privatedns/armprivatedns"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/trafficmanager/armtrafficmanager"
)

// clients are the SDK's, where they are small. The generated clients of Compute,
// Network, Cosmos DB and Data Factory take longer to compile than the rest of the
// program's Azure together, for two calls each: those go through resources, the layer
// below all of them, with the same sign-in, retries and long-running operations.
type clients struct {
	resources      *arm.Client
	profiles       *armtrafficmanager.ProfilesClient
	endpoints      *armtrafficmanager.EndpointsClient
	records        *armdns.RecordSetsClient
	privateRecords *armprivatedns.RecordSetsClient
}

// The module that the SDK shows resources' requests to come from.
const restModule, restVersion = "azcore/arm", "v1.0.0"

func newClients(subscription string, credential azcore.TokenCredential, o azcore.ClientOptions) (clients, error) {
	o.PerRetryPolicies, o.Retry.TryTimeout = []policy.Policy{watchSend{}}, tryTimeout
	options := &arm.ClientOptions{ClientOptions: o, DisableRPRegistration: true} // as for costs
	var c clients
	var err error
	fail := func(of string) (clients, error) { return c, fmt.Errorf("azure: client of %s: %w", of, err) }
	if c.resources, err = arm.NewClient(restModule, restVersion, credential, options); err != nil {
		return fail("Resource Manager")
	}
	traffic, err := armtrafficmanager.NewClientFactory(subscription, credential, options)
	if err != nil {
		return fail("Traffic Manager")
	}
	c.profiles, c.endpoints = traffic.NewProfilesClient(), traffic.NewEndpointsClient()
	if c.records, err = armdns.NewRecordSetsClient(subscription, credential, options); err != nil {
		return fail("DNS")
	}
	if c.privateRecords, err = armprivatedns.NewRecordSetsClient(subscription, credential, options); err != nil {
		return fail("private DNS")
	}
	return c, nil
}

// sentKey is the key of a context that wants to know whether its request was sent.
type sentKey struct{}

// watchSend is the step of the SDK's pipeline that notes when a request may have been
// sent: until a connection is there, it cannot have been. It stands behind the sign-in,
// whose requests are no change.
type watchSend struct{}

// Do implements [policy.Policy].
func (watchSend) Do(r *policy.Request) (*http.Response, error) {
	sent, ok := r.Raw().Context().Value(sentKey{}).(*atomic.Bool)
	if !ok {
		return r.Next()
	}
	if err := r.Raw().Context().Err(); err != nil {
		return nil, err // on a connection that is there, it might be sent nonetheless
	}
	return r.WithContext(httptrace.WithClientTrace(r.Raw().Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})).Next()
}
