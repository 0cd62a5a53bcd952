package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/receiver"
)

const edgeToken = "a token of the edge"

// edgeSources is a configuration with five sources of each type: one that wants a token, named after the type; one that
// wants a signature; one that may only be used from elsewhere; one whose credential is not there; and one for the
// authenticator of the test's own.
func edgeSources(t *testing.T) *config.Config {
	t.Helper()
	var text strings.Builder
	text.WriteString("sources:\n")
	for _, kind := range config.SourceTypes() {
		mapping := ""
		if kind == "json" {
			mapping = `, mapping: {name: item.name, status: "'firing'", annotations: {a: 'item.?text', b: 'item.?text'}}`
		}
		for name, rest := range map[string]string{
			kind:                "auth: {bearer: {file: token}}",
			kind + "-signed":    `auth: {hmac: {header: X-Signature, secret: {file: token}, timestampHeader: X-Time, signed: "{timestamp}:{body}"}}`,
			kind + "-elsewhere": "auth: {bearer: {file: token}}, allow: 192.0.2.0/24",
			kind + "-broken":    "auth: {bearer: {file: absent}}",
			kind + "-known":     "auth: {bearer: {file: token}}",
		} {
			fmt.Fprintf(&text, "  - {name: %s, type: %s, %s%s}\n", name, kind, rest, mapping)
		}
	}
	return loadText(t, text.String())
}

// loadText reads a configuration that has a file called token beside it.
func loadText(t *testing.T, text string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"paramedic.yaml": text, "token": edgeToken} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "paramedic.yaml"), config.ProcessEnv())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// known is an authenticator for a caller that it knows and does not let in.
type known struct{}

func (known) Authenticate(*http.Request) error { return receiver.ErrForbidden }
func (known) Challenge() string                { return "" }

// store is the bus of an edge: it stores nothing, and fails as it is told.
type store struct {
	max   int
	fault func(ctx context.Context) error
	kept  atomic.Int64 // in quarantine
}

func stored(context.Context) error { return nil }

func (s *store) MaxMessage() int { return s.max }

func (s *store) PublishInbox(ctx context.Context, _, _ string, _ []byte) (uint64, error) {
	return 1, s.fault(ctx)
}

func (s *store) PublishQuarantine(ctx context.Context, _, _ string, _ map[string]string, _ []byte) (uint64, error) {
	s.kept.Add(1)
	return 1, s.fault(ctx)
}

// edge is the receiver behind a real server, with the sources as they are configured.
type edge struct {
	*receiver.Receiver
	t     *testing.T
	url   string
	store *store
	// kind is the type of source that is tried, name the source.
	kind, name string
}

func newEdge(t *testing.T, kind string, change func(*receiver.Options)) *edge {
	t.Helper()
	sources, err := newSourceMaker(time.Now, slog.New(slog.DiscardHandler)).sources(edgeSources(t).Sources)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sources {
		if strings.HasSuffix(sources[i].Name, "-known") {
			sources[i].Auth = []receiver.Authenticator{known{}}
		}
	}
	e := &edge{t: t, kind: kind, name: kind}
	o := receiver.Options{
		Sources: sources, Publisher: &store{max: 8 << 20, fault: stored}, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
		Now: time.Now, IDs: newID,
	}
	if change != nil {
		change(&o)
	}
	var ok bool
	if e.store, ok = o.Publisher.(*store); !ok {
		t.Fatalf("the publisher is a %T", o.Publisher)
	}
	if e.Receiver, err = receiver.New(o); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	if server.Config, err = receiver.NewServer(receiver.ServerOptions{Handler: e.Handler(), Log: o.Log}); err != nil {
		t.Fatal(err)
	}
	server.Start()
	e.url = server.URL
	t.Cleanup(func() {
		server.Close()
		// The test's context has ended.
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// source names another source of the same type.
func (e *edge) source(suffix string) *edge {
	e.name = e.kind + suffix
	return e
}

// answered is a response, read whole.
type answered struct {
	status int
	header http.Header
	body   string
	// kept is how many bodies are in quarantine since.
	kept int64
}

// problem is the last part of the problem's type; empty if the answer is none.
func (a answered) problem(t *testing.T) string {
	t.Helper()
	if a.status < 300 {
		return ""
	}
	var p struct {
		Type   string `json:"type"`
		Status int    `json:"status"`
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || p.Status != a.status || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("the %d is no problem: %s (%v)", a.status, a.body, err)
	}
	word, ok := strings.CutPrefix(p.Type, "https://paramedic.dev/problems/")
	if !ok {
		t.Errorf("a problem of type %q", p.Type)
	}
	return word
}

// post sends a body with the right token, and headers in pairs; an empty one is taken out.
func (e *edge) post(body string, header ...string) answered {
	e.t.Helper()
	return e.send(http.MethodPost, body, header...)
}

func (e *edge) send(method, body string, header ...string) answered {
	e.t.Helper()
	got, err := e.try(method, body, header...)
	if err != nil {
		e.t.Fatal(err)
	}
	return got
}

// try may be called from any goroutine.
func (e *edge) try(method, body string, header ...string) (answered, error) {
	req, err := http.NewRequestWithContext(e.t.Context(), method, e.url+"/v1/webhooks/"+e.name, strings.NewReader(body))
	if err != nil {
		return answered{}, err
	}
	req.Header.Set("Authorization", "Bearer "+edgeToken)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		if req.Header.Del(header[i]); header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answered{}, err
	}
	return e.read(res)
}

func (e *edge) read(res *http.Response) (answered, error) {
	text, err := io.ReadAll(res.Body)
	return answered{res.StatusCode, res.Header, string(text), e.store.kept.Load()}, errors.Join(err, res.Body.Close())
}

// partial announces a body of 1,000 bytes and sends ten. With hangUp it then says that there is no more.
func (e *edge) partial(hangUp bool) answered {
	e.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(e.t.Context(), "tcp", strings.TrimPrefix(e.url, "http://"))
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var request bytes.Buffer
	fmt.Fprintf(&request, "POST /v1/webhooks/%s HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer %s\r\n", e.name, edgeToken)
	request.WriteString("Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"alerts\":")
	if _, err := conn.Write(request.Bytes()); err != nil {
		e.t.Fatal(err)
	}
	if tcp, ok := conn.(*net.TCPConn); hangUp && (!ok || tcp.CloseWrite() != nil) {
		e.t.Fatal("the connection cannot be closed for writing")
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		e.t.Fatal(err)
	}
	got, err := e.read(res)
	if err != nil {
		e.t.Fatal(err)
	}
	return got
}
