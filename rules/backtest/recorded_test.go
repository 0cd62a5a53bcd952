package backtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/internal/responder"
	"github.com/tripgen/paramedic/rules/backtest"
)

// production is a responder at work on the real embedded bus.
type production struct {
	t   *testing.T
	bus *bus.Bus
	r   *responder.Responder
}

func realRules([]engine.Source) (engine.RuleSet, error) {
	acts := down(engine.ModeAuto, mend("restart"), mend("rollback"))
	acts.Attempts[0].Verify = engine.Verify{AlertResolved: true, Within: time.Second}
	acts.Attempts[1].Verify.Stable = 0
	shadow := down(engine.ModeShadow)
	shadow.Name, shadow.alerts = "slow", []string{"Slow"}
	return &ruleSet{digest: "real", rules: []*namedRule{acts, shadow}, budgets: []engine.Budget{{Name: "fleet", Rate: engine.Rate{Count: 4, Per: time.Hour}}}}, nil
}

func startProduction(t *testing.T) *production {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{Dir: t.TempDir(), MaxStore: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := responder.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	var ids atomic.Int64
	r, err := responder.New(responder.Options{
		Bus: b, Compile: realRules, Rules: []engine.Source{{Name: "rules.yaml", Text: "real"}}, Holder: "test", Now: time.Now,
		NewID: func() string { return strconv.FormatInt(ids.Add(1), 10) }, Logger: slog.New(slog.DiscardHandler), Metrics: metrics,
		SnapshotEvery: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if err := r.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &production{t: t, bus: b, r: r}
}

// submit stores inputs as one message and waits until it is decided.
func (p *production) submit(ins ...engine.Input) {
	p.t.Helper()
	var lines [][]byte
	for _, in := range ins {
		b, err := json.Marshal(in)
		if err != nil {
			p.t.Fatal(err)
		}
		lines = append(lines, b)
	}
	seq, err := p.bus.PublishInbox(p.t.Context(), "test", strconv.FormatInt(time.Now().UnixNano(), 10), bytes.Join(lines, []byte("\n")))
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.r.Decided(p.t.Context(), seq); err != nil {
		p.t.Fatal(err)
	}
}

// work answers tasks as a worker would, until that many were verified.
func (p *production) work(verified int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 60*time.Second)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for verified > 0 {
		var tasks []engine.Task
		p.r.View(func(st *engine.State) { st.Outstanding(func(t engine.Task) { tasks = append(tasks, t) }) })
		for _, task := range tasks {
			res := engine.Result{Task: task.ID, Worker: "w", At: time.Now()}
			switch task.Kind {
			case engine.TaskPlan:
				res.Plan = &engine.Plan{Target: task.Target, Summary: "mend " + task.Target.Name}
			case engine.TaskExecute, engine.TaskUndo:
				res.Outcome = &engine.Outcome{Summary: "done"}
			case engine.TaskVerify, engine.TaskCheck:
				res.Verified = true
				verified--
			}
			p.submit(engine.Input{Result: &res})
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			p.t.Fatal("the rungs never came to a verification")
		}
	}
}

// ledgered reads the decisions, and when each message was decided.
func (p *production) ledgered() (events decided, at map[uint64]time.Time) {
	p.t.Helper()
	last, err := p.bus.LedgerLast(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	at = map[uint64]time.Time{}
	decoder := ledger.NewDecoder()
	for seq := uint64(1); seq <= last; seq++ {
		m, err := p.bus.LedgerAt(p.t.Context(), seq)
		if err != nil {
			p.t.Fatal(err)
		}
		rec, err := decoder.Decode(m.Data)
		if err != nil {
			p.t.Fatal(err)
		}
		at[rec.Cause.Inbox] = rec.At
		for _, ev := range rec.Events {
			if err := events.observe(rec.At, engine.Input{}, []engine.Event{ev}); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	return events, at
}

// TestAReplayOfARealRecordingIsItsLedger takes INBOX and LEDGER of a responder
// on a real bus: the replay of the one must give the other.
func TestAReplayOfARealRecordingIsItsLedger(t *testing.T) {
	t.Parallel()
	p := startProduction(t)
	start := time.Now().Truncate(time.Hour)
	p.submit(
		sent(time.Now(), "Down", "a", start, alert.Firing).Input, sent(time.Now(), "Slow", "a", start, alert.Firing).Input,
		sent(time.Now(), "Down", "b", start, alert.Firing).Input, sent(time.Now(), "Nobody", "b", start, alert.Firing).Input,
	)
	// The first rung is not seen to cure when a tick says that its time is over.
	p.work(2)
	p.submit(sent(time.Now(), "Down", "a", start, alert.Resolved).Input)
	p.submit(engine.Input{Command: &engine.Command{Verb: engine.Pause, Scope: "all", By: "ann"}})
	want, at := p.ledgered()

	name := filepath.Join(t.TempDir(), "inbox.jsonl")
	if err := os.WriteFile(name, p.recording(at), 0o600); err != nil {
		t.Fatal(err)
	}
	var have decided
	report := run(t, backtest.Options{
		Source: backtest.File{Name: name}, Compile: realRules,
		Observe: func(at time.Time, in engine.Input, events []engine.Event) error {
			for _, ev := range events {
				if err := have.observe(at, in, []engine.Event{ev}); err != nil {
					return err
				}
			}
			return nil
		},
	})
	if !report.Replayed || report.All.Acts < 3 {
		t.Errorf("replayed: %t, %d acts", report.Replayed, report.All.Acts)
	}
	if !bytes.Equal(have.Bytes(), want.Bytes()) {
		t.Errorf("the replay is not the ledger:\n%s", firstDifference(want.Bytes(), have.Bytes()))
	}
}

// recording is INBOX as far as the ledger goes, with the times of the decisions.
// A message without a record had no consequence at the time it was stored.
func (p *production) recording(at map[uint64]time.Time) []byte {
	p.t.Helper()
	last := uint64(0)
	for seq := range at {
		last = max(last, seq)
	}
	reader, err := p.bus.Inbox(p.t.Context(), 1)
	if err != nil {
		p.t.Fatal(err)
	}
	defer reader.Close()
	var out bytes.Buffer
	w := backtest.NewWriter(&out)
	for {
		m, err := reader.Next(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		when, ok := at[m.Seq]
		if !ok {
			when = m.Time
		}
		for line := range bytes.SplitSeq(m.Data, []byte("\n")) {
			in, err := engine.UnmarshalLine(line)
			if err != nil {
				p.t.Fatal(err)
			}
			if err := w.Write(backtest.Recorded{At: when, Input: in}); err != nil {
				p.t.Fatal(err)
			}
		}
		if m.Seq >= last {
			return out.Bytes()
		}
	}
}
