package app

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/tripgen/paramedic/receiver"
)

const (
	entraTenant = "00000000-1111-2222-3333-444444444444"
	entraClient = "99999999-1111-2222-3333-444444444444"
)

// entraKeys serves the keys of Microsoft's clouds, by their own names, to the returned client.
func entraKeys(t *testing.T, key *rsa.PrivateKey) *http.Client {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known := r.Host == "login.microsoftonline.com" || r.Host == "login.partner.microsoftonline.cn"
		if !known || r.URL.Path != "/"+entraTenant+"/discovery/v2.0/keys" {
			t.Errorf("asked for %s of %s", r.URL, r.Host)
		}
		if err := json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Use: "sig"}}}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	client := server.Client()
	transport, ok := client.Transport.(*http.Transport)
	if !ok {
		t.Fatalf("the transport is a %T", client.Transport)
	}
	transport.TLSClientConfig.ServerName = "example.com" // what the test server's certificate is for
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	return client
}

// TestEntraIsAskedForWhatIsConfigured has tokens of both versions judged by sources as they are configured.
func TestEntraIsAskedForWhatIsConfigured(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	maker := newSourceMaker(time.Now, slog.New(slog.DiscardHandler))
	maker.client = entraKeys(t, key)
	cfg := loadText(t, `sources:
  - {name: plain, type: azuremonitor, auth: {entra: {tenant: `+entraTenant+`, audience: "api://`+entraClient+`"}}}
  - {name: other, type: azuremonitor, auth: {entra: {tenant: `+entraTenant+`, audience: "api://own", role: Alerts, caller: `+entraClient+`, cloud: china}}}
`)
	sources, err := maker.sources(cfg.Sources)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	judge := func(source int, claims map[string]any) error {
		all := map[string]any{"tid": entraTenant, "iat": time.Now().Unix(), "nbf": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
		maps.Copy(all, claims)
		token, err := jwt.Signed(signer).Claims(all).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/webhooks/a", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		return sources[source].Auth[0].Authenticate(r)
	}
	const (
		monitor = "461e8683-5575-4561-ac7f-899cc907d62a"
		role    = "ActionGroupsSecureWebhook"
		public1 = "https://sts.windows.net/" + entraTenant + "/"
		public2 = "https://login.microsoftonline.com/" + entraTenant + "/v2.0"
		china2  = "https://login.partner.microsoftonline.cn/" + entraTenant + "/v2.0"
	)
	for name, c := range map[string]struct {
		source int
		claims map[string]any
		want   error
	}{
		"version 1":        {0, map[string]any{"iss": public1, "aud": "api://" + entraClient, "appid": monitor, "roles": []string{role}}, nil},
		"version 2":        {0, map[string]any{"iss": public2, "aud": entraClient, "azp": monitor, "roles": []string{role}}, nil},
		"another cloud":    {0, map[string]any{"iss": china2, "aud": entraClient, "azp": monitor, "roles": []string{role}}, receiver.ErrUnauthenticated},
		"another audience": {0, map[string]any{"iss": public2, "aud": "api://own", "azp": monitor, "roles": []string{role}}, receiver.ErrUnauthenticated},
		"another caller":   {0, map[string]any{"iss": public2, "aud": entraClient, "azp": entraClient, "roles": []string{role}}, receiver.ErrForbidden},
		"another role":     {0, map[string]any{"iss": public2, "aud": entraClient, "azp": monitor, "roles": []string{"Alerts"}}, receiver.ErrForbidden},
		"all of one's own": {1, map[string]any{"iss": china2, "aud": "api://own", "azp": entraClient, "roles": []string{"Alerts"}}, nil},
		"not one's role":   {1, map[string]any{"iss": china2, "aud": "api://own", "azp": entraClient, "roles": []string{role}}, receiver.ErrForbidden},
		"not one's caller": {1, map[string]any{"iss": china2, "aud": "api://own", "azp": monitor, "roles": []string{"Alerts"}}, receiver.ErrForbidden},
		"not one's cloud":  {1, map[string]any{"iss": public2, "aud": "api://own", "azp": entraClient, "roles": []string{"Alerts"}}, receiver.ErrUnauthenticated},
	} {
		if got := judge(c.source, c.claims); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
