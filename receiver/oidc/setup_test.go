package oidc_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/alertmanager"
	"github.com/tripgen/paramedic/receiver/oidc"
)

const (
	tenant   = "11111111-2222-3333-4444-555555555555"
	client   = "99999999-8888-7777-6666-555555555555"
	caller   = "461e8683-5575-4561-ac7f-899cc907d62a"
	role     = "ActionGroupsSecureWebhook"
	keysPath = "/" + tenant + "/discovery/v2.0/keys"
	keyID    = "key-1"
)

var startOfTime = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

// clock is one that a test moves.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return startOfTime.Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// Two RSA keys, as they take long to make.
var rsaKeys = sync.OnceValues(func() (*rsa.PrivateKey, *rsa.PrivateKey) {
	return newRSA(2048), newRSA(2048)
})

func newRSA(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

func newEC(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issuer is a server of keys, strict about what it is asked for. It describes
// itself like any, and has Entra's addresses too.
type issuer struct {
	url string
	// asked counts requests for keys, described those for the description.
	asked, described atomic.Int64

	mu   sync.Mutex
	keys []jose.JSONWebKey
	// at is where the description says that they are, and after what comes behind
	// an answer.
	at, after string
	instead   func(w http.ResponseWriter, r *http.Request) bool
}

func newIssuer(t testing.TB, keys ...jose.JSONWebKey) *issuer {
	t.Helper()
	i := &issuer{keys: keys, at: "/keys"}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.RawQuery != "" || r.Header.Get("Authorization") != "" {
			t.Errorf("the issuer was asked with %s %s %v", r.Method, r.URL, r.Header)
		}
		var body any
		counter := &i.asked
		i.mu.Lock()
		instead, set, at, after := i.instead, jose.JSONWebKeySet{Keys: i.keys}, i.at, i.after
		i.mu.Unlock()
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			counter, body = &i.described, map[string]string{"issuer": i.url, "jwks_uri": i.url + at}
		case at, keysPath:
			body = set
		default:
			if instead == nil || !instead(w, r) {
				t.Errorf("the issuer was asked for %s", r.URL)
			}
			return
		}
		counter.Add(1)
		if instead != nil && instead(w, r) {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body) // nobody there to be told
		_, _ = io.WriteString(w, after)
	}))
	// A client asks again by itself when a connection that it had is gone.
	server.Config.SetKeepAlivesEnabled(false)
	server.Start()
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

// answers makes the issuer answer otherwise; nil, as it should.
func (i *issuer) answers(with func(w http.ResponseWriter, r *http.Request) bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.instead = with
}

func (i *issuer) has(keys ...jose.JSONWebKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

// status answers with the right body and another status.
func status(code int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(code)
		return false
	}
}

// moves says where the keys are from now on.
func (i *issuer) moves(at string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.at = at
}

// talks adds to what is answered from now on.
func (i *issuer) talks(after string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.after = after
}

func public(key crypto.PublicKey, id string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key, KeyID: id, Use: "sig"}
}

type claims map[string]any

// with changes a copy; a nil value takes the claim away.
func (c claims) with(more claims) claims {
	all := maps.Clone(c)
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}

// sign makes a token with these claims. An empty id names no key.
func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, id string, c claims) string {
	t.Helper()
	options := &jose.SignerOptions{}
	if id != "" {
		options = options.WithHeader("kid", id)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options.WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// byHand makes a token of parts that no library would.
func byHand(header, payload, signature string) string {
	e := base64.RawURLEncoding
	return e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(payload)) + "." + e.EncodeToString([]byte(signature))
}

// entraClaims are those of a right token of version 2.
func entraClaims(authority string) claims {
	return claims{
		"iss": authority + "/" + tenant + "/v2.0", "aud": client, "azp": caller, "tid": tenant, "roles": []string{role}, "ver": "2.0",
		"iat": startOfTime.Add(-time.Minute).Unix(), "nbf": startOfTime.Add(-time.Minute).Unix(), "exp": startOfTime.Add(time.Hour).Unix(),
	}
}

func entra(t testing.TB, i *issuer, c *clock, log io.Writer) receiver.Authenticator {
	t.Helper()
	a, err := oidc.Entra(oidc.EntraOptions{
		Tenant: tenant, Audience: "api://" + client, Authority: i.url, Client: &http.Client{}, Now: c.now, Log: logger(log),
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func logger(to io.Writer) *slog.Logger { return slog.New(slog.NewJSONHandler(to, nil)) }

// shelf counts what is stored.
type shelf struct{ stored, kept atomic.Int64 }

func (s *shelf) MaxMessage() int { return 8 << 20 }

func (s *shelf) PublishInbox(context.Context, string, string, []byte) (uint64, error) {
	return uint64(s.stored.Add(1)), nil
}

func (s *shelf) PublishQuarantine(context.Context, string, string, map[string]string, []byte) (uint64, error) {
	return uint64(s.kept.Add(1)), nil
}

// rig is a receiver behind a real server.
type rig struct {
	shelf
	clock
	url      string
	registry *prometheus.Registry
	log      syncBuffer
}

func (r *rig) start(t testing.TB, auth map[string][]receiver.Authenticator, allow ...netip.Prefix) {
	t.Helper()
	r.registry = prometheus.NewRegistry()
	var n atomic.Int64
	o := receiver.Options{
		Publisher: r, Log: logger(&r.log), Metrics: r.registry, Now: r.now, IDs: func() string { return fmt.Sprintf("id-%d", n.Add(1)) },
	}
	for name, list := range auth {
		s := receiver.Source{Name: name, Decoder: new(alertmanager.Decoder), Auth: list}
		if name == "inside" {
			s.Allow = allow
		}
		o.Sources = append(o.Sources, s)
	}
	rx, err := receiver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	configured, err := receiver.NewServer(receiver.ServerOptions{Handler: rx.Handler(), Log: o.Log})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = configured
	server.Start()
	r.url = server.URL
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := rx.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}

// refused are the refusals so far, by reason.
func (r *rig) refused(t testing.TB) map[string]int {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int{}
	for _, family := range families {
		if family.GetName() != "paramedic_receiver_refused_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "reason" {
					all[l.GetValue()] += int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return all
}

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

func (r *rig) post(t testing.TB, source, body string, h http.Header) answer {
	t.Helper()
	got, err := r.try(source, body, h)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// try may be called from any goroutine.
func (r *rig) try(source, body string, h http.Header) (answer, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.url+"/v1/webhooks/"+source, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header = h
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(text)}, err
}

func bearer(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
}

const alerts = `{"version":"4","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Down"},"startsAt":"2026-03-01T09:29:00Z"}]}`

type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
