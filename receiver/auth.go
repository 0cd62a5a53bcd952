package receiver

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
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
	// but not allowed, and any other error if it cannot tell. A [Denial] is one of
	// the two that also says why.
	Authenticate(r *http.Request) error
	// Challenge is the WWW-Authenticate value (RFC 9110, section 11.6.1).
	Challenge() string
}

// BodyAuthenticator is an [Authenticator] whose credential covers the body, as a
// signature does. Its Authenticate judges the headers alone, and returns nil if
// the body is worth reading.
type BodyAuthenticator interface {
	Authenticator
	// AuthenticateBody judges a request whose headers have passed, now that all of
	// its body is there. It returns errors like Authenticate, and does not keep
	// the body.
	AuthenticateBody(r *http.Request, body []byte) (Once, error)
}

// Once makes a credential good for one accepted request. The zero Once does not.
type Once struct {
	// Key identifies what was shown. It does not depend on the secret: of two in
	// rotation, each would let the same request in.
	Key [sha256.Size]byte
	// Until is the last moment at which the credential is good. It is remembered
	// until then.
	Until time.Time
}

// What an Authenticator says of a request that it does not let pass.
var (
	ErrUnauthenticated = errors.New("credentials are missing or wrong")
	ErrForbidden       = errors.New("the caller is known, but not allowed")
)

// Denial is [ErrUnauthenticated] or [ErrForbidden] with what the owner should
// know of it, and the sender not.
type Denial struct {
	// Err is the one or the other.
	Err error
	// Reason is what the denial is counted as; empty, as Err alone is.
	Reason Reason
	// Detail says in the log what is wrong. Never a credential.
	Detail string
	// Challenge is sent instead of the Authenticator's, if not empty.
	Challenge string
}

// Error says what the log is told.
func (d *Denial) Error() string {
	if d.Detail == "" {
		return d.Err.Error()
	}
	return d.Detail
}

// Unwrap returns Err.
func (d *Denial) Unwrap() error { return d.Err }

// BearerToken returns the token of the request's only Authorization header,
// false if there is none (RFC 6750, section 2.1).
func BearerToken(r *http.Request) (string, bool) { return authorization(r, "Bearer") }

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

// value is the secret's present one.
func (s Secret) value(what string) (string, error) {
	value, err := s()
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	if value == "" {
		return "", fmt.Errorf("%s: the secret is empty; set it, or remove this credential", what)
	}
	return value, nil
}

func digest(what string, s Secret) ([sha256.Size]byte, error) {
	value, err := s.value(what)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256([]byte(value)), nil
}

// same compares by digest, so that not even the length shows in the time.
func same(given string, want [sha256.Size]byte) bool {
	got := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}
