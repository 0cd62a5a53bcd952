package azure

import (
	"net/http"
	"net/url"
)

// entra signs in whoever shows the secret.
func (c *Cloud) entra(path string, r *http.Request, body []byte) answer {
	authority := c.url + "/" + Tenant
	switch {
	case path == "v2.0/.well-known/openid-configuration" && r.Method == http.MethodGet:
		return answer{status: http.StatusOK, body: map[string]any{
			"issuer": authority + "/v2.0", "authorization_endpoint": authority + "/oauth2/v2.0/authorize", "token_endpoint": authority + "/oauth2/v2.0/token",
		}}
	case path == "oauth2/v2.0/token" && r.Method == http.MethodPost:
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return c.strange(r, err)
		}
		for name, want := range map[string]string{
			"client_id": ClientID, "grant_type": "client_credentials", "scope": Audience + "/.default openid offline_access profile",
		} {
			if form.Get(name) != want {
				return c.strange(r, strangef("%s is %q, want %q", name, form.Get(name), want))
			}
		}
		if form.Get("client_secret") != c.secret {
			return answer{status: http.StatusUnauthorized, body: map[string]any{
				"error": "invalid_client", "error_codes": []int{7000215}, "error_description": "AADSTS7000215: Invalid client secret provided.",
			}}
		}
		return answer{status: http.StatusOK, body: map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": c.token}}
	}
	return c.strange(r, strangef("Entra has no such page"))
}
