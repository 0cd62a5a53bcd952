package receiver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
)

func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestDoubtIs503(t *testing.T) {
	t.Parallel()
	full := func(context.Context) error { return errors.New("nats: maximum bytes exceeded at secret-host") }
	for _, c := range []struct {
		name, body string
		fault      func(context.Context) error
		reason     string
	}{
		{"the bus refuses", body(1, ""), full, "not-durable"},
		{"the bus hangs", body(1, ""), hang, "not-durable"},
		{"the bus panics", body(1, "") + "rubbish", func(context.Context) error { panic("nil map") }, "internal"},
		{"the quarantine refuses", "rubbish", full, "not-durable"},
		{"the quarantine hangs", "rubbish", hang, "not-durable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			s.fault = c.fault
			r := start(t, s, func(o *receiver.Options) { o.PublishTimeout = 20 * time.Millisecond })
			got := r.post(t, "am", c.body)
			if got.status != 503 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			p := got.problem(t)
			if !strings.HasSuffix(fmt.Sprint(p["type"]), c.reason) {
				t.Errorf("problem %v", p)
			}
			if strings.Contains(got.body, "secret-host") || strings.Contains(got.body, "nil map") {
				t.Errorf("the sender is told our inner life: %s", got.body)
			}
			if !strings.Contains(r.log.String(), fmt.Sprint(p["instance"])[strings.Index(fmt.Sprint(p["instance"]), "#")+1:]) {
				t.Errorf("the log has nothing of %v", p["instance"])
			}
		})
	}
}

func TestRecoversAfterTheBusDoes(t *testing.T) {
	t.Parallel()
	s := newShelf()
	var down atomic.Bool
	down.Store(true)
	s.fault = func(context.Context) error {
		if down.Load() {
			return errors.New("no quorum")
		}
		return nil
	}
	r := start(t, s, nil)
	if got := r.post(t, "am", body(1, "")); got.status != 503 {
		t.Fatalf("%d", got.status)
	}
	down.Store(false)
	if got := r.post(t, "am", body(1, "")); got.status != 202 {
		t.Fatalf("%d", got.status)
	}
}

func TestARequestDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	s := newShelf()
	free := make(chan struct{})
	s.fault = func(context.Context) error { <-free; return nil }
	r := start(t, s, func(o *receiver.Options) { o.CommitTimeout = 30 * time.Millisecond })
	got := r.post(t, "am", body(1, ""))
	close(free)
	if got.status != 503 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestAFullQueueIs503(t *testing.T) {
	t.Parallel()
	s := newShelf()
	free := make(chan struct{})
	s.fault = func(context.Context) error { <-free; return nil }
	r := start(t, s, func(o *receiver.Options) { o.MaxQueue = 1 })
	const senders = 6
	answers := make(chan answer, senders)
	for range senders {
		go func() {
			got, err := r.try(http.MethodPost, "/v1/webhooks/am", strings.NewReader(body(1, "")))
			if err != nil {
				got.body = err.Error()
			}
			answers <- got
		}()
	}
	// One is being published, one waits in the queue, one more may have been
	// taken from the queue before the first; the others are refused at once.
	for range senders - 3 {
		if got := <-answers; got.status != 503 || !strings.Contains(got.body, "busy") {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	close(free)
	accepted := 0
	for range 3 {
		if got := <-answers; got.status == 202 {
			accepted++
		}
	}
	if n := len(s.deliveries(t)); accepted == 0 || n != accepted {
		t.Errorf("%d accepted, %d stored", accepted, n)
	}
}

// Under a bus that fails now and then, every 202 is stored, and every sender
// hears the truth about its own delivery.
func TestEvery202IsStored(t *testing.T) {
	t.Parallel()
	s := newShelf()
	var n atomic.Int64
	s.fault = func(context.Context) error {
		if n.Add(1)%3 == 0 {
			return errors.New("not now")
		}
		return nil
	}
	r := start(t, s, nil)
	var mu sync.Mutex
	accepted := map[string]bool{}
	var wg sync.WaitGroup
	for sender := range 16 {
		wg.Go(func() {
			for i := range 20 {
				text := `{"alerts":[` + element(sender*1000+i, "") + `]}`
				got, err := r.try(http.MethodPost, "/v1/webhooks/am", strings.NewReader(text))
				if err != nil {
					t.Error(err)
					return
				}
				if got.status == 202 {
					mu.Lock()
					accepted[fmt.Sprintf("host-%05d", sender*1000+i)] = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	stored := map[string]bool{}
	for _, d := range s.deliveries(t) {
		stored[d.Alerts[0].Labels["instance"]] = true
	}
	if len(accepted) == 0 || len(accepted) == 320 {
		t.Errorf("%d of 320 accepted: the test shows nothing", len(accepted))
	}
	for name := range accepted {
		if !stored[name] {
			t.Errorf("%s was answered with 202 and is not stored", name)
		}
	}
}

func TestShuttingDownIs503AndDrains(t *testing.T) {
	t.Parallel()
	s := newShelf()
	entered, free := make(chan struct{}, 10), make(chan struct{})
	s.fault = func(context.Context) error { entered <- struct{}{}; <-free; return nil }
	r := start(t, s, nil)
	early := make(chan answer, 1)
	go func() {
		got, err := r.try(http.MethodPost, "/v1/webhooks/am", strings.NewReader(body(1, "")))
		if err != nil {
			got.body = err.Error()
		}
		early <- got
	}()
	<-entered
	closed := make(chan error, 1)
	go func() { closed <- r.Close(context.Background()) }()
	late := answer{}
	for late.status != 503 {
		// Until Close has begun a delivery is queued; its sender gives up.
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		late = postWith(ctx, r)
		cancel()
	}
	if !strings.Contains(late.body, "shutting-down") {
		t.Errorf("late: %s", late.body)
	}
	close(free)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if got := <-early; got.status != 202 {
		t.Errorf("early: %d %s", got.status, got.body)
	}
}

// panicking is a decoder with a bug.
type panicking struct{ status int }

func (p panicking) Traits() receiver.Traits {
	return receiver.Traits{
		Methods: []string{http.MethodPut}, MediaTypes: []string{"application/json"},
		Headers: []string{"X-Event"}, UndecodableStatus: p.status,
	}
}

func (panicking) Decode(_ string, _ http.Header, body []byte, _ time.Time) (receiver.Decoded, error) {
	switch string(body) {
	case "empty":
		return receiver.Decoded{}, nil
	case "invalid":
		return receiver.Decoded{Alerts: []alert.Alert{{Name: "x"}}}, nil
	case "large":
		return receiver.Decoded{}, fmt.Errorf("%w: a million alerts", receiver.ErrTooLarge)
	}
	panic("index out of range")
}

func TestDecodersAreNotTrusted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body            string
		refusal, status int
		detail          string
	}{
		{"panic", 400, 400, "bug"},
		{"empty", 400, 400, "no alerts"},
		{"invalid", 400, 400, "no source"},
		{"large", 400, 413, "a million"},
		{"panic", 202, 202, "quarantined"},
		{"large", 202, 202, "quarantined"},
	} {
		s := newShelf()
		r := start(t, s, func(o *receiver.Options) { o.Sources[0].Decoder = panicking{c.refusal} })
		got := r.send(t, http.MethodPut, "/v1/webhooks/am", strings.NewReader(c.body), "X-Event", "ping")
		if got.status != c.status || !strings.Contains(got.body, c.detail) {
			t.Errorf("%s: %d %s", c.body, got.status, got.body)
		}
		if len(s.quarantine) != 1 || s.quarantine[0].headers["X-Event"] != "ping" || s.quarantine[0].headers["Paramedic-Reason"] == "" {
			t.Errorf("%s: kept %+v", c.body, s.quarantine)
		}
	}
}

func postWith(ctx context.Context, r *rig) answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/v1/webhooks/open", strings.NewReader(body(1, "")))
	if err != nil {
		return answer{body: err.Error()}
	}
	got, err := do(req)
	if err != nil {
		return answer{body: err.Error()}
	}
	return got
}
