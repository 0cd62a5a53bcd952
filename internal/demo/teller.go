package demo

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/explain"
	"github.com/tripgen/paramedic/internal/ledger"
)

// aloud is how many of each kind of event of the storm are told one by one:
// enough to see what happens to each, few enough to read.
const aloud = 4

// teller prints the timeline, as the ledger tells it.
type teller struct {
	color   bool
	started time.Time

	// runs and storm belong to the goroutine that follows the ledger.
	runs  map[string]engine.RunStarted
	storm map[string]int

	mu  sync.Mutex
	out io.Writer
}

func newTeller(out io.Writer, color bool) *teller {
	return &teller{out: out, color: color, started: time.Now(), runs: map[string]engine.RunStarted{}, storm: map[string]int{}}
}

func (t *teller) paint(code, text string) string {
	if !t.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// line prints; a terminal that went away does not stop the demo.
func (t *teller) line(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = fmt.Fprintln(t.out, text)
}

func (t *teller) title(number int, text string) {
	t.line("\n" + t.paint("1", fmt.Sprintf("%d. %s", number, text)))
}

func (t *teller) say(format string, args ...any) {
	t.line(t.paint("1", "   => ") + fmt.Sprintf(format, args...))
}

func (t *teller) end(format string, args ...any) {
	t.line("\n" + t.paint("1;32", fmt.Sprintf(format, args...)))
}

// keep says what can be tried while everything stays up.
func (t *teller) keep(s *stage, o Options) {
	address := s.app.Addr().String()
	t.line(fmt.Sprintf(`
Everything stays up until you press Ctrl-C. To try in another terminal:
  paramedic runs list --server http://%[1]s
  paramedic runs watch --server http://%[1]s
  paramedic pause --server http://%[1]s --reason "trying it out"
  curl -s http://%[1]s/metrics | grep ^paramedic_runs
Break a service; the monitor sees it within a second:
  curl -X POST %[2]s/place/demo/break
Or send an alert of your own, as Alertmanager would:
  curl -H "Authorization: Bearer $(cat %[3]s/token)" -H 'Content-Type: application/json' \
    -d '{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"ServiceDown","job":"place","severity":"critical","url":"%[2]s/place"},"startsAt":"%[4]s"}]}' \
    http://%[1]s/v1/webhooks/alertmanager`, address, s.monitor.base, o.Dir, time.Now().UTC().Format(time.RFC3339)))
}

// telling is a teller that follows a ledger.
type telling struct {
	bus    *bus.Bus
	told   atomic.Uint64
	ledger *bus.Reader
}

// follow tells every event of the ledger from here on. The function that it
// returns ends that, and says why it ended before.
func (t *teller) follow(ctx context.Context, b *bus.Bus) (*telling, func() error, error) {
	reader, err := b.Ledger(ctx, 1)
	if err != nil {
		return nil, nil, err
	}
	f := &telling{bus: b, ledger: reader}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- f.tell(ctx, t) }()
	return f, func() error {
		cancel()
		err := <-done
		reader.Close()
		return err
	}, nil
}

func (f *telling) tell(ctx context.Context, t *teller) error {
	decoder := ledger.NewDecoder()
	for {
		msg, err := f.ledger.Next(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end that was asked for
		}
		if err != nil {
			return fmt.Errorf("tell the ledger: %w", err)
		}
		r, err := decoder.Decode(msg.Data)
		if err != nil {
			return fmt.Errorf("tell the ledger: %w", err)
		}
		for _, ev := range r.Events {
			t.event(r.At, ev)
		}
		f.told.Store(msg.Seq)
	}
}

// caughtUp waits until all that stands in the ledger now is told.
func (f *telling) caughtUp(ctx context.Context) error {
	last, err := f.bus.LedgerLast(ctx)
	if err != nil {
		return err
	}
	return poll(ctx, func() bool { return f.told.Load() >= last })
}

// event prints one event, if it is one that a person wants to see.
func (t *teller) event(at time.Time, ev engine.Event) {
	if e, ok := ev.(engine.RunStarted); ok {
		t.runs[e.Run] = e
	}
	who, storm := t.who(ev)
	if quiet(ev) || storm && !t.aloud(ev) {
		return
	}
	sentence := explain.Sentence(ev)
	stamp := t.paint("2", fmt.Sprintf("%6.2fs", max(0, at.Sub(t.started).Seconds())))
	t.line(fmt.Sprintf("  %s  %-12s %s", stamp, who, t.paint(hue(ev), sentence)))
}

// who names the service that an event is about.
func (t *teller) who(ev engine.Event) (name string, storm bool) {
	if e, ok := ev.(engine.AlertOpened); ok {
		return e.Alert.Labels["job"], e.Alert.Name == "InstanceDown"
	}
	if id, ok := engine.RunOf(ev); ok {
		run := t.runs[id]
		return run.Target.Name, run.Rule == "instance-down"
	}
	return "", false
}

// aloud says whether a storm's event is still told one by one.
func (t *teller) aloud(ev engine.Event) bool {
	switch ev.(type) {
	case engine.RunHeld, engine.RunAllowed, engine.RunEnded:
	default:
		return false
	}
	t.storm[ev.Kind()]++
	if t.storm[ev.Kind()] == aloud+1 {
		t.line(t.paint("2", "           ...  (more of these; the ledger has them all)"))
	}
	return t.storm[ev.Kind()] <= aloud
}

// quiet drops what is only bookkeeping.
func quiet(ev engine.Event) bool {
	switch e := ev.(type) {
	case engine.RulesLoaded, engine.Pruned, engine.AlertRepeated, engine.RunStarted, engine.VerifyWaiting, engine.AlertDropped:
		return true
	case engine.TaskIssued:
		return e.Task.Kind != engine.TaskExecute
	case engine.TaskAnswered:
		return e.Result.Outcome == nil && e.Result.Failure == nil
	}
	return false
}

// hue colours an event by what it means.
func hue(ev engine.Event) string {
	switch e := ev.(type) {
	case engine.AlertOpened:
		return "31"
	case engine.RunHeld, engine.AttemptFailed, engine.RunParked, engine.Escalated:
		return "33"
	case engine.RunEnded:
		if e.Outcome == engine.Cured {
			return "32"
		}
		return "33"
	}
	return "0"
}
