package receiver_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripgen/paramedic/receiver"
)

func TestReplays(t *testing.T) {
	t.Parallel()
	s, c := newShelf(), &clock{}
	var down atomic.Bool
	s.fault = func(context.Context) error {
		if down.Load() {
			return errors.New("the bus is down")
		}
		return nil
	}
	r := signedRig(t, s, c, nil)
	text := body(1, "")
	header := slackHeaders(text, c.now(), "new-secret")
	send := func(want int, problem string) {
		t.Helper()
		got := r.post(t, "slack", text, header...)
		if got.status != want {
			t.Fatalf("%d %s, want %d", got.status, got.body, want)
		}
		if want != 202 && got.problem(t)["type"] != "https://paramedic.dev/problems/"+problem {
			t.Fatalf("%s, want %s", got.body, problem)
		}
		if want == 401 && got.header.Get("WWW-Authenticate") == "" {
			t.Error("a 401 without a challenge")
		}
	}
	down.Store(true)
	send(503, "not-durable")
	send(503, "not-durable")
	down.Store(false)
	send(202, "")
	send(401, "replayed-signature")
	down.Store(true)
	send(401, "replayed-signature")
	down.Store(false)
	c.advance(5 * time.Minute)
	send(401, "replayed-signature")
	c.advance(time.Second)
	send(401, "stale-signature")
	header = slackHeaders(text, c.now(), "new-secret")
	send(202, "") // signed anew
	// Another source has its own memory, and its own secrets in real life.
	if got := r.post(t, "mixed", text, header...); got.status != 202 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if n := len(s.deliveries(t)); n != 3 {
		t.Errorf("%d stored, want 3", n)
	}
	r.refused(t, "slack", "replayed-signature", 3)
	r.refused(t, "slack", "stale-signature", 1)
	if strings.Contains(r.log.String(), "v0=") || strings.Contains(r.log.String(), header[5][3:]) {
		t.Errorf("the log shows the signature: %s", r.log)
	}
}

// While a secret is replaced, senders sign with both. Each must not let the same
// request in.
func TestReplayUnderTheOtherSecret(t *testing.T) {
	t.Parallel()
	s, c := newShelf(), &clock{}
	r := signedRig(t, s, c, func(o *receiver.Options) {
		for i, key := range []string{"old-secret", "new-secret"} {
			o.Sources[2].Auth[i] = mustHMAC(t, preset(t, "stripe", key, nil), c.now)
		}
	})
	text, at := body(1, ""), strconv.FormatInt(c.now().Unix(), 10)
	older, newer := ",v1="+hexOf("old-secret", at+"."+text), ",v1="+hexOf("new-secret", at+"."+text)
	for _, one := range []struct {
		signatures string
		want       int
	}{{older + newer, 202}, {older, 401}, {newer, 401}, {newer + older, 401}} {
		if got := r.post(t, "slack", text, "Authorization", "", "Stripe-Signature", "t="+at+one.signatures); got.status != one.want {
			t.Errorf("%d %s, want %d", got.status, got.body, one.want)
		}
	}
	if n := len(s.deliveries(t)); n != 1 {
		t.Errorf("%d stored", n)
	}
}

func TestReplayWhileTheFirstIsHandled(t *testing.T) {
	t.Parallel()
	s, c := newShelf(), &clock{}
	arrived, release := make(chan struct{}), make(chan struct{})
	s.fault = func(ctx context.Context) error {
		arrived <- struct{}{}
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r := signedRig(t, s, c, nil)
	text := body(1, "")
	header := slackHeaders(text, c.now(), "new-secret")
	first := make(chan int, 1)
	go func() {
		got, err := r.try(http.MethodPost, "/v1/webhooks/slack", strings.NewReader(text), header...)
		if err != nil {
			t.Error(err)
		}
		first <- got.status
	}()
	<-arrived
	if got := r.post(t, "slack", text, header...); got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", got.status, got.body)
	}
	close(release)
	if status := <-first; status != 202 {
		t.Errorf("the first: %d", status)
	}
	if got := r.post(t, "slack", text, header...); got.status != 401 {
		t.Errorf("after it: %d %s", got.status, got.body)
	}
}

// A body in quarantine has left something behind, and fills it once only; what
// was ignored likewise.
func TestReplaysOfWhatIsNoAlert(t *testing.T) {
	t.Parallel()
	s, c := newShelf(), &clock{}
	down := true
	s.fault = func(context.Context) error {
		if down {
			return errors.New("the bus is down")
		}
		return nil
	}
	r := signedRig(t, s, c, nil)
	for _, want := range []int{503, 400, 401} {
		down = want == 503
		if got := r.post(t, "slack", "rubbish", slackHeaders("rubbish", c.now(), "old-secret")...); got.status != want {
			t.Errorf("%d %s, want %d", got.status, got.body, want)
		}
	}
	if len(s.quarantine) != 1 {
		t.Errorf("%d in quarantine", len(s.quarantine))
	}
	for _, kept := range s.quarantine {
		for name, value := range kept.headers {
			if strings.Contains(value, "v0=") {
				t.Errorf("%s: %s", name, value)
			}
		}
	}
}

// Whoever has listened does not get to try for ever.
func TestReplaysAreBraked(t *testing.T) {
	t.Parallel()
	r := signedRig(t, newShelf(), &clock{}, func(o *receiver.Options) { o.FailureBurst = 2 })
	text := body(1, "")
	for i, want := range []int{202, 401, 401, 503} {
		if got := r.post(t, "slack", text, slackHeaders(text, startOfTime, "new-secret")...); got.status != want {
			t.Errorf("%d: %d %s, want %d", i, got.status, got.body, want)
		}
	}
}

func TestTooManySignatures(t *testing.T) {
	t.Parallel()
	c := &clock{}
	r := signedRig(t, newShelf(), c, func(o *receiver.Options) { o.MaxSignatures = 2 })
	for i, want := range []int{202, 202, 503, 503} {
		text := body(i+1, "")
		got := r.post(t, "slack", text, slackHeaders(text, c.now(), "new-secret")...)
		if got.status != want {
			t.Fatalf("%d: %d %s, want %d", i, got.status, got.body, want)
		}
		if want == 503 && !strings.Contains(got.body, "too-many-signatures") {
			t.Errorf("answered %s", got.body)
		}
	}
	r.refused(t, "slack", "too-many-signatures", 2)
	if got := r.post(t, "mixed", body(1, "")); got.status != 202 {
		t.Errorf("another credential of another source: %d", got.status)
	}
	c.advance(5*time.Minute + time.Second)
	if got := r.post(t, "slack", body(9, ""), slackHeaders(body(9, ""), c.now(), "new-secret")...); got.status != 202 {
		t.Errorf("later: %d %s", got.status, got.body)
	}
}
