package receiver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tripgen/paramedic/receiver"
)

// unsized hides its length, so that the body is sent in chunks.
type unsized struct{ io.Reader }

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	s := newShelf()
	r := start(t, s, func(o *receiver.Options) { o.MaxBody = 100_000 })
	filled := func(n int) string {
		b := body(1, "")
		return b + strings.Repeat(" ", n-len(b))
	}
	for _, c := range []struct {
		name string
		body io.Reader
		want int
	}{
		{"just right", strings.NewReader(filled(100_000)), 202},
		{"just right, in chunks", unsized{strings.NewReader(filled(100_000))}, 202},
		{"a byte more", strings.NewReader(filled(100_001)), 413},
		{"a byte more, in chunks", unsized{strings.NewReader(filled(100_001))}, 413},
		{"10 MB", strings.NewReader(filled(10_000_000)), 413},
		{"10 MB, in chunks", unsized{strings.NewReader(filled(10_000_000))}, 413},
	} {
		// Once refused, a large body may be cut off before its end: then the
		// sender sees a broken pipe and no answer, or the answer.
		got, err := r.try(http.MethodPost, "/v1/webhooks/am", c.body)
		if err != nil {
			if c.want == 202 || !strings.HasPrefix(c.name, "10 MB") {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if got.status != c.want {
			t.Errorf("%s: %d %s", c.name, got.status, got.body)
		}
		if c.want == 413 {
			if p := got.problem(t); !strings.Contains(fmt.Sprint(p["detail"]), "100000 bytes") {
				t.Errorf("%s: %v", c.name, p)
			}
		}
	}
	if n := len(s.deliveries(t)); n != 2 {
		t.Errorf("%d stored, want 2", n)
	}
}

func TestTenThousandAlertsInOneBody(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.max = 4 << 20
	r := start(t, s, nil)
	const n = 10_000
	got := r.post(t, "am", body(n, strings.Repeat("text ", 100)))
	if got.status != 202 || !strings.Contains(got.body, `"alerts":10000`) {
		t.Fatalf("%d %s", got.status, got.body)
	}
	parts := s.deliveries(t)
	if len(parts) < 2 {
		t.Fatalf("%d parts", len(parts))
	}
	seen := map[string]bool{}
	for i, d := range parts {
		if d.ID != parts[0].ID || d.Part != i || d.Parts != len(parts) {
			t.Errorf("part %d: %s, %d of %d", i, d.ID, d.Part, d.Parts)
		}
		for _, a := range d.Alerts {
			seen[a.Labels["instance"]] = true
		}
	}
	if len(seen) != n {
		t.Errorf("%d alerts stored, want %d", len(seen), n)
	}
}

func TestAnAlertTooLargeForAMessage(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.max = 1 << 20
	r := start(t, s, nil)
	text := body(1, strings.Repeat("x", 2<<20))
	got := r.post(t, "am", text)
	p := got.problem(t)
	if got.status != 413 || !strings.HasSuffix(fmt.Sprint(p["type"]), "alert-too-large") ||
		!strings.Contains(fmt.Sprint(p["detail"]), "alerts[0]") {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if len(s.quarantine) != 1 || s.quarantine[0].id != p["quarantine"] || string(s.quarantine[0].data) != text {
		t.Errorf("%d bodies are in quarantine", len(s.quarantine))
	}
}

// dial sends raw bytes and returns the connection.
func dial(t *testing.T, url, text string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestSlowBodies(t *testing.T) {
	t.Parallel()
	s := newShelf()
	r := start(t, s, func(o *receiver.Options) { o.BodyTimeout = 50 * time.Millisecond })
	head := "POST /v1/webhooks/am HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n"
	for name, text := range map[string]string{
		"announced":           head + "Content-Length: 5000\r\n\r\n{\"alerts\":",
		"in chunks":           head + "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"ale",
		"nothing at all":      head + "Content-Length: 5000\r\n\r\n",
		"waits for a go":      head + "Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n",
		"announces far more":  head + "Content-Length: 9999999\r\n\r\n{",
		"without credentials": "POST /v1/webhooks/am HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := bufio.NewReader(dial(t, r.url, text))
			res, err := http.ReadResponse(in, nil)
			if err == nil && res.StatusCode == http.StatusContinue {
				res, err = http.ReadResponse(in, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			want := http.StatusRequestTimeout
			if name == "without credentials" {
				want = http.StatusUnauthorized
			}
			if res.StatusCode != want || res.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %v", res.StatusCode, res.Header)
			}
			if _, err := io.Copy(io.Discard, in); err != nil {
				t.Errorf("the connection was not closed: %v", err)
			}
		})
	}
}

func TestABodyCutShort(t *testing.T) {
	t.Parallel()
	s := newShelf()
	r := start(t, s, nil)
	conn := dial(t, r.url, "POST /v1/webhooks/open HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n"+`{"alerts":[]}`)
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		t.Fatalf("a %T cannot be closed by half", conn)
	}
	if err := half.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusBadRequest || len(s.quarantine) != 0 {
		t.Errorf("%d, %d in quarantine: half a body must not be judged", res.StatusCode, len(s.quarantine))
	}
}

// A commit that takes longer than the body's deadline must not be disturbed by it.
func TestBodyDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.fault = func(ctx context.Context) error {
		select {
		case <-time.After(150 * time.Millisecond):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r := start(t, s, func(o *receiver.Options) { o.BodyTimeout = 50 * time.Millisecond })
	if got := r.post(t, "am", body(1, "")); got.status != 202 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// Many large bodies at once, while the bus hangs: what does not fit is refused
// with 503, the memory stays bounded, and all of it is given back.
func TestMemoryIsBounded(t *testing.T) {
	s := newShelf()
	free := make(chan struct{})
	s.fault = func(ctx context.Context) error {
		select {
		case <-free:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	const budget = 128 << 20
	r := start(t, s, func(o *receiver.Options) {
		o.MaxBody, o.MaxInFlight, o.PublishTimeout, o.CommitTimeout = 4<<20, budget, time.Minute, time.Minute
	})
	large := body(10_000, strings.Repeat("y", 60))
	if len(large) < 2<<20 {
		t.Fatalf("the body has only %d bytes", len(large))
	}
	runtime.GC()
	before := heap()
	var high uint64
	const senders = 40
	answers := make(chan answer, senders)
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			got, err := r.try(http.MethodPost, "/v1/webhooks/am", strings.NewReader(large))
			if err != nil && !errors.Is(err, io.EOF) {
				got.status = -1
			}
			answers <- got
		})
	}
	refused, stored := 0, 0
	for n := range senders {
		got := <-answers
		high = max(high, heap())
		switch got.status {
		case 503:
			refused++
		case 202:
			stored++
		case -1:
			// Cut off while the body was being sent.
			refused++
		default:
			t.Errorf("%d %s", got.status, got.body)
		}
		// Those that fit wait for the bus.
		if refused >= senders/2 && n == refused-1 {
			select {
			case <-free:
			default:
				high = max(high, heap())
				close(free)
			}
		}
	}
	wg.Wait()
	if refused == 0 || stored == 0 {
		t.Errorf("%d stored, %d refused", stored, refused)
	}
	// The clients are in this process as well: their copies of the answer and
	// buffers are small against it.
	t.Logf("%d stored, %d refused; heap grew by %d MiB at most, for a budget of %d MiB", stored, refused, (high-before)>>20, budget>>20)
	if high-before > 2*budget {
		t.Errorf("the heap grew by %d MiB", (high-before)>>20)
	}
	expected := "# HELP paramedic_receiver_in_flight_bytes Memory reckoned for the requests being handled.\n" +
		"# TYPE paramedic_receiver_in_flight_bytes gauge\nparamedic_receiver_in_flight_bytes 0\n"
	if err := testutil.GatherAndCompare(r.registry, strings.NewReader(expected), "paramedic_receiver_in_flight_bytes"); err != nil {
		t.Error(err)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
