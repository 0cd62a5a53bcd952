package receiver

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Secret returns the present value of a secret. It is called for every request,
// so the caller may re-read the secret's file and should cache it. An error or
// an empty value is answered with 503, never with access. The error must not
// contain the secret; it is logged.
type Secret func() (string, error)

// Authenticator judges whether a request may deliver to a source. It sees the
// request before its body is read.
type Authenticator interface {
	// Authenticate returns nil to let the request pass, [ErrUnauthenticated] if
	// the credential is missing or wrong, [ErrForbidden] if the caller is known
	// but not allowed, and any other error if it cannot tell.
	Authenticate(r *http.Request) error
	// Challenge is the WWW-Authenticate value (RFC 9110, section 11.6.1).
	Challenge() string
}

// What an Authenticator says of a request that it does not let pass.
var (
	ErrUnauthenticated = errors.New("credentials are missing or wrong")
	ErrForbidden       = errors.New("the caller is known, but not allowed")
)

// authenticate lets a request pass if any of the list does. All of them are
// asked, so that the time taken does not tell which one was near.
func authenticate(r *http.Request, list []Authenticator) error {
	var pass, forbidden bool
	var broken []error
	for _, a := range list {
		switch err := a.Authenticate(r); {
		case err == nil:
			pass = true
		case errors.Is(err, ErrForbidden):
			forbidden = true
		case !errors.Is(err, ErrUnauthenticated):
			broken = append(broken, err)
		}
	}
	switch {
	case pass:
		return nil
	case len(broken) > 0:
		return errors.Join(broken...)
	case forbidden:
		return ErrForbidden
	default:
		return ErrUnauthenticated
	}
}

// challenges returns each distinct challenge once: two tokens in rotation have
// the same.
func challenges(list []Authenticator) []string {
	var all []string
	for _, a := range list {
		if c := a.Challenge(); c != "" && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

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
	return ErrForbidden
}

// authorization returns what follows the scheme in the only Authorization
// header. Two such headers are refused: intermediaries differ in which counts.
func authorization(r *http.Request, scheme string) (string, bool) {
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return "", false
	}
	given, rest, ok := strings.Cut(values[0], " ")
	return strings.TrimSpace(rest), ok && strings.EqualFold(given, scheme)
}

func digest(what string, s Secret) ([sha256.Size]byte, error) {
	value, err := s()
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("%s: %w", what, err)
	}
	if value == "" {
		return [sha256.Size]byte{}, fmt.Errorf("%s: the secret is empty; set it, or remove this credential", what)
	}
	return sha256.Sum256([]byte(value)), nil
}

// same compares by digest, so that not even the length shows in the time.
func same(given string, want [sha256.Size]byte) bool {
	got := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}
