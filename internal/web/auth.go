package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
)

// Role is what a caller may do; each includes those before it.
type Role int

// The roles: a viewer reads, an operator also reads what was received and commands
// runs, the kill switch and the quarantine, an admin does everything.
const (
	Viewer Role = iota + 1
	Operator
	Admin
)

// ParseRole reads viewer, operator or admin.
func ParseRole(s string) (Role, error) {
	for r := Viewer; r <= Admin; r++ {
		if r.String() == s {
			return r, nil
		}
	}
	return 0, fmt.Errorf("role %q: want viewer, operator or admin", s)
}

// String is the role's name.
func (r Role) String() string {
	switch r {
	case Viewer:
		return "viewer"
	case Operator:
		return "operator"
	case Admin:
		return "admin"
	}
	return fmt.Sprintf("role %d", int(r))
}

// Token is a bearer token. Name is who commands in the ledger when it is used.
type Token struct {
	Name string
	Role Role
	// Secret returns its present value. It is called for every request, so the
	// caller may re-read a file and should cache it. Its error must not contain
	// the value; it is logged.
	Secret func() (string, error)
}

// Auth says who may use the API: the holders of Tokens, or everybody who is
// let in by Open. Exactly one of them is set.
type Auth struct {
	Tokens []Token
	// Open lets everybody in, as admin, who comes over a loopback connection,
	// names a loopback host, and comes neither through a proxy nor from a web
	// page of another site.
	Open bool
	// AnyAddress, beside Open, leaves out the demand for loopback. Everybody
	// who reaches the address may then do everything.
	AnyAddress bool
}

// anonymous is who commands when Open lets everybody in.
const anonymous = "anonymous"

// caller is who sends a request.
type caller struct {
	name string
	role Role
}

type authenticator struct {
	Auth
	log *slog.Logger
}

func newAuthenticator(a Auth, log *slog.Logger) (*authenticator, error) {
	if a.Open == (len(a.Tokens) > 0) {
		return nil, errors.New("auth: want either tokens or Open")
	}
	names := map[string]bool{}
	for _, t := range a.Tokens {
		if t.Name == "" || t.Role < Viewer || t.Role > Admin || t.Secret == nil {
			return nil, fmt.Errorf("auth: token %q needs a name, a role and a secret", t.Name)
		}
		if names[t.Name] {
			return nil, fmt.Errorf("auth: two tokens are named %q", t.Name)
		}
		names[t.Name] = true
	}
	return &authenticator{a, log}, nil
}

// authenticate tells who sends r.
func (a *authenticator) authenticate(r *http.Request) (caller, *refusal) {
	if a.Open {
		if f := checkOrigin(r, a.AnyAddress); f != nil {
			return caller{}, f
		}
		return caller{anonymous, Admin}, nil
	}
	given, ok := bearer(r)
	if !ok {
		return caller{}, unauthenticated("send Authorization: Bearer TOKEN")
	}
	return a.byToken(r.Context(), given)
}

// byToken compares with every token, by digests, so that the time taken tells
// neither which one was near nor how long it is. Of tokens with the same value
// the one with the least role counts.
func (a *authenticator) byToken(ctx context.Context, given string) (caller, *refusal) {
	got := sha256.Sum256([]byte(given))
	var who caller
	var unread error
	for _, t := range a.Tokens {
		secret, err := t.Secret()
		if err == nil && secret == "" {
			err = errors.New("the secret is empty")
		}
		if err != nil {
			unread = err
			a.log.LogAttrs(ctx, slog.LevelError, "an API token cannot be read", slog.String("token", t.Name), slog.Any("error", err))
			continue
		}
		want := sha256.Sum256([]byte(secret))
		if subtle.ConstantTimeCompare(got[:], want[:]) == 1 && (who.role == 0 || t.Role < who.role) {
			who = caller{t.Name, t.Role}
		}
	}
	switch {
	case who.role != 0:
		return who, nil
	case unread != nil:
		return caller{}, unavailable("Tokens cannot be checked", nil, "a token cannot be read; the reason is in the server's log")
	}
	return caller{}, unauthenticated("the token is not known here")
}

func unauthenticated(detail string) *refusal {
	f := refuse(http.StatusUnauthorized, "Not authenticated", "%s", detail)
	f.challenge = `Bearer realm="paramedic"`
	return f
}

// bearer returns the token of the only Authorization header. Two such headers
// are refused: intermediaries differ in which counts.
func bearer(r *http.Request) (string, bool) {
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// allow checks that the caller may do what needs a role.
func (c caller) allow(needs Role) *refusal {
	if c.role < needs {
		return refuse(http.StatusForbidden, "Not allowed", "token %s has the role %s; this needs %s", c.name, c.role, needs)
	}
	return nil
}
