package http_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/http"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

func request(params string) engine.Task {
	return engine.Task{ID: "run-1", Target: engine.Target{System: "http", Name: "s"}, Params: json.RawMessage(params)}
}

// TestSentOnce has servers that end kept connections under the client's hands,
// which makes net/http send again what bears an Idempotency-Key.
func TestSentOnce(t *testing.T) {
	t.Parallel()
	var got atomic.Int64
	server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		if got.Add(1)%2 == 0 {
			panic(nethttp.ErrAbortHandler)
		}
		w.WriteHeader(nethttp.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	r := http.NewRequest(http.NewClient("test", nil), time.Now)
	task := request(fmt.Sprintf(`{"method": "POST", "url": %q}`, server.URL))
	for i := range int64(10) {
		_, err := r.Execute(t.Context(), task, engine.Plan{})
		if odd := i%2 == 1; odd != (err != nil) || odd && remediators.ClassOf(err) != engine.ClassUnknown {
			t.Errorf("request %d: %v", i, err)
		}
		if n := got.Load(); n != i+1 {
			t.Fatalf("%d requests arrived of %d", n, i+1)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.URL.Path == "/inner" {
			followed.Store(true)
			return
		}
		nethttp.Redirect(w, r, "/inner", nethttp.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	client := http.NewClient("test", nil)
	r := http.NewRequest(client, time.Now)
	if _, err := r.Execute(t.Context(), request(fmt.Sprintf(`{"method": "POST", "url": %q}`, server.URL)), engine.Plan{}); remediators.ClassOf(err) != engine.ClassUnknown {
		t.Errorf("a redirect: %v", err)
	}
	if _, err := r.Execute(t.Context(), request(fmt.Sprintf(`{"method": "POST", "url": %q, "expect": {"status": 307}}`, server.URL)), engine.Plan{}); err != nil {
		t.Errorf("a redirect that is expected: %v", err)
	}
	check, err := http.NewProbe(client, time.Now).Probe(t.Context(), engine.Target{}, fmt.Appendf(nil, `{"url": %q}`, server.URL))
	if err != nil || check.OK || !strings.Contains(check.Detail, "307") {
		t.Errorf("a redirect: %+v, %v", check, err)
	}
	if followed.Load() {
		t.Error("a redirect was followed")
	}
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		switch r.URL.Path {
		case "/endless":
			for chunk := []byte(strings.Repeat(" ", 32<<10)); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		case "/header":
			w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
		case "/slow":
			<-r.Context().Done()
		}
	}))
	t.Cleanup(server.Close)
	r := http.NewRequest(http.NewClient("test", nil), time.Now)
	for _, c := range []struct{ method, path, more, want string }{
		{"POST", "/endless", ``, ""},
		{"POST", "/endless", `, "expect": {"json": {"a": 1}}`, "longer than 65536 bytes"},
		{"POST", "/header", ``, "header"},
		{"POST", "/slow", `, "timeout": "50ms"`, "deadline"},
	} {
		_, err := r.Execute(t.Context(), request(fmt.Sprintf(`{"method": %q, "url": %q %s}`, c.method, server.URL+c.path, c.more)), engine.Plan{})
		if c.want == "" && err != nil || c.want != "" && (remediators.ClassOf(err) != engine.ClassUnknown || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s%s: %v, want %q", c.path, c.more, err, c.want)
		}
	}
}

func TestUntrustedServerGetsNothing(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nethttp.HandlerFunc(func(nethttp.ResponseWriter, *nethttp.Request) { t.Error("got a request") }))
	t.Cleanup(server.Close)
	r := http.NewRequest(http.NewClient("test", x509.NewCertPool()), time.Now)
	_, err := r.Execute(t.Context(), request(fmt.Sprintf(`{"method": "POST", "url": %q}`, server.URL)), engine.Plan{})
	if remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "not sent") {
		t.Errorf("an unknown authority: %v", err)
	}
}

// TestHandshakeWithoutEnd has a server that takes the connection and says nothing:
// without TLS nothing of the request was sent.
func TestHandshakeWithoutEnd(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	r := http.NewRequest(http.NewClient("test", nil), time.Now)
	_, err = r.Execute(t.Context(), request(fmt.Sprintf(`{"method": "POST", "url": "https://%s", "timeout": "50ms"}`, listener.Addr())), engine.Plan{})
	if remediators.ClassOf(err) != engine.ClassRetryable {
		t.Errorf("no handshake: %v", err)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.Method != nethttp.MethodGet || r.UserAgent() != "paramedic/test" || r.Header.Get("Idempotency-Key") != "" {
			t.Errorf("%s with %v", r.Method, r.Header)
		}
		switch r.URL.Path {
		case "/up":
			answer(w, `{"status": "UP"}`)
		case "/down":
			w.WriteHeader(nethttp.StatusServiceUnavailable)
			answer(w, `{"status": "DOWN"}`)
		case "/private":
			if r.Header.Get("Authorization") != "Bearer hunter2" {
				w.WriteHeader(nethttp.StatusUnauthorized)
			}
		}
	}))
	t.Cleanup(server.Close)
	p := http.NewProbe(http.NewClient("test", nil), time.Now)
	for _, c := range []struct {
		params string
		ok     bool
		detail string
	}{
		{`{"url": "URL/up"}`, true, "200 OK"},
		{`{"url": "URL/up", "json": {"status": "UP"}, "contains": "UP", "status": 200, "timeout": "2s"}`, true, "200"},
		{`{"url": "URL/up", "json": {"status": "DOWN"}}`, false, `"status" is "UP", want "DOWN"`},
		{`{"url": "URL/up", "status": [201, 202]}`, false, "200 OK"},
		{`{"url": "URL/down", "json": {"status": "DOWN"}}`, false, "503"},
		{`{"url": "URL/down", "status": 503, "json": {"status": "DOWN"}}`, true, "503"},
		{`{"url": "URL/private?k=hunter2", "headers": {"Authorization": "Bearer hunter2"}}`, true, "k=…"},
		{`{"url": "URL/private?k=hunter2"}`, false, "401"},
		{`{"url": "http://127.0.0.1:1/?k=hunter2"}`, false, "refused"},
		{`{"url": "http://does-not-exist.invalid"}`, false, "does-not-exist.invalid"},
	} {
		check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage(strings.ReplaceAll(c.params, "URL", server.URL)))
		if err != nil || check.OK != c.ok || check.Kind != "http" || !strings.Contains(check.Detail, c.detail) {
			t.Errorf("%s: %+v, %v; want %t with %q", c.params, check, err, c.ok, c.detail)
		}
		if strings.Contains(check.Detail, "hunter2") {
			t.Errorf("%s shows a secret: %s", c.params, check.Detail)
		}
	}
	for _, params := range []string{``, `{}`, `[]`, `{"url": "ftp://h"}`, `{"url": "http://h", "method": "POST"}`, `{"url": "http://h", "status": []}`, `{"url": "http://h", "headers": {"a b": ""}}`} {
		if check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage(params)); err == nil || check.OK {
			t.Errorf("%s: %+v, %v", params, check, err)
		}
	}
	schema := remediatortest.Schema(t, p.Spec().Params)
	for params, want := range map[string]bool{
		`{"url": "http://h", "json": {"status": "UP"}}`: true, `{"url": "http://h", "status": [200, 404]}`: true,
		`{}`: false, `{"url": "http://h", "typo": 1}`: false, `{"url": "http://h", "status": 20}`: false,
	} {
		if remediatortest.Accepts(t, schema, params) != want {
			t.Errorf("schema of %s: %t", params, !want)
		}
	}
}
