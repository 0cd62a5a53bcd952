package simulation

import (
	"encoding/json"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// message is one message of INBOX; its sequence is its place, from 1.
type message struct {
	lines [][]byte
	// inputs are the lines decoded, for the observer.
	inputs []engine.Input
}

// record is one decision in the ledger.
type record struct {
	at time.Time
	// inbox and line are how far INBOX was decided, as in the ledger's cause;
	// from is the first line that the record decides.
	inbox      uint64
	line, from int
	events     []json.RawMessage
	// folded are the events decoded, once somebody asked for them. They are
	// shared by all who fold them: no fold may change what it folds.
	folded []engine.Event
}

func (r *record) decode(d *engine.EventDecoder) ([]engine.Event, error) {
	for _, b := range r.events[len(r.folded):] {
		ev, err := d.Decode(b)
		if err != nil {
			return nil, err
		}
		r.folded = append(r.folded, ev)
	}
	return r.folded, nil
}

// snapshot is a state as it was after so many records.
type snapshot struct {
	records int
	state   []byte
}

// publish appends a message to INBOX. Who publishes is told at once; what goes
// wrong on the way is the publishers' own business.
func (w *world) publish(inputs ...engine.Input) {
	m := message{inputs: inputs}
	for _, in := range inputs {
		b, err := json.Marshal(in)
		if err != nil {
			w.violate("input does not encode: %v", err)
			return
		}
		m.lines = append(m.lines, b)
	}
	w.inbox = append(w.inbox, m)
	w.poke()
}

// deliver carries inputs to INBOX as an unreliable publisher does: late at
// times, twice at times, but not never.
func (w *world) deliver(inputs ...engine.Input) {
	delay := w.between(time.Millisecond, 500*time.Millisecond)
	if w.trouble(w.odds.late) {
		delay = w.between(time.Second, 4*time.Minute)
	}
	w.after(delay, func() { w.publish(inputs...) })
	if w.trouble(w.odds.duplicate) {
		w.after(w.between(0, 3*time.Minute), func() { w.publish(inputs...) })
	}
}

// job is one task on WORK.
type job struct {
	task       engine.Task
	acked      bool
	deliveries int
	// live counts the workers that have it in hand.
	live int
	// last is when it was published last.
	last time.Time
}

const (
	ackWait = 40 * time.Second
	// mostDeliveries is when WORK gives a task up.
	mostDeliveries = 8
	// dedupe is how long WORK knows a task that was published before.
	dedupe = 2 * time.Minute
)

// assign publishes a task on WORK.
func (w *world) assign(t engine.Task) {
	j, known := w.work[t.ID]
	switch {
	case known && w.now.Sub(j.last) < dedupe && !w.trouble(w.odds.duplicate):
		return
	case known:
		// A second message of the same task, with deliveries of its own.
		j = &job{task: t}
	default:
		j = &job{task: t}
		w.work[t.ID] = j
	}
	j.last = w.now
	w.tell("WORK %s %s %s", t.ID, t.Action, t.Target)
	w.after(w.between(time.Millisecond, 300*time.Millisecond), func() { w.hand(j) })
	if w.trouble(w.odds.duplicate) {
		w.after(w.between(0, time.Minute), func() { w.hand(j) })
	}
}

// hand gives a job to a worker, and again as long as nobody acknowledges it.
func (w *world) hand(j *job) {
	if j.acked || j.deliveries >= mostDeliveries && !w.calm {
		return
	}
	j.deliveries++
	if j.deliveries > 1 {
		w.stats.Redeliveries++
	}
	if j.deliveries > mostDeliveries*5 {
		return
	}
	a := &activity{w: w, job: j, task: j.task, worker: w.rng.IntN(3)}
	j.live++
	a.begin()
	w.watch(j)
}

func (w *world) watch(j *job) {
	w.after(ackWait, func() {
		switch {
		case j.acked:
		case j.live > 0 && !w.trouble(w.odds.redelivered):
			w.watch(j) // heartbeats
		default:
			w.hand(j)
		}
	})
}
