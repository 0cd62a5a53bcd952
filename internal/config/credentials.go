package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

func (f field) basic() Basic {
	var b Basic
	if f.mapping(fields{
		"username": func(f field) { b.Username, _ = f.text() },
		"password": func(f field) { b.Password = f.secret() },
	}) && f.lacks("username", "password") {
		f.bad("username and password must both be given")
	}
	return b
}

func (f field) certificateNames() []string {
	var names []string
	if f.mapping(fields{"names": func(f field) {
		for _, e := range f.oneOrMore() {
			name, _ := e.text()
			names = append(names, name)
		}
	}}) && f.lacks("names") {
		f.bad("there are no names: list the certificates' common names, DNS names or URIs: names: [alertmanager]")
	}
	return names
}

const defaultParameter = "token"

// urlToken is {token: SECRET, parameter: NAME}, or just the secret.
func (f field) urlToken() URLToken {
	t := URLToken{Parameter: defaultParameter}
	if !f.isMapping() || f.has(secretEnv) || f.has(secretFile) {
		t.Token = f.secret()
		return t
	}
	if f.mapping(fields{
		"token": func(f field) { t.Token = f.secret() },
		"parameter": func(f field) {
			name, ok := f.text()
			if ok && !parameter.MatchString(name) {
				f.badValue(name, "the name of a query parameter has 1 to 64 letters, digits, and . _ -")
			}
			t.Parameter = name
		},
	}) && f.lacks("token") {
		f.bad("there is no token: write token: {file: PATH}; senders post to /v1/webhooks/NAME?%s=TOKEN", t.Parameter)
	}
	return t
}

var parameter = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// The clouds of Microsoft, each with its own issuer.
const (
	cloudPublic = "public"
	cloudUS     = "usgovernment"
	cloudChina  = "china"
)

func (f field) entra() Entra {
	var e Entra
	if f.mapping(fields{
		"tenant":   func(f field) { e.Tenant = f.tenant() },
		"audience": func(f field) { e.Audience, _ = f.text() },
		"role":     func(f field) { e.Role, _ = f.text() },
		"caller":   func(f field) { e.Caller = f.guid("the application id of the caller") },
		"cloud":    func(f field) { e.Cloud = f.choice([]string{cloudPublic, cloudUS, cloudChina}) },
	}) && f.lacks("tenant", "audience") {
		f.bad("tenant and audience must both be given: else the tokens of other tenants, or for other applications, would pass")
	}
	return e
}

// tenant is one tenant. The words by which an application takes accounts of any would let everybody in.
func (f field) tenant() string {
	if f.isScalar() && slices.Contains([]string{"common", "organizations", "consumers"}, strings.ToLower(f.node.Value)) {
		f.badValue(f.node.Value, "it stands for every tenant there is: write the id of yours")
		return f.node.Value
	}
	return f.guid("the directory (tenant) id")
}

func (f field) guid(what string) string {
	text, ok := f.text()
	if ok && !guid.MatchString(text) {
		f.badValue(text, "write %s, such as 00000000-1111-2222-3333-444444444444", what)
	}
	return text
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func (f field) oidc() OIDC {
	var o OIDC
	if f.mapping(fields{
		"issuer":   func(f field) { o.Issuer = f.secureURL() },
		"audience": func(f field) { o.Audience, _ = f.text() },
		"claims":   func(f field) { o.Claims = f.claims() },
		"keys":     func(f field) { o.Keys = f.secureURL() },
	}) && f.lacks("issuer", "audience") {
		f.bad("issuer and audience must both be given: else a token that was issued for something else would pass")
	}
	return o
}

func (f field) claims() map[string][]string {
	entries, _ := f.entries()
	claims := make(map[string][]string, len(entries))
	for _, e := range entries {
		for _, v := range e.value.oneOrMore() {
			value, _ := v.text()
			claims[e.key.Value] = append(claims[e.key.Value], value)
		}
	}
	return claims
}

// secureURL is where keys come from that let requests in, so nobody between may change them.
func (f field) secureURL() string {
	text, ok := f.text()
	if !ok {
		return ""
	}
	u, ok := f.parseURL(text, "https", "http")
	switch {
	case !ok:
	case u.Scheme == "http" && !loopbackHost(u.Hostname()):
		f.badValue(text, "whoever is between could change the keys: write https; http is for this machine only")
	case u.RawQuery != "" || u.Fragment != "":
		f.badValue(withoutQuery(u), "it has a query or a fragment, which the URL of an issuer or of keys has not: remove what follows the path")
	}
	return text
}

// withoutQuery does not show what may be a secret.
func withoutQuery(u *url.URL) string {
	shown := *u
	shown.RawQuery, shown.Fragment = "", ""
	return shown.String()
}
