package oidc

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/tripgen/paramedic/receiver"
)

const (
	// actionGroups is "AzNS AAD Webhook", Azure Monitor's own application, and
	// secureWebhook the role that its documentation has one make for it.
	actionGroups  = "461e8683-5575-4561-ac7f-899cc907d62a"
	secureWebhook = "ActionGroupsSecureWebhook"

	publicCloud = "https://login.microsoftonline.com"
	chinaCloud  = "https://login.partner.microsoftonline.cn"

	uuid       = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
	apiAddress = "api://"
)

// EntraOptions say which tokens of Microsoft Entra are accepted. Tenant,
// Audience, Client, Now and Log must be set; for the rest zero means the default.
type EntraOptions struct {
	// Tenant is its identifier, a UUID.
	Tenant string
	// Audience is the application's identifier, or its URI. If that is api:// and
	// the identifier, both are accepted: tokens of version 2 have the one, and
	// those of version 1 what was asked for.
	Audience string
	// Role must be among the token's: ActionGroupsSecureWebhook.
	Role string
	// Caller is the application that the token was issued to: that of Azure
	// Monitor's action groups, 461e8683-5575-4561-ac7f-899cc907d62a.
	Caller string
	// Authority is the cloud's address: https://login.microsoftonline.com. See
	// [Authority].
	Authority string
	// KeysURL is where the keys are, if not where the authority has them.
	KeysURL string
	Client  *http.Client
	Now     func() time.Time
	Log     *slog.Logger
}

// Authority returns the address of a cloud of Microsoft's: public, usgovernment
// or china.
// https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
func Authority(cloud string) (string, bool) {
	switch cloud {
	case "public":
		return publicCloud, true
	case "usgovernment":
		return "https://login.microsoftonline.us", true
	case "china":
		return chinaCloud, true
	}
	return "", false
}

// Entra returns what accepts the tokens that Azure Monitor sends with a secure
// webhook: of the tenant, for the audience, issued to the caller, with the role.
// https://learn.microsoft.com/azure/azure-monitor/alerts/action-groups#configure-authentication-for-secure-webhook
// https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
func Entra(o EntraOptions) (receiver.Authenticator, error) {
	id := regexp.MustCompile("^" + uuid + "$")
	tenant, caller := strings.ToLower(o.Tenant), strings.ToLower(orElse(o.Caller, actionGroups))
	authority := strings.TrimSuffix(orElse(o.Authority, publicCloud), "/")
	switch {
	case !id.MatchString(tenant):
		return nil, fmt.Errorf("entra: Tenant %q: it is a UUID, as the directory's page shows it; names are not in tokens", o.Tenant)
	case !id.MatchString(caller):
		return nil, fmt.Errorf("entra: Caller %q: it is an application's identifier, a UUID", o.Caller)
	case o.Audience == "":
		return nil, errors.New("entra: Audience: name the application that tokens are issued for")
	}
	if err := checkURL("Authority", authority); err != nil {
		return nil, fmt.Errorf("entra: %w", err)
	}
	audiences := []string{o.Audience}
	if client := strings.TrimPrefix(o.Audience, apiAddress); id.MatchString(strings.ToLower(client)) {
		audiences = []string{client, apiAddress + client}
	}
	// Version 1 has issuers of its own, one for both American clouds.
	v1 := "https://sts.windows.net/"
	if authority == chinaCloud {
		v1 = "https://sts.chinacloudapi.cn/"
	}
	return New(Options{
		Issuers: []string{v1 + tenant + "/", authority + "/" + tenant + "/v2.0"},
		// Both versions are signed with the same keys.
		KeysURL:   orElse(o.KeysURL, authority+"/"+tenant+"/discovery/v2.0/keys"),
		Audiences: audiences,
		Claims: []Claim{
			{Names: []string{"tid"}, Values: []string{tenant}},
			// Version 2 has azp, version 1 appid.
			{Names: []string{"azp", "appid"}, Values: []string{caller}},
			{Names: []string{"roles"}, Values: []string{orElse(o.Role, secureWebhook)}},
		},
		Algorithms: []string{goidc.RS256},
		Client:     o.Client, Now: o.Now, Log: o.Log,
	})
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
