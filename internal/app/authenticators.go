package app

import (
	"errors"
	"fmt"

	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/oidc"
)

// authenticators are any of which lets a request pass.
func (m sourceMaker) authenticators(a config.Auth) ([]receiver.Authenticator, error) {
	if a.None {
		return []receiver.Authenticator{receiver.Anonymous()}, nil
	}
	var auth []receiver.Authenticator
	for _, token := range a.Bearer {
		auth = append(auth, receiver.Bearer(token.Read))
	}
	for _, b := range a.Basic {
		auth = append(auth, receiver.Basic(b.Username, b.Password.Read))
	}
	if len(a.MTLS) > 0 {
		auth = append(auth, receiver.ClientCertificate(a.MTLS...))
	}
	for _, t := range a.URLToken {
		auth = append(auth, receiver.URLToken(t.Parameter, t.Token.Read))
	}
	var errs []error
	add := func(kind string, one receiver.Authenticator, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("auth.%s: %w", kind, err))
		}
		auth = append(auth, one)
	}
	for _, h := range a.HMAC {
		one, err := m.hmac(h)
		add("hmac", one, err)
	}
	for _, e := range a.Entra {
		one, err := m.entra(e)
		add("entra", one, err)
	}
	for _, o := range a.OIDC {
		one, err := m.oidc(o)
		add("oidc", one, err)
	}
	return auth, errors.Join(errs...)
}

// hmac lays what is configured over the habits of the sender.
func (m sourceMaker) hmac(h config.HMAC) (receiver.Authenticator, error) {
	var s receiver.Signature
	if h.Preset != "" {
		var ok bool
		if s, ok = receiver.SignaturePreset(h.Preset); !ok {
			return nil, fmt.Errorf("preset %q: this version knows %v", h.Preset, receiver.SignaturePresets())
		}
	}
	for _, over := range []struct {
		field *string
		text  string
	}{
		{&s.Header, h.Header},
		{&s.Prefix, h.Prefix},
		{&s.Encoding, h.Encoding},
		{&s.Algorithm, h.Algorithm},
		{&s.TimestampHeader, h.TimestampHeader},
		{&s.Signed, h.Signed},
	} {
		if over.text != "" {
			*over.field = over.text
		}
	}
	s.Secret, s.Tolerance = h.Secret.Read, h.Tolerance
	return receiver.HMAC(s, m.now)
}

// entra leaves what is empty to the package.
func (m sourceMaker) entra(e config.Entra) (receiver.Authenticator, error) {
	o := oidc.EntraOptions{
		Tenant: e.Tenant, Audience: e.Audience, Role: e.Role, Caller: e.Caller, Client: m.client, Now: m.now, Log: m.log,
	}
	if e.Cloud != "" {
		var ok bool
		if o.Authority, ok = oidc.Authority(e.Cloud); !ok {
			return nil, fmt.Errorf("cloud %q: it has no authority that is known here", e.Cloud)
		}
	}
	return oidc.Entra(o)
}

func (m sourceMaker) oidc(o config.OIDC) (receiver.Authenticator, error) {
	options := oidc.Options{
		Issuers: []string{o.Issuer}, KeysURL: o.Keys, Audiences: []string{o.Audience}, Client: m.client, Now: m.now, Log: m.log,
	}
	for name, values := range o.Claims {
		options.Claims = append(options.Claims, oidc.Claim{Names: []string{name}, Values: values})
	}
	return oidc.New(options)
}
