package receiver

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
)

// Anonymous lets every request pass. Whether that is allowed (only on
// loopback, unless the owner insists) is for the configuration to judge.
func Anonymous() Authenticator { return anonymous{} }

type anonymous struct{}

func (anonymous) Authenticate(*http.Request) error { return nil }
func (anonymous) Challenge() string                { return "" }

// Bearer accepts "Authorization: Bearer TOKEN" (RFC 6750).
func Bearer(token Secret) Authenticator { return bearer{token} }

type bearer struct{ token Secret }

func (b bearer) Challenge() string { return `Bearer realm="paramedic"` }

func (b bearer) Authenticate(r *http.Request) error {
	want, err := digest("bearer token", b.token)
	if err != nil {
		return err
	}
	given, ok := authorization(r, "Bearer")
	if !ok || !same(given, want) {
		return ErrUnauthenticated
	}
	return nil
}

// Basic accepts "Authorization: Basic" with this user and password (RFC 7617).
func Basic(user string, password Secret) Authenticator { return basic{user, password} }

type basic struct {
	user     string
	password Secret
}

func (b basic) Challenge() string { return `Basic realm="paramedic", charset="UTF-8"` }

func (b basic) Authenticate(r *http.Request) error {
	want, err := digest("basic password", b.password)
	if err != nil {
		return err
	}
	if _, ok := authorization(r, "Basic"); !ok {
		return ErrUnauthenticated
	}
	user, password, ok := r.BasicAuth()
	sameUser, samePassword := same(user, sha256.Sum256([]byte(b.user))), same(password, want)
	if !ok || !sameUser || !samePassword {
		return ErrUnauthenticated
	}
	return nil
}

// URLToken accepts a token in the URL's query: "?PARAM=TOKEN". It is for senders
// that can do no better: proxies and the sender's own pages show URLs. Here, no
// query is logged, answered or stored.
func URLToken(param string, token Secret) Authenticator { return urlToken{param, token} }

type urlToken struct {
	param string
	token Secret
}

// Challenge names no registered scheme, as there is none.
func (u urlToken) Challenge() string { return `URLToken realm="paramedic"` }

func (u urlToken) Authenticate(r *http.Request) error {
	want, err := digest("URL token", u.token)
	if err != nil {
		return err
	}
	// Not Query: it drops what it cannot read, and the rest may pass.
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		// Its text has what it could not read.
		return &Denial{Err: ErrUnauthenticated, Detail: "the URL's query cannot be read"}
	}
	switch given := query[u.param]; {
	case len(given) > 1:
		return &Denial{Err: ErrUnauthenticated, Detail: "the URL has the token's parameter more than once"}
	case len(given) == 0 || !same(given[0], want):
		return ErrUnauthenticated
	}
	return nil
}

// ClientCertificate accepts a client certificate that the server's TLS
// configuration has verified and whose common name, a DNS name or a URI is one
// of names. A verified certificate with other names is forbidden.
func ClientCertificate(names ...string) Authenticator { return clientCertificate{names} }

type clientCertificate struct{ names []string }

// Challenge names no registered scheme, as there is none for TLS; RFC 9110
// demands one with each 401.
func (clientCertificate) Challenge() string { return `ClientCertificate realm="paramedic"` }

func (c clientCertificate) Authenticate(r *http.Request) error {
	// PeerCertificates alone may be unverified.
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.VerifiedChains[0]) == 0 {
		return ErrUnauthenticated
	}
	leaf := r.TLS.VerifiedChains[0][0]
	for _, name := range c.names {
		if name == "" {
			continue
		}
		if leaf.Subject.CommonName == name {
			return nil
		}
		for _, dns := range leaf.DNSNames {
			if strings.EqualFold(dns, name) {
				return nil
			}
		}
		for _, uri := range leaf.URIs {
			if uri.String() == name {
				return nil
			}
		}
	}
	return &Denial{Err: ErrForbidden, Detail: "the client certificate is valid, but its names are not allowed here"}
}
