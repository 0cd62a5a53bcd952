package oidc_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/oidc"
)

// bench is an authenticator of a plain issuer with one key.
type bench struct {
	*issuer
	clock
	log  syncBuffer
	key  any
	auth receiver.Authenticator
}

func newBench(t testing.TB, change func(*oidc.Options)) *bench {
	t.Helper()
	key := newEC(t)
	b := &bench{issuer: newIssuer(t, public(key.Public(), keyID)), key: key}
	o := oidc.Options{
		Issuers: []string{b.url}, Audiences: []string{"paramedic"}, Client: &http.Client{}, Now: b.now, Log: logger(&b.log),
	}
	if change != nil {
		change(&o)
	}
	var err error
	if b.auth, err = oidc.New(o); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) claims() claims {
	return claims{"iss": b.url, "aud": "paramedic", "sub": "x", "exp": b.now().Add(time.Hour).Unix()}
}

// judge is what the authenticator makes of a token: "passed", the reason, or
// "cannot tell".
func (b *bench) judge(token string) string {
	err := b.auth.Authenticate(&http.Request{Header: bearer(token)})
	var d *receiver.Denial
	switch {
	case err == nil:
		return "passed"
	case errors.As(err, &d):
		return string(d.Reason)
	case errors.Is(err, receiver.ErrUnauthenticated), errors.Is(err, receiver.ErrForbidden):
		return err.Error()
	default:
		return "cannot tell"
	}
}

func (b *bench) signed(t testing.TB, key any, id string) string {
	t.Helper()
	return sign(t, jose.ES256, key, id, b.claims())
}

func (b *bench) want(t testing.TB, token, want string, asked int64) {
	t.Helper()
	if got := b.judge(token); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if n := b.asked.Load(); n != asked {
		t.Errorf("the key server was asked %d times, want %d", n, asked)
	}
}

func TestKeysAreFetchedWhenNeeded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.want(t, "no.token.x", "token-invalid", 0)
	b.want(t, b.signed(t, b.key, keyID), "passed", 1)
	b.want(t, b.signed(t, b.key, keyID), "passed", 1)
	b.want(t, b.signed(t, b.key, ""), "passed", 1)
	b.advance(time.Hour)
	b.want(t, b.signed(t, b.key, keyID), "passed", 1)
	b.advance(time.Second)
	b.want(t, b.signed(t, b.key, keyID), "passed", 2)
	b.want(t, b.signed(t, b.key, keyID), "passed", 2)
	if n := b.described.Load(); n != 1 {
		t.Errorf("asked %d times where the keys are", n)
	}
}

func TestKeysRollOver(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	old, next, last := b.signed(t, b.key, keyID), newEC(t), newEC(t)
	b.want(t, old, "passed", 1)
	b.has(public(next.Public(), "key-2"))
	// The set may have been fetched just before it changed.
	b.want(t, b.signed(t, next, "key-2"), "token-key-unknown", 1)
	b.advance(59 * time.Second)
	b.want(t, b.signed(t, next, "key-2"), "token-key-unknown", 1)
	b.advance(time.Second)
	b.want(t, b.signed(t, next, "key-2"), "passed", 2)
	b.want(t, old, "token-key-unknown", 2)
	// Withdrawn, and nobody asks for a new one.
	b.has(public(last.Public(), "key-3"))
	b.advance(time.Hour + time.Second)
	b.want(t, b.signed(t, next, "key-2"), "token-key-unknown", 3)
	// Another key of the same name.
	b.has(public(next.Public(), "key-3"))
	b.want(t, b.signed(t, next, "key-3"), "token-invalid", 3)
	b.advance(time.Minute)
	b.want(t, b.signed(t, next, "key-3"), "passed", 4)
	// A clock that was ahead does not keep us from asking.
	b.has(public(last.Public(), "key-4"))
	b.advance(-24 * time.Hour)
	b.want(t, b.signed(t, last, "key-4"), "passed", 5)
	// And one that has no name.
	b.has(public(last.Public(), ""))
	b.advance(time.Minute)
	b.want(t, b.signed(t, next, ""), "token-invalid", 6)
	b.want(t, b.signed(t, last, ""), "passed", 6)
}

// A token of somebody else says so, and is no reason to ask for keys.
func TestOthersTokensAskForNoKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.want(t, sign(t, jose.ES256, newEC(t), "key-x", b.claims().with(claims{"iss": "https://other.example"})), "token-issuer", 0)
}

func TestKeysThatMove(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.want(t, b.signed(t, b.key, keyID), "passed", 1)
	b.moves("/moved")
	b.answers(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/keys" {
			b.asked.Add(1)
			w.WriteHeader(http.StatusGone)
		}
		return r.URL.Path == "/keys"
	})
	b.advance(time.Hour + time.Second)
	b.want(t, b.signed(t, b.key, keyID), "passed", 2) // with the old ones
	b.advance(time.Minute)
	b.want(t, b.signed(t, newEC(t), "key-2"), "token-key-unknown", 3)
	if n := b.described.Load(); n != 2 {
		t.Errorf("asked %d times where the keys are", n)
	}
}

func TestStormOfUnknownKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	stranger := newEC(t)
	var tokens []string
	for n := range 300 {
		tokens = append(tokens, b.signed(t, stranger, fmt.Sprintf("key-of-mine-%d", n)))
	}
	storm := func(want string) {
		t.Helper()
		var all sync.WaitGroup
		for _, token := range tokens {
			all.Go(func() {
				if got := b.judge(token); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			})
		}
		all.Wait()
	}
	storm("token-key-unknown")
	if n := b.asked.Load(); n != 1 {
		t.Errorf("the first storm made %d requests", n)
	}
	for minute := range int64(3) {
		b.advance(time.Minute)
		storm("token-key-unknown")
		if n := b.asked.Load(); n != 2+minute {
			t.Errorf("after %d minutes: %d requests", minute+1, n)
		}
		b.want(t, b.signed(t, b.key, keyID), "passed", 2+minute)
	}
	b.answers(status(http.StatusInternalServerError))
	b.advance(time.Minute)
	storm("cannot tell") // it might be new
	b.want(t, b.signed(t, b.key, keyID), "passed", 5)
}

// What a key server has may be unfit, and is left out; what is fit stays.
func TestKeysThatAreNotUsed(t *testing.T) {
	t.Parallel()
	weak, private, encrypt := newRSA(1024), newEC(t), newEC(t)
	ours, _ := rsaKeys()
	b := newBench(t, nil)
	b.has(
		public(weak.Public(), "weak"),
		jose.JSONWebKey{Key: private, KeyID: "private", Use: "sig"},
		jose.JSONWebKey{Key: encrypt.Public(), KeyID: "encrypt", Use: "enc"},
		jose.JSONWebKey{Key: ours.Public(), KeyID: "other-algorithm", Use: "sig", Algorithm: string(jose.PS256)},
		jose.JSONWebKey{Key: []byte("a secret that is shared, of 32 bytes"), KeyID: "shared"},
		public(ours.Public(), "rsa"),
	)
	b.want(t, sign(t, jose.RS256, ours, "rsa", b.claims()), "passed", 1)
	b.want(t, sign(t, jose.RS256, weak, "weak", b.claims()), "token-key-unknown", 1)
	b.want(t, sign(t, jose.RS256, ours, "other-algorithm", b.claims()), "token-key-unknown", 1)
	b.want(t, b.signed(t, private, "private"), "token-key-unknown", 1)
	b.want(t, b.signed(t, encrypt, "encrypt"), "token-key-unknown", 1)
	b.want(t, b.signed(t, newEC(t), "rsa"), "token-invalid", 1)
	b.want(t, sign(t, jose.HS256, []byte("a secret that is shared, of 32 bytes"), "shared", b.claims()), "token-invalid", 1)
}
