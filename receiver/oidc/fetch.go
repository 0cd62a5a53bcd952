package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

const (
	// maxAnswer bounds an answer in bytes. The largest known, Microsoft's, has some
	// twenty thousand.
	maxAnswer = 1 << 20
	// minRSA is what RFC 7518, section 3.3, asks of a key, in bits.
	minRSA = 2048
)

// fetcher asks an issuer for its keys. It is used by one request at a time.
type fetcher struct {
	client *http.Client
	// issuer is asked where its keys are, and that is remembered, if keysURL is
	// not configured.
	issuer, keysURL string
	configured      bool
}

func newFetcher(o Options) *fetcher {
	client := *o.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &fetcher{client: &client, issuer: o.Issuers[0], keysURL: o.KeysURL, configured: o.KeysURL != ""}
}

// fetch returns the keys that can be used. If there is none it is an error.
func (f *fetcher) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	if f.keysURL == "" {
		if err := f.discover(ctx); err != nil {
			return nil, err
		}
	}
	var answer struct {
		Keys []json.RawMessage `json:"keys"`
	}
	err := f.get(ctx, f.keysURL, &answer)
	if err != nil {
		if !f.configured {
			f.keysURL = "" // it may have moved
		}
		return nil, err
	}
	var usable []jose.JSONWebKey
	for _, text := range answer.Keys {
		var key jose.JSONWebKey
		// What is of a kind to come is left out (RFC 7517, section 5).
		if err := json.Unmarshal(text, &key); err == nil && isUsable(key) {
			usable = append(usable, key)
		}
	}
	if len(usable) == 0 {
		return nil, fmt.Errorf("%s has no key that can be used, of %d", f.keysURL, len(answer.Keys))
	}
	return usable, nil
}

// isUsable keeps shared secrets, private keys and weak ones out.
func isUsable(key jose.JSONWebKey) bool {
	if key.Use != "" && key.Use != "sig" || !key.Valid() {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return public.N.BitLen() >= minRSA
	case *ecdsa.PublicKey:
		return true
	}
	return false
}

func (f *fetcher) discover(ctx context.Context) error {
	var described struct {
		Issuer  string `json:"issuer"`
		KeysURL string `json:"jwks_uri"`
	}
	if err := f.get(ctx, wellKnown(f.issuer), &described); err != nil {
		return err
	}
	if described.Issuer != f.issuer {
		return fmt.Errorf("%s says that it is %.200q", wellKnown(f.issuer), described.Issuer)
	}
	if err := checkURL("jwks_uri of "+f.issuer, described.KeysURL); err != nil {
		return err
	}
	f.keysURL = described.KeysURL
	return nil
}

// get reads one JSON document.
func (f *fetcher) get(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return fmt.Errorf("fetch keys: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	res, err := f.client.Do(req)
	if err != nil {
		return fmt.Errorf("fetch keys: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	err = errors.Join(err, res.Body.Close())
	switch {
	case err != nil:
		return fmt.Errorf("fetch keys: %s: %w", address, err)
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("fetch keys: %s answers %d; redirects are not followed", address, res.StatusCode)
	case len(body) > maxAnswer:
		return fmt.Errorf("fetch keys: %s answers with more than %d bytes", address, maxAnswer)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("fetch keys: %s: %w", address, err)
	}
	return nil
}
