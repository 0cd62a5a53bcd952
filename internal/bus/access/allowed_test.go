package access_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/bus/access"
)

// TestAGroupDoesItsWork: all that a worker needs of the bus goes through with the
// group's credentials.
func TestAGroupDoesItsWork(t *testing.T) {
	t.Parallel()
	ctx, s := within(t), newSite(t)
	// A worker that comes first waits for the hub.
	early := make(chan error, 1)
	go func() {
		b, err := s.bus(ctx, "tokyo")
		if err == nil {
			err = b.Close(ctx)
		}
		early <- err
	}()
	hub := s.hub(ctx)
	if err := <-early; err != nil {
		t.Errorf("the worker that came first: %v", err)
	}
	worker := s.mustBus(ctx, "seoul")
	if err := errors.Join(
		hub.PublishWork(ctx, "tokyo", "a", "t-0", []byte("tokyo's")),
		hub.PublishWork(ctx, "seoul", "a.b", "t-1", []byte("seoul's")),
		hub.Pauses().Put(ctx, "rule/x", []byte("because")),
	); err != nil {
		t.Fatal(err)
	}
	q, err := worker.Work(ctx, "seoul", []string{"a.b"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if q.AckWait() != time.Minute {
		t.Errorf("the ack wait is %s, want the hub's", q.AckWait())
	}
	job, err := q.Next(ctx)
	if err != nil || job.ID != "t-1" || job.Action != "a.b" || job.Subject != "work.seoul.a.b" {
		t.Fatalf("%+v, %v", job, err)
	}
	if err := job.Retry(0); err != nil {
		t.Fatal(err)
	}
	if job, err = q.Next(ctx); err != nil || job.Deliveries != 2 {
		t.Fatalf("%+v, %v", job, err)
	}
	claims := worker.Claims("seoul")
	rev, err := claims.Create(ctx, "t-1", []byte("mine"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claims.Create(ctx, "t-1", []byte("again")); !errors.Is(err, bus.ErrExists) {
		t.Errorf("a second claim: %v", err)
	}
	if _, err := claims.Update(ctx, "t-1", []byte("done"), rev); err != nil {
		t.Fatal(err)
	}
	if value, _, err := claims.Get(ctx, "t-1"); err != nil || string(value) != "done" {
		t.Errorf("claim %s, %v", value, err)
	}
	if _, _, err := claims.Get(ctx, "t-2"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("no claim: %v", err)
	}
	if paused, err := worker.Pauses().List(ctx); err != nil || string(paused["rule/x"]) != "because" {
		t.Errorf("paused %v, %v", paused, err)
	}
	if _, err := worker.PublishInbox(ctx, bus.ResultKind("seoul"), "r", []byte("{}")); err != nil {
		t.Error(err)
	}
	if err := errors.Join(job.InProgress(), worker.PublishDead(ctx, "seoul", "a.b", "t-1", "why", nil), job.Ack(ctx)); err != nil {
		t.Error(err)
	}
	if last, err := hub.InboxLast(ctx); err != nil || last != 1 {
		t.Errorf("INBOX ends at %d, %v", last, err)
	}
	if last, err := hub.DeadLast(ctx); err != nil || last != 1 {
		t.Errorf("DEAD ends at %d, %v", last, err)
	}
}

// TestKeysAreReplacedAndTakenAway over a running server.
func TestKeysAreReplacedAndTakenAway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	keep := func(name string) string {
		file := filepath.Join(t.TempDir(), name+".nk")
		s.write(file, read(t, s.seed(name)))
		return file
	}
	old := keep("seoul")
	first, _ := s.connect(old)
	s.change(func(a *access.Access) error { return a.Rotate("seoul") })
	s.reload()
	second, _ := s.connect(s.seed("seoul"))
	s.connect(old)
	if !first.IsConnected() {
		t.Error("the older key was retired by the newer one")
	}
	s.change(func(a *access.Access) error { return a.Retire("seoul") })
	s.reload()
	closed(t, first)
	s.refuses(old)
	if !second.IsConnected() {
		t.Error("the newer key was retired")
	}
	s.connect(s.seed("tokyo"))
	s.change(func(a *access.Access) error { return a.Remove("seoul") })
	s.reload()
	closed(t, second)
	s.refuses(s.seed("seoul"))
	s.connect(s.seed("tokyo"))
	s.connect(s.seed(access.Hub))
	if nc, err := nats.Connect(s.server.URL()); err == nil {
		nc.Close()
		t.Error("the server lets in who has no key")
	}
}

func (s *site) refuses(seed string) {
	s.t.Helper()
	key, err := nats.NkeyOptionFromSeed(seed)
	if err != nil {
		s.t.Fatal(err)
	}
	nc, err := nats.Connect(s.server.URL(), key)
	if err == nil {
		nc.Close()
		s.t.Error("a key that was taken away lets in")
	} else if !strings.Contains(err.Error(), "Authorization") {
		s.t.Error(err)
	}
}

func closed(t *testing.T, nc *nats.Conn) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for nc.IsConnected() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("a connection outlived its key")
		}
	}
}
