package receiver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/alertmanager"
)

// shelf is a publisher in memory that is strict about what it is given. Before
// it stores, it asks fault, if set.
type shelf struct {
	max   int
	fault func(ctx context.Context) error

	mu         sync.Mutex
	ids        map[string]bool
	messages   [][]byte
	quarantine []kept
}

type kept struct {
	source, id string
	headers    map[string]string
	data       []byte
}

func newShelf() *shelf { return &shelf{max: 8 << 20, ids: map[string]bool{}} }

func (s *shelf) MaxMessage() int { return s.max }

func (s *shelf) admit(ctx context.Context, id string) error {
	if s.fault != nil {
		if err := s.fault(ctx); err != nil {
			return err
		}
	}
	if _, bounded := ctx.Deadline(); !bounded {
		return errors.New("a publish without a deadline")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" || s.ids[id] {
		return fmt.Errorf("id %q is empty or was there before", id)
	}
	s.ids[id] = true
	return nil
}

func (s *shelf) PublishInbox(ctx context.Context, kind, id string, data []byte) (uint64, error) {
	if kind != "delivery" || !bytes.HasSuffix(data, []byte("\n")) {
		return 0, fmt.Errorf("kind %q, or the last line has no end", kind)
	}
	if len(data) > s.max/8 {
		return 0, fmt.Errorf("an INBOX message of %d bytes", len(data))
	}
	if err := s.admit(ctx, id); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, bytes.Clone(data))
	return uint64(len(s.messages)), nil
}

func (s *shelf) PublishQuarantine(ctx context.Context, source, id string, headers map[string]string, data []byte) (uint64, error) {
	if err := s.admit(ctx, "q"+id); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quarantine = append(s.quarantine, kept{source, id, maps.Clone(headers), bytes.Clone(data)})
	return uint64(len(s.quarantine)), nil
}

// deliveries reads what was stored.
func (s *shelf) deliveries(t testing.TB) []alert.Delivery {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []alert.Delivery
	for _, message := range s.messages {
		all = append(all, parseLines(t, message)...)
	}
	return all
}

func parseLines(t testing.TB, message []byte) []alert.Delivery {
	t.Helper()
	var all []alert.Delivery
	for line := range strings.Lines(string(message)) {
		var input struct {
			Delivery *alert.Delivery `json:"delivery"`
		}
		if err := json.Unmarshal([]byte(line), &input); err != nil || input.Delivery == nil {
			t.Fatalf("line %.80q: %v", line, err)
		}
		all = append(all, *input.Delivery)
	}
	return all
}

// rig is a receiver behind a real server.
type rig struct {
	*receiver.Receiver
	url      string
	registry *prometheus.Registry
	log      *syncBuffer
}

const token = "correct-horse"

func secret(value string) receiver.Secret {
	return func() (string, error) { return value, nil }
}

var startOfTime = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

func options(to receiver.Publisher, log io.Writer, registry prometheus.Registerer) receiver.Options {
	var n atomic.Int64
	return receiver.Options{
		Sources: []receiver.Source{
			{Name: "am", Decoder: new(alertmanager.Decoder), Auth: []receiver.Authenticator{receiver.Bearer(secret(token))}},
			{Name: "open", Decoder: new(alertmanager.Decoder), Auth: []receiver.Authenticator{receiver.Anonymous()}},
		},
		Publisher: to,
		Log:       slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics:   registry,
		Now:       func() time.Time { return startOfTime },
		IDs:       func() string { return fmt.Sprintf("id-%d", n.Add(1)) },
	}
}

func start(t testing.TB, to receiver.Publisher, change func(*receiver.Options)) *rig {
	t.Helper()
	r := &rig{registry: prometheus.NewRegistry(), log: &syncBuffer{}}
	o := options(to, r.log, r.registry)
	if change != nil {
		change(&o)
	}
	rx, err := receiver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Receiver = rx
	server := httptest.NewUnstartedServer(rx.Handler())
	configured, err := receiver.NewServer(receiver.ServerOptions{Handler: rx.Handler(), Log: o.Log})
	if err != nil {
		t.Fatal(err)
	}
	server.Config = configured
	server.Start()
	r.url = server.URL
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := rx.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

func (r *rig) post(t testing.TB, source, body string, header ...string) answer {
	t.Helper()
	return r.send(t, http.MethodPost, "/v1/webhooks/"+source, strings.NewReader(body), header...)
}

func (r *rig) send(t testing.TB, method, path string, body io.Reader, header ...string) answer {
	t.Helper()
	got, err := r.try(method, path, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// try may be called from any goroutine.
func (r *rig) try(method, path string, body io.Reader, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, r.url+path, body)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		if req.Header.Del(header[i]); header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	return do(req)
}

func do(req *http.Request) (answer, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(text)}, err
}

// problem is the answer's problem body, which it must be.
func (a answer) problem(t testing.TB) map[string]any {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("the body of the %d is not JSON: %q", a.status, a.body)
	}
	if a.header.Get("Content-Type") != "application/problem+json" || p["status"] != float64(a.status) ||
		p["type"] == "" || p["title"] == "" {
		t.Errorf("not a problem: %v %q", a.header, a.body)
	}
	if retry := a.header.Get("Retry-After"); (retry != "") != (a.status == http.StatusServiceUnavailable) {
		t.Errorf("a %d with Retry-After %q", a.status, retry)
	}
	return p
}

func element(n int, extra string) string {
	return fmt.Sprintf(`{"status":"firing","labels":{"alertname":"Down","severity":"critical","instance":"host-%05d"},`+
		`"annotations":{"summary":"%s"},"startsAt":"2026-03-01T09:29:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"%016x"}`,
		n, extra, n)
}

func body(n int, extra string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = element(i, extra)
	}
	return `{"version":"4","status":"firing","alerts":[` + strings.Join(all, ",") + `]}`
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
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
