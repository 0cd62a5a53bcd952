package remediatortest

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// nowhere is an end where nobody listens: a port that only the superuser may open
// and no service has.
func (s *suite) nowhere() End {
	end := s.proxy.end()
	scheme, _, _ := strings.Cut(end.URL, ":")
	end.URL = scheme + "://127.0.0.1:1"
	return end
}

func (s *suite) unreachable(t *testing.T) {
	bench := s.subject.Open(t, s.nowhere())
	scene := bench.Fresh(t)
	dead := watched{t: t, inner: bench.Remediator, secrets: s.subject.Secrets}
	if _, err := dead.plan(call(t), s.task(scene)); err != nil {
		wantClass(t, err, engine.ClassRetryable)
	}
	task, p := s.planned(t, scene)
	_, err := dead.execute(call(t), task, p)
	wantClass(t, err, engine.ClassRetryable)
	wantEffects(t, scene, 0)
}

// httpAnswers are the statuses that an HTTP server may refuse with.
func httpAnswers(elsewhere string) []Answer {
	const wait = 7 * time.Second
	after := http.Header{"Retry-After": {strconv.Itoa(int(wait / time.Second))}}
	return []Answer{
		{Status: http.StatusBadRequest, Want: engine.ClassTerminal},
		{Status: http.StatusUnauthorized, Want: engine.ClassTerminal},
		{Status: http.StatusForbidden, Want: engine.ClassTerminal},
		{Status: http.StatusNotFound, Want: engine.ClassTerminal},
		{Status: http.StatusUnprocessableEntity, Want: engine.ClassTerminal},
		{Status: http.StatusTooManyRequests, Header: after, Want: engine.ClassRetryable, After: wait},
		{Status: http.StatusInternalServerError, Want: engine.ClassUnknown},
		{Status: http.StatusInternalServerError, Header: after, Want: engine.ClassUnknown},
		{Status: http.StatusBadGateway, Want: engine.ClassUnknown},
		{Status: http.StatusServiceUnavailable, Want: engine.ClassUnknown},
		{Status: http.StatusGatewayTimeout, Header: after, Want: engine.ClassUnknown},
		{Status: http.StatusFound, Header: http.Header{"Location": {elsewhere}}, Want: engine.ClassUnknown},
	}
}

// answers has the proxy refuse in the target's place, so that nothing is changed.
func (s *suite) answers(t *testing.T) {
	all := s.subject.Answers
	if all == nil {
		all = httpAnswers(s.proxy.end().URL + "/elsewhere")
	}
	for _, c := range all {
		name := strings.TrimSpace(c.Raw)
		if name == "" {
			name = strconv.Itoa(c.Status)
		}
		t.Run(name, func(t *testing.T) {
			scene := s.bench.Fresh(t)
			task, p := s.planned(t, scene)
			s.proxy.set(fault{kind: answerInstead, answer: c})
			_, err := s.watch(t).execute(call(t), task, p)
			if c.Want == engine.ClassUnknown && s.idempotent(task) {
				// Trying again is as good as knowing.
				wantClass(t, err, engine.ClassUnknown, engine.ClassRetryable)
			} else {
				wantClass(t, err, c.Want)
			}
			if c.After > 0 && err != nil && remediators.Failure(err).RetryAfter != c.After {
				t.Errorf("to be retried after %v, but the target asked for %v", remediators.Failure(err).RetryAfter, c.After)
			}
			wantEffects(t, scene, 0)
		})
	}
}

// strangersSuccess has something else than the target say that all is well.
func (s *suite) strangersSuccess(t *testing.T) {
	if !s.spec.Fenced {
		return // the target may have no other way to say it
	}
	scene := s.bench.Fresh(t)
	task, p := s.planned(t, scene)
	s.proxy.set(fault{kind: answerInstead, answer: Answer{Status: http.StatusOK, Raw: "+OK\r\n"}})
	_, err := s.watch(t).execute(call(t), task, p)
	wantClass(t, err, engine.ClassUnknown)
	wantEffects(t, scene, 0)
}

// lostRequest cuts the connection before the target got anything.
func (s *suite) lostRequest(t *testing.T) {
	scene := s.bench.Fresh(t)
	task, p := s.planned(t, scene)
	s.proxy.set(fault{kind: loseRequest})
	_, err := s.watch(t).execute(call(t), task, p)
	s.wantDoubt(t, task, err)
	wantEffects(t, scene, 0)
	s.again(t, scene, task, p)
}

// again does what a worker does with a task in doubt that was not applied.
func (s *suite) again(t *testing.T, scene Scene, task engine.Task, p engine.Plan) {
	t.Helper()
	effect := s.watch(t).observe(t.Context(), task, p)
	if !s.spec.Fenced {
		wantEffect(t, effect, engine.NotApplied, engine.Unknown)
		return
	}
	wantEffect(t, effect, engine.NotApplied)
	if _, err := s.watch(t).execute(call(t), task, p); err != nil {
		t.Fatalf("the same plan again: %v", err)
	}
	wantEffects(t, scene, 1)
	s.seen(t, task, p)
}

// wantDoubt wants the error of a call that the target may have acted on.
func (s *suite) wantDoubt(t *testing.T, task engine.Task, err error) {
	t.Helper()
	if s.idempotent(task) {
		wantClass(t, err, engine.ClassUnknown, engine.ClassRetryable)
	} else {
		wantClass(t, err, engine.ClassUnknown)
	}
}

// lostAnswer cuts the connection after the target has acted.
func (s *suite) lostAnswer(t *testing.T) {
	scene, task, p := s.answerLost(t)
	for try := 1; try < 5 && scene.Effects(t) == 0; try++ {
		// Its own controllers wrote it at that moment, so that it refused the call.
		scene, task, p = s.answerLost(t)
	}
	wantEffects(t, scene, 1)
	s.seen(t, task, p)
	if s.spec.Fenced {
		// A worker that knows nothing of it must not do it again.
		if _, err := s.watch(t).execute(call(t), task, p); err != nil {
			wantClass(t, err, engine.ClassUnknown)
		}
		wantEffects(t, scene, 1)
	}
}

func (s *suite) answerLost(t *testing.T) (Scene, engine.Task, engine.Plan) {
	t.Helper()
	scene := s.bench.Fresh(t)
	task, p := s.planned(t, scene)
	s.proxy.set(fault{kind: loseAnswer})
	_, err := s.watch(t).execute(call(t), task, p)
	s.wantDoubt(t, task, err)
	return scene, task, p
}

// lateCall holds the call of a worker that was stopped, lets another do the task,
// and then lets it go.
func (s *suite) lateCall(t *testing.T) {
	if !s.spec.Fenced {
		return // nothing is promised
	}
	scene := s.bench.Fresh(t)
	task, p := s.planned(t, scene)
	held := newHeld()
	t.Cleanup(held.release)
	s.proxy.set(fault{kind: hold, held: held})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	late := make(chan error, 1)
	go func() {
		_, err := s.watch(t).execute(ctx, task, p)
		late <- err
	}()
	<-held.arrived
	cancel()
	wantClass(t, <-late, engine.ClassUnknown)
	s.again(t, scene, task, p)
	held.release()
	<-held.done
	wantEffects(t, scene, 1)
}

// sentTwice has something on the way repeat the call, so that the answer to the
// second is all that the remediator gets.
func (s *suite) sentTwice(t *testing.T) {
	if !s.spec.Fenced {
		return // nothing is promised
	}
	scene := s.bench.Fresh(t)
	task, p := s.planned(t, scene)
	s.proxy.set(fault{kind: sendTwice})
	if _, err := s.watch(t).execute(call(t), task, p); err != nil {
		wantClass(t, err, engine.ClassUnknown)
	}
	wantEffects(t, scene, 1)
	s.seen(t, task, p)
}
