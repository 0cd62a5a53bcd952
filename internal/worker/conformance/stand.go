package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/bus/access"
	"github.com/tripgen/paramedic/internal/engine"
)

const (
	// ackWait is how soon a task comes again after its worker was killed.
	ackWait = 2 * time.Second
	// callTimeout bounds one call of an action: so long a worker may have to wait
	// before it says that an outcome is unknown.
	callTimeout = 3 * time.Second
	// answerWithin is how long an answer is waited for, a restart of the worker
	// and both of the above included.
	answerWithin = 30 * time.Second
	// quiet is how long nothing must happen where nothing is to happen.
	quiet = 2 * time.Second
	store = 256 << 20
)

// stand is the bus with a worker on it.
type stand struct {
	Options
	server  *access.Server
	hub     *bus.Bus
	relay   *relay
	worker  *process
	results *bus.Reader
	// tag and tasks make the tasks' ids.
	tag   string
	tasks int
	// answered are the results that came, by the task's id.
	answered map[string]engine.Result
}

func newStand(ctx context.Context, o Options) (_ *stand, err error) {
	s := &stand{Options: o, tag: strings.ToLower(o.NewID()), answered: map[string]engine.Result{}}
	if s.Log == nil {
		s.Log = io.Discard
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	a, err := access.Open(o.Folder)
	if err != nil {
		return nil, err
	}
	if err := a.Add(o.Group); err != nil {
		return nil, err
	}
	if s.server, err = a.Serve(ctx, "127.0.0.1:0"); err != nil {
		return nil, err
	}
	if s.hub, err = bus.Open(ctx, bus.Config{URL: s.server.URL(), Credentials: a.SeedFile(access.Hub), Replicas: 1, MaxStore: store}); err != nil {
		return nil, err
	}
	err = errors.Join(
		s.hub.EnsureClaims(ctx, o.Group), s.hub.EnsureWork(ctx, o.Group, ackWait),
		s.hub.EnsureWork(ctx, engine.VerifyGroup(o.Group), ackWait),
	)
	if err != nil {
		return nil, err
	}
	if s.results, err = s.hub.Inbox(ctx, 1); err != nil {
		return nil, err
	}
	if s.relay, err = newRelay(ctx, strings.TrimPrefix(s.server.URL(), "nats://"), func() { s.worker.kill() }); err != nil {
		return nil, err
	}
	s.worker = startProcess(ctx, o.Command, []string{
		EnvURL + "=nats://" + s.relay.address(), EnvSeed + "=" + a.SeedFile(o.Group), EnvDomain + "=" + access.Domain,
		EnvGroup + "=" + o.Group, EnvAction + "=" + o.Action,
	}, s.Log)
	return s, nil
}

// close ends what was started, the worker first.
func (s *stand) close() {
	if s.worker != nil {
		s.worker.stop()
	}
	if s.relay != nil {
		s.relay.close()
	}
	if s.results != nil {
		s.results.Close()
	}
	if s.hub != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.hub.Close(ctx); err != nil {
			_, _ = fmt.Fprintln(s.Log, "the bus was not closed in order:", err) // nothing rests on it any more
		}
	}
	if s.server != nil {
		s.server.Close()
	}
}

// task is a new one of a kind, for any of the parameters.
func (s *stand) task(kind engine.TaskKind, params json.RawMessage) engine.Task {
	s.tasks++
	return engine.Task{
		ID: fmt.Sprintf("conformance.%s.%04d", s.tag, s.tasks), Kind: kind, Run: "conformance", Rule: "conformance",
		Group: s.Group, Action: s.Action, Target: s.Target, Params: params,
		NotAfter: s.Now().Add(time.Minute), Timeout: callTimeout,
	}
}

// publish sends a task as the hub does.
func (s *stand) publish(ctx context.Context, t engine.Task) error {
	data, err := json.Marshal(t.Order())
	if err != nil {
		return fmt.Errorf("encode a task: %w", err)
	}
	return s.send(ctx, t.Action, data)
}

// send puts a message into WORK, under an id of its own so that none is dropped
// as a repeat.
func (s *stand) send(ctx context.Context, action string, data []byte) error {
	return s.hub.PublishWork(ctx, s.Group, action, "try/"+s.NewID(), data)
}

// ask sends a task and waits for its answer, and until the task is gone.
func (s *stand) ask(ctx context.Context, t engine.Task) (engine.Result, error) {
	if err := s.publish(ctx, t); err != nil {
		return engine.Result{}, err
	}
	return s.answer(ctx, t)
}

// answer waits for the answer to a task, and until the task is gone.
func (s *stand) answer(ctx context.Context, t engine.Task) (engine.Result, error) {
	r, err := s.next(ctx, answerWithin)
	if err != nil {
		return r, fmt.Errorf("no answer to task %s of kind %s: %w", t.ID, t.Kind, err)
	}
	if r.Task != t.ID {
		return r, fmt.Errorf("an answer to task %q, where %q was asked", r.Task, t.ID)
	}
	return r, s.gone(ctx)
}

// again sends a task that was answered once more. The server drops a repeated
// answer for half a minute, so the claim and the queue tell what came of it.
func (s *stand) again(ctx context.Context, t engine.Task, first engine.Result) error {
	if err := s.publish(ctx, t); err != nil {
		return err
	}
	if err := s.gone(ctx); err != nil {
		return fmt.Errorf("delivered again: %w", err)
	}
	return s.settled(ctx, t, first)
}

// next is the next result that is not the repeat of one that came before.
func (s *stand) next(ctx context.Context, within time.Duration) (engine.Result, error) {
	ctx, cancel := s.worker.while(ctx, within)
	defer cancel()
	for {
		m, err := s.results.Next(ctx)
		if err != nil {
			return engine.Result{}, errors.Join(err, s.worker.failure())
		}
		r, err := decodeResult(m.Data)
		if err != nil {
			return r, err
		}
		first, repeated := s.answered[r.Task]
		switch {
		case !repeated:
			s.answered[r.Task] = r
			return r, nil
		case !same(first, r):
			return r, fmt.Errorf("task %s was answered with %+v, and before with %+v", r.Task, r, first)
		}
	}
}

// gone waits until no task is left: answered is not enough, it must be
// acknowledged too.
func (s *stand) gone(ctx context.Context) error {
	return s.until(ctx, "the task to be acknowledged", func() (bool, error) {
		left, err := s.hub.WorkLeft(ctx, s.Group)
		return left == 0, err
	})
}

// until looks every now and then.
func (s *stand) until(ctx context.Context, what string, ok func() (bool, error)) error {
	ctx, cancel := s.worker.while(ctx, answerWithin)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := ok()
		if done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited %s for %s: %w", answerWithin, what, errors.Join(ctx.Err(), s.worker.failure()))
		}
	}
}
