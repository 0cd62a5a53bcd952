package oidc_test

import (
	"context"
	"errors"
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
	for _, c := range []struct{ text, want string }{
		{`{"issuer":"https://other.example","jwks_uri":"URL/keys"}`, `says that it is "https://other.example"`},
		{`{"issuer":"URL/","jwks_uri":"URL/keys"}`, "says that it is"},
		{`{"issuer":"URL"}`, "https://"},
		{`{"issuer":"URL","jwks_uri":"http://keys.example/keys"}`, "https://"},
		{`{"issuer":"URL","jwks_uri":"file:///etc/passwd"}`, "https://"},
		{`{"issuer":"URL","jwks_uri":"https://u:hunter2@keys.example/keys"}`, "https://"},
		{`[]`, "cannot unmarshal"},
	} {
		b := newBench(t, nil)
		b.answers(func(w http.ResponseWriter, _ *http.Request) bool {
			return write(w, strings.ReplaceAll(c.text, "URL", b.url))
		})
		b.want(t, b.signed(t, b.key, keyID), "cannot tell", 0)
		err := b.auth.Authenticate(&http.Request{Header: bearer(b.signed(t, b.key, keyID))})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", c.text, err)
		}
		b.answers(nil)
		b.advance(5 * time.Second)
		b.want(t, b.signed(t, b.key, keyID), "passed", 1)
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
	began := time.Now()
	if got := b.judge(right); got != "passed" || time.Since(began) > 3*time.Second { // the others do not wait
		t.Errorf("got %s after %s", got, time.Since(began))
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

// Keys that are sound are not taken from an answer that goes on and on.
func TestKeyServerThatTalks(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.talks(strings.Repeat("\n", 1<<20))
	b.want(t, b.signed(t, b.key, keyID), "cannot tell", 0) // not even the description
	b.talks("\n")
	b.advance(5 * time.Second)
	b.want(t, b.signed(t, b.key, keyID), "passed", 1)
}
