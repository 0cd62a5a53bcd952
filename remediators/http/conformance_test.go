package http_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators/http"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

const (
	password = "hunter2-of-the-user"
	token    = "hunter2-of-the-query"
	bearer   = "hunter2-of-the-header"
	secret   = "hunter2-of-the-body"
)

// cache is a service that lets itself be cleared, and is strict about how.
type cache struct {
	t *testing.T
	// byKey says that it acts once on requests with one Idempotency-Key.
	byKey bool

	mu      sync.Mutex
	cleared map[string]int // by path
	keys    map[string]bool
}

func newCache(t *testing.T, byKey bool) (*cache, string) {
	t.Helper()
	c := &cache{t: t, byKey: byKey, cleared: map[string]int{}, keys: map[string]bool{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return c, server.URL
}

func (c *cache) ServeHTTP(w nethttp.ResponseWriter, r *nethttp.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender is gone
	}
	user, pass, _ := r.BasicAuth()
	key := r.Header.Get("Idempotency-Key")
	for what, wrong := range map[string]bool{
		"user agent":  r.UserAgent() != "paramedic/test",
		"user":        user != "operator" || pass != password,
		"query":       r.URL.Query().Get("token") != token,
		"header":      r.Header.Get("X-Token") != bearer,
		"type":        r.Header.Get("Content-Type") != "application/json",
		"body":        string(body) != `{"password":"`+secret+`"}`,
		"key":         !strings.HasPrefix(key, "run-"),
		"known place": !strings.HasPrefix(r.URL.Path, "/caches/"),
	} {
		if wrong {
			c.t.Errorf("%s %s: the %s is wrong", r.Method, r.URL.Path, what)
			w.WriteHeader(nethttp.StatusBadRequest)
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.byKey || !c.keys[key] {
		c.cleared[r.URL.Path]++
	}
	c.keys[key] = true
	w.Header().Set("Content-Type", "application/json")
	answer(w, `{"status":"cleared"}`)
}

// answer writes to a client that may be gone, which is that one's to notice.
func answer(w io.Writer, text string) { _, _ = io.WriteString(w, text) }

func (c *cache) effects(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cleared[path]
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, more string
		byKey        bool
		protocol     remediatortest.Protocol
	}{
		"POST, not repeatable": {method: "POST", protocol: remediatortest.HTTP1},
		"POST, idempotent":     {method: "POST", more: `"idempotent": true,`, protocol: remediatortest.HTTPS1},
		"POST, by key":         {method: "POST", more: `"idempotencyKey": true,`, byKey: true, protocol: remediatortest.HTTP2},
		"PUT":                  {method: "PUT", protocol: remediatortest.HTTP1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service, url := newCache(t, c.byKey)
			next := 0
			open := func(_ *testing.T, end remediatortest.End) remediatortest.Bench {
				address := strings.Replace(end.URL, "://", "://operator:"+password+"@", 1)
				var roots *x509.CertPool
				if end.Certificate != nil {
					roots = x509.NewCertPool()
					roots.AddCert(end.Certificate)
				}
				return remediatortest.Bench{
					Remediator: http.NewRequest(http.NewClient("test", roots), time.Now),
					Fresh: func(*testing.T) remediatortest.Scene {
						next++
						path := fmt.Sprintf("/caches/%d", next)
						params := fmt.Sprintf(`{"method": %q, "url": "%s%s?token=%s", %s
							"headers": {"x-token": %q}, "json": {"password":%q},
							"expect": {"status": [200, 204], "json": {"status": "cleared"}}, "timeout": "5s"}`,
							c.method, address, path, token, c.more, bearer, secret)
						return remediatortest.Scene{
							Task:    engine.Task{Target: engine.Target{System: "http", Name: "place-cache"}, Params: json.RawMessage(params)},
							Effects: func(*testing.T) int { return service.effects(path) },
						}
					},
					Missing: engine.Task{
						Target: engine.Target{System: "http", Name: "place-cache"},
						Params: json.RawMessage(`{"method": "POST", "url": "http:///caches"}`),
					},
				}
			}
			remediatortest.Run(t, remediatortest.Subject{Target: url, Protocol: c.protocol, Open: open, Secrets: []string{password, token, bearer, secret}})
		})
	}
}
