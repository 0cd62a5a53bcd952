package web

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/internal/web/api"
)

const (
	// mostEntries and mostBytes bound a timeline: alerts may be large.
	mostEntries, mostBytes = 5000, 16 << 20
	// afterEnd is how long after a run's end something may still come to it: a
	// late answer, a refused command, the resolve of its alert.
	afterEnd = 10 * time.Minute
	// readAtOnce is how many records are taken from the bus together.
	readAtOnce = 256
)

// tale is what the ledger says about one run.
type tale struct {
	*follower
	entries   []api.Entry
	bytes     int // of the entries
	truncated bool

	started bool
	run     api.Run
	aim     engine.Aim
	alert   alert.Alert
	plans   []api.Plan
}

func newTale(run string, episodes []alert.EpisodeID) *tale {
	return &tale{follower: newFollower(run, episodes), entries: []api.Entry{}}
}

// over reports whether nothing that comes at that time is part of the tale.
func (t *tale) over(at time.Time) bool {
	return !t.run.EndedAt.IsZero() && at.Sub(t.run.EndedAt) > afterEnd
}

func (t *tale) take(seq uint64, rec ledger.Record) error {
	// The alert that begins a run stands before it in the record.
	for _, ev := range rec.Events {
		if start, ok := ev.(engine.RunStarted); ok && start.Run == t.follower.run {
			t.begin(start, rec.At)
		}
	}
	for i, ev := range rec.Events {
		if !t.concerns(ev) {
			continue
		}
		t.learn(ev, rec.At)
		if len(t.entries) == mostEntries || t.bytes > mostBytes {
			t.truncated = true
			continue
		}
		e, err := entry(seq, i, rec.At, ev)
		if err != nil {
			return err
		}
		t.entries, t.bytes = append(t.entries, e), t.bytes+len(e.Event)
	}
	return nil
}

func (t *tale) begin(e engine.RunStarted, at time.Time) {
	t.started, t.alert = true, e.Alert
	t.episode(e.Episode)
	t.aim = engine.NewAim(e.Target)
	t.run = api.Run{
		ID: e.Run, Rule: e.Rule, Mode: e.Mode, RuleSet: e.RuleSet, Target: e.Target.String(), Alert: e.Alert.Name,
		Severity: e.Alert.Severity, Attempt: 1, StartedAt: at,
	}
}

// learn puts the run together again, for one that is no longer in memory.
func (t *tale) learn(ev engine.Event, at time.Time) {
	t.run.Episodes = len(t.episodes)
	if run, ok := engine.RunOf(ev); !ok || run != t.follower.run {
		return
	}
	t.aim.Follow(ev)
	t.run.Target = t.aim.Target().String()
	switch e := ev.(type) {
	case engine.TaskIssued:
		t.run.Attempt = e.Task.Attempt + 1
	case engine.TaskAnswered:
		if p := e.Result.Plan; p != nil {
			t.plans = append(t.plans, api.Plan{Target: p.Target.String(), Summary: p.Summary, Changes: p.Changes, Noop: p.Noop})
		}
	case engine.AttemptFailed:
		t.plans = nil
	case engine.Replanned:
		t.plans = t.plans[:min(e.Action, len(t.plans))]
	case engine.RunMerged:
		t.end(engine.Merged, "run "+e.Into+" has this target", at)
	case engine.RunEnded:
		t.end(e.Outcome, e.Reason, at)
	}
}

func (t *tale) end(o engine.RunFinal, why string, at time.Time) {
	t.run.Phase, t.run.Outcome, t.run.Why, t.run.EndedAt = engine.PhaseEnded, o, why, at
}

// tell reads the records from one sequence to another for the tale.
func (s *Server) tell(ctx context.Context, t *tale, from, to uint64) error {
	decoder := ledger.NewDecoder()
	return s.read(ctx, from, to, func(m bus.Msg) (bool, error) {
		if t.over(m.Time) {
			return false, nil
		}
		if !t.mayConcern(m.Data) {
			return true, nil
		}
		rec, err := decoder.Decode(m.Data)
		if err != nil {
			return false, fmt.Errorf("at sequence %d: %w", m.Seq, err)
		}
		return true, t.take(m.Seq, rec)
	})
}

// read hands over the records from one sequence to another, both included, until
// each says that it has enough.
func (s *Server) read(ctx context.Context, from, to uint64, each func(bus.Msg) (more bool, err error)) error {
	if from > to {
		return nil
	}
	reader, err := s.api.Ledger.Ledger(ctx, from)
	if err != nil {
		return ledgerAway(err)
	}
	defer reader.Close()
	for {
		batch, err := reader.NextBatch(ctx, readAtOnce)
		if err != nil {
			return ledgerAway(err)
		}
		for _, m := range batch {
			more, err := each(m)
			if err != nil {
				return err
			}
			if !more || m.Seq >= to {
				return nil
			}
		}
	}
}

// firstSince finds the first record that is not older than at. The times of
// records never go back.
func (s *Server) firstSince(ctx context.Context, at time.Time, last uint64) (uint64, error) {
	var failed error
	n := sort.Search(int(last), func(i int) bool { //nolint:gosec // a sequence is far from its limit
		if failed != nil {
			return true
		}
		m, err := s.api.Ledger.LedgerAt(ctx, uint64(i)+1) //nolint:gosec // i is not negative
		if err != nil {
			failed = ledgerAway(err)
			return true
		}
		var rec struct {
			At time.Time `json:"at"`
		}
		if err := json.Unmarshal(m.Data, &rec); err != nil {
			failed = fmt.Errorf("ledger record %d: %w", m.Seq, err)
			return true
		}
		return !rec.At.Before(at)
	})
	return uint64(n) + 1, failed //nolint:gosec // n is not negative
}
