package config

import "slices"

// AzureAccount is one Azure subscription, and as whom Paramedic is there.
type AzureAccount struct {
	Name string
	// Group is the worker group that everything about it is done by; empty for each action's own. Where only that is
	// known, others work on it.
	Group        string
	Subscription string
	// Credential is one of [AzureCredentials].
	Credential string
	// Tenant and ClientID are those of the identity; empty where the surroundings say them.
	Tenant, ClientID string
	// ClientSecret is set for the credential client-secret, and only for that.
	ClientSecret Secret
	// Cloud is public, usgovernment or china; empty where Private is set.
	Cloud string
	// Private is a cloud of one's own, such as Azure Stack Hub; nil for one of Microsoft's.
	Private *AzureCloud
}

// Reachable reports whether this process knows how to reach the account.
func (a AzureAccount) Reachable() bool { return a.Subscription != "" }

// AzureCloud is where a cloud is that Microsoft does not run. Endpoint is its Resource Manager's URL, Authority that of
// its sign-in, and Audience what tokens for the first are issued for. CA is the path of a PEM file of authorities; empty
// for the system's.
type AzureCloud struct {
	Endpoint, Audience, Authority, CA string
}

// The credentials that do not only look around for who they are.
const (
	credentialClientSecret = "client-secret"
	credentialEnvironment  = "environment"
)

// AzureCredentials are the ways of getting a token. The last is whichever of the others the process finds first.
func AzureCredentials() []string {
	return []string{"workload-identity", "managed-identity", "cli", credentialEnvironment, credentialClientSecret, "default"}
}

func (f field) azure() []AzureAccount {
	entries, _ := f.entries()
	var list []AzureAccount
	for _, e := range entries {
		list = append(list, e.value.azureAccount(e.value.at(e.key).name()))
	}
	return list
}

func (f field) azureAccount(name string) AzureAccount {
	a := AzureAccount{Name: name, Cloud: cloudPublic}
	identity := map[string]field{}
	if !f.mapping(fields{
		"subscription": func(f field) { a.Subscription = f.guid("the subscription's id") },
		"credential":   func(f field) { a.Credential = f.choice(AzureCredentials()) },
		"tenant":       func(f field) { a.Tenant, identity["tenant"] = f.tenant(), f },
		"clientID":     func(f field) { a.ClientID, identity["clientID"] = f.guid("the application (client) id"), f },
		"clientSecret": func(f field) { a.ClientSecret, identity["clientSecret"] = f.secret(), f },
		"cloud":        func(f field) { a.Cloud, a.Private = f.azureCloud() },
		"group":        func(f field) { a.Group = f.group() },
	}) {
		return a
	}
	if a.Group != "" && f.only("group") {
		return a // others reach it
	}
	if f.lacks("subscription") {
		f.bad("the account has no subscription: write the subscription's id")
	}
	switch {
	case f.lacks("credential"):
		f.bad("the account has no credential: say as whom Paramedic is there, such as credential: workload-identity; default takes whichever identity it finds first")
	case slices.Contains(AzureCredentials(), a.Credential):
		f.azureIdentity(a.Credential, identity)
	}
	return a
}

// azureCloud is the name of one of Microsoft's, or where another one is.
func (f field) azureCloud() (string, *AzureCloud) {
	if !f.isMapping() {
		return f.choice([]string{cloudPublic, cloudUS, cloudChina}), nil
	}
	var c AzureCloud
	if f.mapping(fields{
		"endpoint":  func(f field) { c.Endpoint = f.cloudURL() },
		"authority": func(f field) { c.Authority = f.cloudURL() },
		"audience":  func(f field) { c.Audience, _ = f.text() },
		"ca":        func(f field) { c.CA = f.filePath() },
	}) && f.lacks("endpoint", "authority", "audience") {
		f.bad("a cloud that is none of Microsoft's needs endpoint, authority and audience: az cloud show tells them, as resourceManager, activeDirectory and activeDirectoryResourceId")
	}
	return "", &c
}

// cloudURL is where requests go that carry a token or a secret.
func (f field) cloudURL() string {
	text, ok := f.text()
	if !ok {
		return ""
	}
	if u, ok := f.parseURL(text, "https"); ok && (u.RawQuery != "" || u.Fragment != "") {
		f.bad("a query or a fragment means nothing here: write only https://HOST, with a path if it has one")
	}
	return text
}

// azureIdentity refuses what a credential would not look at: Paramedic would be there as somebody else than is written.
func (f field) azureIdentity(credential string, written map[string]field) {
	var takes []string
	switch credential {
	case "workload-identity":
		takes = []string{"tenant", "clientID"}
	case "managed-identity":
		takes = []string{"clientID"}
	case "cli", "default":
		takes = []string{"tenant"}
	case credentialEnvironment: // AZURE_TENANT_ID and its like say all
	case credentialClientSecret:
		takes = []string{"tenant", "clientID", "clientSecret"}
		if f.lacks(takes...) {
			f.bad("%s needs tenant, clientID and clientSecret: write all three", credential)
		}
	}
	for _, name := range []string{"tenant", "clientID", "clientSecret"} {
		if at, ok := written[name]; ok && !slices.Contains(takes, name) {
			at.bad("the credential %s does not look at it: remove it, or write another credential", credential)
		}
	}
}
