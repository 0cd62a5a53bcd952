package config

import "time"

// Auth is what a request must show. It passes if it shows any of them: while a credential is replaced, the old and the
// new one stand side by side.
type Auth struct {
	// None lets every request pass; nothing else is set beside it.
	None   bool
	Bearer []Secret
	Basic  []Basic
	// MTLS are names, any of which a verified client certificate must have.
	MTLS     []string
	URLToken []URLToken
	HMAC     []HMAC
	Entra    []Entra
	OIDC     []OIDC
}

// Basic is a user name and a password.
type Basic struct {
	Username string
	Password Secret
}

// URLToken is a token in the query of the URL, under the name Parameter: for senders that can do no better.
type URLToken struct {
	Parameter string
	Token     Secret
}

// HMAC is a signature of the body. Preset names a sender whose habits are known; what is not empty beside it differs
// from them. Without Preset, Header is set, and the other habits are those of the receiver's own defaults.
type HMAC struct {
	Preset string
	Secret Secret
	// Header holds the signature behind Prefix, in Encoding; Algorithm is the hash.
	Header, Prefix, Encoding, Algorithm string
	// TimestampHeader holds the seconds since 1970 at which it was signed, at most Tolerance ago; 0 leaves that to the
	// receiver. Tolerance is set only where there is a timestamp.
	TimestampHeader string
	Tolerance       time.Duration
	// Signed is what the signature is of: a text with {body}, and perhaps {timestamp}.
	Signed string
}

// Entra is a token of Microsoft Entra ID. Empty fields but Tenant and Audience are left to the receiver: the role and
// the caller of Azure Monitor's action groups, and the public cloud.
type Entra struct {
	Tenant, Audience, Role, Caller, Cloud string
}

// OIDC is a token of any issuer of OpenID Connect, such as OAuth 2 client credentials yield.
type OIDC struct {
	Issuer, Audience string
	// Claims are what else the token must say: for each name, one of the values.
	Claims map[string][]string
	// Keys is the URL of the issuer's keys; empty where the issuer's own description names it.
	Keys string
}

// secrets are all that the credentials need.
func (a Auth) secrets() []Secret {
	list := append([]Secret(nil), a.Bearer...)
	for _, b := range a.Basic {
		list = append(list, b.Password)
	}
	for _, t := range a.URLToken {
		list = append(list, t.Token)
	}
	for _, h := range a.HMAC {
		list = append(list, h.Secret)
	}
	return list
}

// isEmpty reports whether there is nothing that a request could show.
func (a Auth) isEmpty() bool {
	return len(a.Bearer)+len(a.Basic)+len(a.MTLS)+len(a.URLToken)+len(a.HMAC)+len(a.Entra)+len(a.OIDC) == 0
}

const (
	anybody   = "none"
	authKinds = "write {bearer: ...}, {basic: ...}, {mtls: ...}, {urlToken: ...}, {hmac: ...}, {entra: ...}, {oidc: ...} or none"
)

// isAnybody reports whether the field is the word none.
func (f field) isAnybody() bool { return f.isScalar() && f.node.Value == anybody }

// judgeOpen refuses what is open to more than this machine, unless that is insisted on.
func (f field) judgeOpen(open bool, insecure *field, listen string) {
	switch {
	case open && insecure == nil && !isLoopback(listen):
		f.badValue(anybody, "listen is %q, so others than this machine reach it: give credentials, listen on 127.0.0.1, or write insecure: true beside it", listen)
	case !open && insecure != nil:
		insecure.badValue("true", "it stands only beside auth: none: remove it")
	}
}

func (f field) auth(tls *TLS) Auth {
	if f.isAnybody() {
		return Auth{None: true}
	}
	var a Auth
	if !f.isMapping() {
		f.bad("%s: %s", f.isA(), authKinds)
		return a
	}
	before := len(f.d.problems)
	f.mapping(fields{
		"bearer": func(f field) { a.Bearer = each(f, field.secret) },
		"basic":  func(f field) { a.Basic = each(f, field.basic) },
		"mtls": func(f field) {
			for _, names := range each(f, field.certificateNames) {
				a.MTLS = append(a.MTLS, names...)
			}
			if tls == nil || tls.ClientCA == "" {
				f.bad("client certificates need an authority to verify them: set tls.clientCA")
			}
		},
		"urlToken": func(f field) { a.URLToken = each(f, field.urlToken) },
		"hmac":     func(f field) { a.HMAC = each(f, field.hmac) },
		"entra":    func(f field) { a.Entra = each(f, field.entra) },
		"oidc":     func(f field) { a.OIDC = each(f, field.oidc) },
	})
	if len(f.d.problems) == before && a.isEmpty() {
		f.bad("it is empty: %s", authKinds)
	}
	return a
}

// each reads one value, or every element of a list of them.
func each[T any](f field, one func(field) T) []T {
	elements := f.oneOrMore()
	list := make([]T, len(elements))
	for i, e := range elements {
		list[i] = one(e)
	}
	return list
}
