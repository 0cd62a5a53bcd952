package azure

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// The identities that an account can use, as package azidentity has them.
const (
	// CredentialWorkloadIdentity is the pod's service account, federated with an
	// identity in Entra. The webhook of workload identity names its tenant, client
	// and token file in the environment.
	CredentialWorkloadIdentity = "workload-identity"
	// CredentialManagedIdentity is the identity of the machine, or with ClientID
	// one that is assigned to it.
	CredentialManagedIdentity = "managed-identity"
	// CredentialCLI is whoever has signed in with az login.
	CredentialCLI = "cli"
	// CredentialEnvironment is the service principal that AZURE_TENANT_ID,
	// AZURE_CLIENT_ID and AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH name.
	CredentialEnvironment = "environment"
	// CredentialClientSecret is a service principal that shows a secret.
	CredentialClientSecret = "client-secret"
	// CredentialDefault is the SDK's chain: the first of the environment, workload
	// identity, managed identity and the developer's tools that gives a token.
	CredentialDefault = "default"
)

// credential makes the configured credential. Nothing is sent, and no secret read.
func (c AccountConfig) credential(o azcore.ClientOptions) (azcore.TokenCredential, error) {
	if err := c.checkIdentity(); err != nil {
		return nil, err
	}
	// By default it is asked at login.microsoftonline.com whether an authority is
	// genuine, and nobody there knows of a private one.
	private := c.Private != nil
	switch c.Credential {
	case CredentialWorkloadIdentity:
		return azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: o, TenantID: c.Tenant, ClientID: c.ClientID, DisableInstanceDiscovery: private,
		})
	case CredentialManagedIdentity:
		options := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: o}
		if c.ClientID != "" {
			options.ID = azidentity.ClientID(c.ClientID)
		}
		return azidentity.NewManagedIdentityCredential(options)
	case CredentialCLI:
		return azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: c.Tenant})
	case CredentialEnvironment:
		return azidentity.NewEnvironmentCredential(&azidentity.EnvironmentCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: private})
	case CredentialClientSecret:
		return &secretCredential{tenant: c.Tenant, clientID: c.ClientID, read: c.ClientSecret, options: o, private: private}, nil
	default:
		return azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: o, TenantID: c.Tenant, DisableInstanceDiscovery: private})
	}
}

// checkIdentity refuses what the credential needs and has not, and what it would
// not look at: the account would then act as somebody else than is written.
func (c AccountConfig) checkIdentity() error {
	var tenant, client, secret bool // whether it looks at them
	switch c.Credential {
	case CredentialWorkloadIdentity:
		tenant, client = true, true
	case CredentialManagedIdentity:
		client = true
	case CredentialCLI, CredentialDefault:
		tenant = true
	case CredentialEnvironment:
	case CredentialClientSecret:
		tenant, client, secret = true, true, true
		if c.Tenant == "" || c.ClientID == "" || c.ClientSecret == nil {
			return errors.New("it needs a tenant, a client id and a client secret")
		}
	default:
		return fmt.Errorf("there is none of this name: want %s, %s, %s, %s, %s or %s", CredentialWorkloadIdentity,
			CredentialManagedIdentity, CredentialCLI, CredentialEnvironment, CredentialClientSecret, CredentialDefault)
	}
	switch {
	case c.Tenant != "" && !tenant:
		return errors.New("it does not look at a tenant: remove it")
	case c.ClientID != "" && !client:
		return errors.New("it does not look at a client id: remove it")
	case c.ClientSecret != nil && !secret:
		return errors.New("it does not look at a client secret: remove it")
	}
	return nil
}

// secretCredential is azidentity's credential for a client secret that may change
// while the program runs.
type secretCredential struct {
	tenant, clientID string
	read             func() (string, error)
	options          azcore.ClientOptions
	private          bool // the cloud is

	mu      sync.Mutex
	current *azidentity.ClientSecretCredential
	// digest is of the secret that current was made with. The secret itself is not
	// kept here, where printing the struct would show it.
	digest [sha256.Size]byte
}

// GetToken implements [azcore.TokenCredential].
func (c *secretCredential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	credential, err := c.credential()
	if err != nil {
		return azcore.AccessToken{}, fmt.Errorf("client secret: %w", err)
	}
	return credential.GetToken(ctx, o)
}

// credential is the one for the present secret.
func (c *secretCredential) credential() (*azidentity.ClientSecretCredential, error) {
	secret, err := c.read()
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(secret))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && digest == c.digest {
		return c.current, nil
	}
	made, err := azidentity.NewClientSecretCredential(c.tenant, c.clientID, secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: c.options, DisableInstanceDiscovery: c.private})
	if err != nil {
		return nil, err
	}
	c.current, c.digest = made, digest
	return made, nil
}
