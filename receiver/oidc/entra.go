package oidc

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/tripgen/paramedic/receiver"
)

// EntraOptions say which tokens of Microsoft Entra are accepted. Tenant,
// Audience, Client, Now and Log must be set.
type EntraOptions struct {
	// Tenant is its identifier, a UUID.
	Tenant string
	// Audience is the application's identifier, or api:// and that: tokens of
	// version 1 have the one and those of version 2 the other, so both are accepted.
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
		return "https://login.microsoftonline.com", true
	case "usgovernment":
		return "https://login.microsoftonline.us", true
	case "china":
		return "https://login.partner.microsoftonline.cn", true
	}
	return "", false
}

// Entra returns what accepts the tokens that Azure Monitor sends with a secure
// webhook: of the tenant, for the audience, to the caller, with the role.
// https://learn.microsoft.com/azure/azure-monitor/alerts/action-groups#configure-authentication-for-secure-webhook
func Entra(o EntraOptions) (receiver.Authenticator, error) {
	return nil, errors.New("oidc: not made yet")
}
