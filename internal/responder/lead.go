package responder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/ledger"
)

// trimEvery is how often decided messages that are too old leave INBOX.
const trimEvery = 10 * time.Minute

// lead decides until the lease or the race for the ledger is lost. The fold is
// at the ledger's end when it begins.
func (r *Responder) lead(ctx context.Context, lease *bus.Lease) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var owned sync.WaitGroup
	defer owned.Wait()
	owned.Go(func() {
		select {
		case <-lease.Done():
			cancel()
		case <-ctx.Done():
		}
	})
	r.ticks = newTicker()
	owned.Go(func() { r.ticks.run(ctx, r) })
	defer cancel()

	r.setLeading(true)
	r.Logger.Info("leading", "ledger", r.fold.Seq, "inbox", r.fold.State.Inbox)
	if err := r.compileAll(); err != nil {
		return err
	}
	if err := r.republish(ctx); err != nil {
		return err
	}
	first, err := r.propose(ctx, proposal{})
	if err != nil {
		return err
	}
	owned.Go(func() { r.proposeAll(ctx, first) })
	return r.decideAll(ctx)
}

// compileAll compiles the rule sets that the state names. A set that this build
// cannot compile holds the runs that began with it; it does not stop the rest.
func (r *Responder) compileAll() error {
	for digest, sources := range r.fold.State.RuleSets {
		if err := r.sets.add(digest, sources); err != nil {
			r.Logger.Error("runs that began with this rule set are held", "error", err)
		}
	}
	return nil
}

// republish derives WORK again for every task that has no answer: the leader
// before may have died between the record and the publish.
func (r *Responder) republish(ctx context.Context) error {
	var tasks []engine.Task
	r.fold.State.Outstanding(func(t engine.Task) { tasks = append(tasks, t) })
	for _, t := range tasks {
		if err := r.publishTask(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func (r *Responder) publishTask(ctx context.Context, t engine.Task) error {
	data, err := json.Marshal(t.Order())
	if err != nil {
		return fmt.Errorf("task %s: %w", t.ID, err)
	}
	for {
		err := r.Bus.PublishWork(ctx, t.Group, t.Action, t.ID, data)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		r.Logger.Warn("a task is not in WORK yet; trying again", "task", t.ID, "error", err)
		pause(ctx, again)
	}
}

func (r *Responder) decideAll(ctx context.Context) error {
	reader, err := r.Bus.Inbox(ctx, r.fold.State.Inbox+1)
	if err != nil {
		return err
	}
	defer reader.Close()
	snapshotAt, trimmed := r.fold.Seq, r.Now()
	r.ticks.wakeAt(r.fold.State.NextWake())
	for {
		msg, err := reader.Next(ctx)
		if err != nil {
			return err
		}
		if err := r.decide(ctx, msg); err != nil {
			return err
		}
		r.ticks.wakeAt(r.fold.State.NextWake())
		if r.fold.Seq-snapshotAt >= r.SnapshotEvery {
			r.snapshot(ctx)
			snapshotAt = r.fold.Seq
		}
		if now := r.Now(); now.Sub(trimmed) >= trimEvery {
			trimmed = now
			if err := r.Bus.TrimInbox(ctx, r.fold.State.Inbox); err != nil {
				r.Logger.Warn("INBOX was not trimmed", "error", err)
			}
		}
	}
}

// decision collects what follows from one INBOX message, and appends it in as
// few records as the size of a message allows.
type decision struct {
	r   *Responder
	ctx context.Context //nolint:containedctx // lives for one call of decide
	at  time.Time
	// cause is how far the message is decided by what was collected.
	cause   ledger.Cause
	encoded []json.RawMessage
	events  []engine.Event
	size    int
}

// decide takes one INBOX message to the ledger and to WORK. After an error the
// fold is not to be used further.
func (r *Responder) decide(ctx context.Context, msg bus.Msg) error {
	at := r.Now().Round(0).UTC()
	if at.Before(r.fold.State.At) {
		at = r.fold.State.At
	}
	d := &decision{r: r, ctx: ctx, at: at}
	// Nobody sees a state that is not on disk.
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.fold.State.RuleSet
	lines := bytes.Split(bytes.TrimRight(msg.Data, "\n"), []byte("\n"))
	for i := r.fold.State.InboxLine; i < len(lines); i++ {
		in, err := r.read(msg.Subject, lines[i])
		if err == nil && in.Rules != nil {
			err = r.sets.add(in.Rules.Digest, in.Rules.Sources)
		}
		if err != nil {
			r.Logger.Error("a line of INBOX is passed over", "sequence", msg.Seq, "line", i+1, "error", err)
			r.Metrics.undecodable()
			in = engine.Input{Tick: &engine.Tick{}}
		}
		if err := d.advance(in); err != nil {
			return err
		}
		d.cause = ledger.Cause{Inbox: msg.Seq, Line: i + 1}
	}
	d.cause = ledger.Cause{Inbox: msg.Seq}
	if err := d.append(); err != nil {
		return err
	}
	// An input from which nothing follows leaves no record: deciding it again
	// after a crash comes to the same.
	r.fold.State.Inbox, r.fold.State.InboxLine = msg.Seq, 0
	r.sets.keep(r.fold.State.RuleSets)
	if after := r.fold.State.RuleSet; after != before {
		r.Logger.Info("rules are in force", "digest", after, "instead", before)
		r.wake()
	}
	r.moved()
	return nil
}

// read decodes a line, and refuses what its subject does not carry: whoever may
// answer tasks may not do anything else.
func (r *Responder) read(subject string, line []byte) (engine.Input, error) {
	in, err := engine.UnmarshalLine(line)
	group, answers := bus.ResultGroup(subject)
	switch {
	case err != nil:
		return engine.Input{}, err
	case answers && len(line) > r.Bus.MaxMessage()/4*3:
		// The record that takes it must be a message, too.
		return engine.Input{}, fmt.Errorf("on %s there is a result of %d bytes, which is too long for the ledger", subject, len(line))
	case answers && in.Result == nil:
		return engine.Input{}, fmt.Errorf("on %s there is something else than a result", subject)
	case in.Result != nil:
		in.Result.Group = group
	}
	return in, nil
}

// progress is how far the state says that INBOX was decided.
func progress(st *engine.State) ledger.Cause {
	if st.InboxLine > 0 {
		return ledger.Cause{Inbox: st.Inbox + 1, Line: st.InboxLine}
	}
	return ledger.Cause{Inbox: st.Inbox}
}

func (d *decision) advance(in engine.Input) error {
	return engine.AdvanceEach(d.r.sets, d.r.fold.State, d.at, in, d.collect)
}

// collect keeps events for the next record, and appends those before them if
// all together would be too large for a message.
func (d *decision) collect(events []engine.Event) error {
	size := 0
	encoded := make([]json.RawMessage, len(events))
	for i, ev := range events {
		b, err := engine.MarshalEvent(ev)
		if err != nil {
			return err
		}
		encoded[i] = b
		size += len(b) + 1
	}
	// A quarter is left for the record around the events.
	if len(d.encoded) > 0 && d.size+size > d.r.Bus.MaxMessage()/4*3 {
		if err := d.append(); err != nil {
			return err
		}
	}
	d.encoded, d.events, d.size = append(d.encoded, encoded...), append(d.events, events...), d.size+size
	return nil
}

// append makes what was collected a record and publishes its tasks. The caller
// holds the lock.
func (d *decision) append() error {
	if len(d.encoded) == 0 {
		return nil
	}
	r := d.r
	cause := d.cause
	if cause.Inbox == 0 {
		// No further line of this message is decided whole yet.
		cause = progress(r.fold.State)
	}
	data, err := r.fold.Next(d.at, cause, d.encoded)
	if err != nil {
		return err
	}
	seq, err := r.Bus.AppendLedger(d.ctx, r.fold.Seq, ledger.Hash(data), data)
	if err != nil {
		if errors.Is(err, bus.ErrLostRace) {
			return fmt.Errorf("another leader wrote record %d: %w", r.fold.Seq+1, err)
		}
		return err
	}
	r.fold.Took(seq, cause, data)
	r.observe(d.at, d.events, true)
	for _, ev := range d.events {
		if issued, ok := ev.(engine.TaskIssued); ok {
			if err := r.publishTask(d.ctx, issued.Task); err != nil {
				return err
			}
		}
	}
	d.encoded, d.events, d.size = nil, nil, 0
	return nil
}
