package oidc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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
	b.advance(time.Minute)
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
	// And one that has no name.
	b.has(public(last.Public(), ""))
	b.advance(time.Minute)
	b.want(t, b.signed(t, last, ""), "passed", 5)
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

func TestKeyServerThatFails(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"down":      status(http.StatusServiceUnavailable),
		"not there": status(http.StatusNotFound),
		"partly":    status(http.StatusPartialContent),
		"garbage":   func(w http.ResponseWriter, _ *http.Request) bool { return write(w, "<html>") },
		"nothing":   func(http.ResponseWriter, *http.Request) bool { return true },
		"no keys":   func(w http.ResponseWriter, _ *http.Request) bool { return write(w, `{"keys":[]}`) },
		"null":      func(w http.ResponseWriter, _ *http.Request) bool { return write(w, `null`) },
		"other kinds": func(w http.ResponseWriter, _ *http.Request) bool {
			return write(w, `{"keys":[{"kty":"PQC","kid":"key-1"},7]}`)
		},
		"a secret": func(w http.ResponseWriter, _ *http.Request) bool {
			return write(w, `{"keys":[{"kty":"oct","kid":"key-1","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC0","alg":"HS256"}]}`)
		},
		"huge": func(w http.ResponseWriter, _ *http.Request) bool {
			return write(w, `{"keys":[`+strings.Repeat(" ", 1<<20)+`]}`)
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "1000")
			return write(w, `{"keys":[`)
		},
		"hangs up": func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		"elsewhere": func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/elsewhere" {
				panic("the redirect was followed")
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			right := b.signed(t, b.key, keyID)
			onlyKeys := func(w http.ResponseWriter, r *http.Request) bool {
				return r.URL.Path == "/keys" && how(w, r)
			}
			b.answers(onlyKeys)
			b.want(t, right, "cannot tell", 1)
			b.want(t, right, "cannot tell", 1) // not again at once
			b.advance(5 * time.Second)
			b.want(t, right, "cannot tell", 2)
			b.answers(nil)
			b.advance(5 * time.Second)
			b.want(t, right, "passed", 3)
			// With keys it goes on, and tries each minute.
			b.answers(onlyKeys)
			b.advance(2 * time.Hour)
			right = b.signed(t, b.key, keyID)
			b.want(t, right, "passed", 4)
			b.want(t, right, "passed", 4)
			b.want(t, b.signed(t, newEC(t), "key-2"), "cannot tell", 4)
			b.want(t, b.signed(t, newEC(t), keyID), "token-invalid", 4)
			b.advance(time.Minute)
			b.want(t, right, "passed", 5)
			if n := strings.Count(b.log.String(), "the old ones stay in use"); n != 2 {
				t.Errorf("logged %d times: %s", n, b.log.String())
			}
			b.answers(nil)
			b.advance(time.Minute)
			b.want(t, b.signed(t, newEC(t), "key-2"), "token-key-unknown", 6)
		})
	}
}

func write(w http.ResponseWriter, text string) bool {
	_, _ = w.Write([]byte(text)) // nobody there to be told
	return true
}

func TestIssuerThatDescribesItselfWrong(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"as another":      `{"issuer":"https://other.example","jwks_uri":"URL/keys"}`,
		"with a slash":    `{"issuer":"URL/","jwks_uri":"URL/keys"}`,
		"without keys":    `{"issuer":"URL"}`,
		"keys by http":    `{"issuer":"URL","jwks_uri":"http://keys.example/keys"}`,
		"keys in a file":  `{"issuer":"URL","jwks_uri":"file:///etc/passwd"}`,
		"with a password": `{"issuer":"URL","jwks_uri":"https://u:p@keys.example/keys"}`,
	} {
		b := newBench(t, nil)
		b.answers(func(w http.ResponseWriter, _ *http.Request) bool {
			return write(w, strings.ReplaceAll(text, "URL", b.url))
		})
		b.want(t, b.signed(t, b.key, keyID), "cannot tell", 0)
		b.answers(nil)
		b.advance(5 * time.Second)
		b.want(t, b.signed(t, b.key, keyID), "passed", 1)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// A slow key server keeps those waiting who need it, for as long as a sender is
// patient, and asks it once. The others go on.
func TestSlowKeyServer(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	right := b.signed(t, b.key, keyID)
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	slow := func(_ http.ResponseWriter, r *http.Request) bool {
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return false
	}
	b.answers(slow)
	first := make(chan string, 20)
	for range cap(first) {
		go func() { first <- b.judge(right) }()
	}
	<-arrived // the description
	release <- struct{}{}
	<-arrived
	release <- struct{}{}
	for range cap(first) {
		if got := <-first; got != "passed" {
			t.Errorf("got %s", got)
		}
	}
	b.want(t, right, "passed", 1)

	b.advance(2 * time.Hour)
	right = b.signed(t, b.key, keyID)
	waits := make(chan string, 1)
	go func() { waits <- b.judge(right) }()
	<-arrived
	if got := b.judge(right); got != "passed" { // the others do not wait
		t.Errorf("got %s", got)
	}
	release <- struct{}{}
	if got := <-waits; got != "passed" {
		t.Errorf("got %s", got)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Senders give up, some after 5 s. A fetch for others does not end with the
// request that has begun it.
func TestKeyServerThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, err := oidc.New(oidc.Options{
			Issuers: []string{"https://issuer.example"}, Audiences: []string{"x"}, Now: time.Now, Log: logger(t.Output()),
			Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})},
		})
		if err != nil {
			t.Fatal(err)
		}
		token := bearer(sign(t, jose.ES256, newEC(t), keyID, claims{"iss": "https://issuer.example"}))
		began := time.Now()
		ask := func(ctx context.Context, took time.Duration) {
			err := a.Authenticate((&http.Request{Header: token}).WithContext(ctx))
			if err == nil || errors.Is(err, receiver.ErrUnauthenticated) || time.Since(began) != took {
				t.Errorf("after %s: %v", time.Since(began), err)
			}
		}
		gone, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { ask(gone, 4*time.Second) }) // leads, and goes on
		synctest.Wait()
		all.Go(func() { ask(t.Context(), 4*time.Second) })
		all.Go(func() { ask(gone, time.Second) })
		time.AfterFunc(time.Second, leave)
		all.Wait()
	})
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
	b.want(t, sign(t, jose.RS256, ours, "other-algorithm", b.claims()), "token-key-unknown", 1)
	b.want(t, b.signed(t, private, "private"), "token-key-unknown", 1)
	b.want(t, b.signed(t, encrypt, "encrypt"), "token-key-unknown", 1)
	b.want(t, b.signed(t, newEC(t), "rsa"), "token-invalid", 1)
	b.want(t, sign(t, jose.HS256, []byte("a secret that is shared, of 32 bytes"), "shared", b.claims()), "token-invalid", 1)
}
