package app_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// issuer is an OAuth 2 authorization server with one grant, client credentials (RFC 6749, section 4.4), that describes
// itself as OpenID Connect has it. It is strict: what it does not expect fails the test.
type issuer struct {
	t   *testing.T
	url string
	key *rsa.PrivateKey
	// foreign is a key that is not among its keys.
	foreign *rsa.PrivateKey
}

const (
	clientSecret = "a secret of the client"
	keyID        = "key-1"
)

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t}
	for _, key := range []**rsa.PrivateKey{&i.key, &i.foreign} {
		var err error
		if *key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.answer(w, http.StatusOK, map[string]any{
			"issuer": i.url, "jwks_uri": i.url + "/keys", "token_endpoint": i.url + "/token",
			"response_types_supported": []string{"token"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		i.answer(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
			{Key: i.key.Public(), KeyID: keyID, Algorithm: string(jose.RS256), Use: "sig"},
		}})
	})
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the issuer was asked for %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusNotFound)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

// token gives each client what it is for: "forger" one that another key has signed, "late" one that has expired, and
// the others one of their own.
func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		i.t.Errorf("the token request: %v", err)
	}
	client, secret, ok := r.BasicAuth()
	if !ok {
		client, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	switch {
	case r.PostForm.Get("grant_type") != "client_credentials":
		i.t.Errorf("the token request is for %q", r.PostForm.Get("grant_type"))
		i.answer(w, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"})
		return
	case secret != clientSecret:
		i.answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	key, expiry := i.key, time.Now().Add(time.Hour)
	switch client {
	case "forger":
		key = i.foreign
	case "late":
		expiry = time.Now().Add(-time.Hour)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: keyID}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		i.t.Error(err)
		return
	}
	claims := map[string]any{
		"iss": i.url, "sub": "service-account-" + client, "aud": r.PostForm.Get("audience"), "azp": client,
		"iat": time.Now().Add(-2 * time.Hour).Unix(), "exp": expiry.Unix(),
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		i.t.Error(err)
	}
	i.answer(w, http.StatusOK, map[string]any{"access_token": text, "token_type": "Bearer", "expires_in": 3600})
}

func (i *issuer) answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		i.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "%s", text) // a client that went away is its own affair
}
