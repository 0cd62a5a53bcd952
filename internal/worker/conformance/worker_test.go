package conformance_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/worker"
	"github.com/tripgen/paramedic/internal/worker/conformance"
	"github.com/tripgen/paramedic/remediators"
)

// runWorker is our own worker with the action flag.set, perhaps with a flaw.
func runWorker(flaw string) error {
	ctx := context.Background()
	group := os.Getenv(conformance.EnvGroup)
	b, err := bus.Open(ctx, bus.Config{
		URL: os.Getenv(conformance.EnvURL), Credentials: os.Getenv(conformance.EnvSeed), Domain: os.Getenv(conformance.EnvDomain), Join: group,
	})
	if err != nil {
		return err
	}
	f := &flags{file: os.Getenv("FLAGS_FILE"), flaw: flaw}
	registry, err := remediators.NewRegistry(f)
	if err != nil {
		return err
	}
	q, err := b.Work(ctx, group, registry.Names(), time.Minute)
	if err != nil {
		return err
	}
	ports := worker.OnBus(b, q)
	ports.Claims, ports.Pauses, ports.Publisher = claims{ports.Claims, flaw}, pauses{ports.Pauses, flaw}, publisher{ports.Publisher, flaw}
	now := time.Now
	if flaw == "late" {
		now = func() time.Time { return time.Now().Add(-time.Hour) }
	}
	w, err := worker.New(worker.Config{
		ID: rand.Text(), Group: group, Parallel: 1, AckWait: q.AckWait(), Drain: time.Second, Ports: ports,
		Remediators: registry, Verifier: noVerifier{}, Now: now, Jitter: func() float64 { return 0 },
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Registry: prometheus.NewRegistry(),
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// claims forgets, with the flaw "twice".
type claims struct {
	worker.Claims
	flaw string
}

func (c claims) key(key string) string {
	if c.flaw == "twice" {
		return key + rand.Text()
	}
	return key
}

func (c claims) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	return c.Claims.Get(ctx, c.key(key))
}

func (c claims) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	return c.Claims.Create(ctx, c.key(key), value)
}

func (c claims) Update(ctx context.Context, key string, value []byte, rev uint64) (uint64, error) {
	if c.flaw == "twice" {
		return c.Create(ctx, key, value)
	}
	return c.Claims.Update(ctx, key, value, rev)
}

type pauses struct {
	worker.Pauses
	flaw string
}

func (p pauses) List(ctx context.Context) (map[string][]byte, error) {
	if p.flaw == "paused" {
		return nil, nil
	}
	return p.Pauses.List(ctx)
}

type publisher struct {
	worker.Publisher
	flaw string
}

func (p publisher) PublishDead(ctx context.Context, group, action, id, reason string, data []byte) error {
	if p.flaw == "silent" {
		return nil
	}
	return p.Publisher.PublishDead(ctx, group, action, id, reason, data)
}

type noVerifier struct{}

func (noVerifier) Verify(context.Context, engine.Task) (bool, []engine.Check, error) {
	return false, nil, errors.New("not here")
}

func (noVerifier) Check(context.Context, engine.Task) (bool, []engine.Check, error) {
	return false, nil, errors.New("not here")
}

// flags is flag.set, as in the examples.
type flags struct{ file, flaw string }

type flagState struct {
	Flags   map[string]bool `json:"flags"`
	Changes []string        `json:"changes"`
}

func (f *flags) Spec() remediators.Spec {
	return remediators.Spec{
		Name: "flag.set", System: engine.SystemHTTP, Summary: "Turns a feature flag on or off.",
		Params: json.RawMessage(`{"type":"object"}`), Fenced: f.flaw != "forget",
	}
}

// IdempotentFor is not true: every change is counted. With the flaw "forget" it
// says so all the same.
func (f *flags) IdempotentFor(engine.Task) bool { return f.flaw == "forget" }

func (f *flags) read(t engine.Task) (s flagState, key string, on bool, err error) {
	var p struct {
		Flag string
		On   bool
	}
	if err := json.Unmarshal(t.Params, &p); err != nil {
		return s, "", false, remediators.Terminal("params: %v", err)
	}
	s.Flags = map[string]bool{}
	text, err := os.ReadFile(f.file)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return s, t.Target.Name + "/" + p.Flag, p.On, err
}

func (f *flags) write(s flagState) error {
	text, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(f.file+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(f.file+".new", f.file)
	}
	return err
}

func (s flagState) print() json.RawMessage {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(text)
	return json.RawMessage(`"` + hex.EncodeToString(sum[:]) + `"`)
}

func (f *flags) Plan(_ context.Context, t engine.Task) (engine.Plan, error) {
	s, key, on, err := f.read(t)
	if err != nil {
		return engine.Plan{}, err
	}
	now := s.Flags[key]
	p := engine.Plan{Target: t.Target, Summary: fmt.Sprintf("set %s to %t", key, on), Noop: now == on, Precondition: s.print()}
	if now != on {
		p.Changes = []engine.Change{{Field: key, From: strconv.FormatBool(now), To: strconv.FormatBool(on)}}
	}
	if f.flaw == "blind" && t.Plan != nil {
		precondition := p.Precondition
		p = *t.Plan
		p.Precondition = precondition
	}
	return p, nil
}

func (f *flags) Execute(_ context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	s, key, on, err := f.read(t)
	if err != nil {
		return engine.Outcome{}, err
	}
	if f.flaw != "forget" && string(s.print()) != string(p.Precondition) {
		return engine.Outcome{}, remediators.PlanChanged("the flags were changed")
	}
	before, err := json.Marshal(s.Flags[key])
	if err != nil {
		return engine.Outcome{}, err
	}
	s.Flags[key], s.Changes = on, append(s.Changes, t.ID)
	return engine.Outcome{Summary: p.Summary, Before: before}, f.write(s)
}

func (f *flags) Observe(_ context.Context, t engine.Task, _ engine.Plan) (engine.Effect, error) {
	s, _, _, err := f.read(t)
	switch {
	case f.flaw == "guess":
		return engine.Applied, nil
	case f.flaw == "forget":
		return engine.NotApplied, nil
	case err == nil && slices.Contains(s.Changes, t.ID):
		return engine.Applied, nil
	}
	return engine.NotApplied, err
}

func (f *flags) Undo(_ context.Context, t engine.Task, o engine.Outcome) error {
	s, key, on, err := f.read(t)
	if err != nil || slices.Contains(s.Changes, t.ID) {
		return err
	}
	before := !on
	if len(o.Before) > 0 {
		if err := json.Unmarshal(o.Before, &before); err != nil {
			return err
		}
	}
	s.Flags[key], s.Changes = before, append(s.Changes, t.ID)
	return f.write(s)
}
