package simulation

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// host is a process with the engine in it. It leads if it believes so; whether it
// does is for the ledger to say.
type host struct {
	w    *world
	name string
	// skew is how far its clock is off.
	skew    time.Duration
	alive   bool
	leading bool
	// busy says that a decision waits to be written, life is told from the one
	// before by its number.
	busy bool
	life int
	next time.Time

	state *engine.State
	// records is how many of the ledger's are in the state.
	records int
	// ticked is the wake that a tick was sent for, and when.
	ticked, tickedAt time.Time
}

// mostSkew is how far a host's clock is off at most; the workers' clocks are right.
const mostSkew = time.Second

func (h *host) clock() time.Time { return h.w.now.Add(h.skew) }

// wake starts the process.
func (h *host) wake() {
	h.alive = true
	if lease := h.w.lease; lease == nil || !lease.alive {
		h.w.lease = h
	}
	h.soon(h.w.now)
}

// soon has the host look around at a time, or before.
func (h *host) soon(at time.Time) {
	if !h.alive || !h.next.IsZero() && !at.Before(h.next) {
		return
	}
	h.next = at
	h.w.at(at, func() {
		if h.next.Equal(at) {
			h.next = time.Time{}
			h.step()
		}
	})
}

// crash forgets all that was in memory.
func (h *host) crash(where string) {
	h.w.tell("host %s crashes %s", h.name, where)
	h.w.stats.Crashes++
	h.alive, h.busy = false, false
	h.resign()
	h.life++
	h.w.after(h.w.between(time.Second, 90*time.Second), h.wake)
	h.w.after(h.w.between(5*time.Second, 15*time.Second), func() {
		if h.w.lease == h && !h.alive {
			h.w.moveLease()
		}
	})
}

func (h *host) mayCrash(where string) bool {
	if !h.w.trouble(h.w.odds.hostCrash) {
		return false
	}
	h.crash(where)
	return true
}

func (h *host) resign() { h.leading, h.state = false, nil }

func (w *world) moveLease() {
	for _, h := range w.hosts {
		if h != w.lease && h.alive {
			w.tell("the lease moves to %s", h.name)
			w.lease = h
			h.soon(w.now)
			return
		}
	}
}

// keepMovingLease takes the lease from its holder now and then, who learns of it
// later.
func (w *world) keepMovingLease() {
	for _, h := range w.hosts {
		h.wake()
	}
	var again func()
	again = func() {
		if w.calm {
			return
		}
		if old := w.lease; w.chance(10 * w.odds.leaseMoves) {
			w.moveLease()
			w.after(w.between(0, 30*time.Second), func() {
				if w.lease != old && !old.busy {
					old.resign()
				}
			})
		}
		w.after(w.between(10*time.Second, 2*time.Minute), again)
	}
	again()
}

// step is one look around: lead if there is the lease, decide what there is to
// decide, see to it that there is a tick when time asks for one.
func (h *host) step() {
	if !h.alive || h.busy || h.w.err != nil {
		return
	}
	if !h.leading && (h.w.lease != h || !h.lead()) {
		return
	}
	for n := 0; h.undecided() && n < 5; n++ {
		if !h.decide() {
			return
		}
	}
	if h.undecided() {
		h.soon(h.w.now.Add(h.w.between(0, 50*time.Millisecond)))
		return
	}
	h.tick()
}

func (h *host) undecided() bool { return h.state.Inbox < uint64(len(h.w.inbox)) }

// lead folds the ledger and derives WORK again from it.
func (h *host) lead() bool {
	st, err := h.w.restore(h.w.chance(0.1))
	if err != nil {
		h.w.violate("host %s cannot fold the ledger: %v", h.name, err)
		return false
	}
	h.w.shell.restored(st)
	h.state, h.records, h.leading = st, len(h.w.ledger), true
	h.w.tell("host %s leads after %d records, INBOX %d+%d", h.name, h.records, st.Inbox, st.InboxLine)
	var tasks []engine.Task
	st.Outstanding(func(t engine.Task) { tasks = append(tasks, t) })
	return h.assign(tasks)
}

func (h *host) assign(tasks []engine.Task) bool {
	for _, t := range tasks {
		if h.mayCrash("before it publishes " + t.ID) {
			return false
		}
		h.w.assign(t)
	}
	return true
}

// decide takes one message of INBOX to the ledger and to WORK, and reports
// whether the host goes on.
func (h *host) decide() bool {
	seq := h.state.Inbox + 1
	m := h.w.inbox[seq-1]
	at := h.clock()
	if at.Before(h.state.At) {
		at = h.state.At
	}
	var pending []engine.Event
	from := h.state.InboxLine
	for i := from; i < len(m.lines); i++ {
		in, err := engine.UnmarshalLine(m.lines[i])
		if err != nil {
			h.w.violate("a line that was published does not decode: %v", err)
			return false
		}
		events, err := h.w.shell.advance(h.w.rules, h.state, at, in)
		if err != nil {
			h.w.violate("host %s cannot decide %s: %v", h.name, m.lines[i], err)
			return false
		}
		pending = append(pending, events...)
		if i+1 < len(m.lines) && h.w.chance(h.w.odds.split) {
			if !h.commit(at, seq, from, i+1, pending) {
				return false
			}
			pending, from = nil, i+1
		}
	}
	if h.w.trouble(h.w.odds.leaseMoves) {
		// It stops right here, and goes on later as if nothing had happened.
		h.busy = true
		life := h.life
		h.w.after(h.w.between(time.Second, time.Minute), func() {
			if h.life == life && h.busy {
				h.busy = false
				h.commit(at, seq, from, 0, pending)
				h.soon(h.w.now)
			}
		})
		return false
	}
	return h.commit(at, seq, from, 0, pending)
}

// commit appends a record and derives WORK from it. What nothing follows from
// leaves no record. Line 0 stands for the whole message.
func (h *host) commit(at time.Time, seq uint64, from, line int, events []engine.Event) bool {
	if len(events) > 0 && !h.record(at, seq, from, line, events) {
		return false
	}
	h.state.Inbox, h.state.InboxLine = progress(seq, line)
	if len(events) == 0 {
		return true
	}
	h.w.save(h)
	return h.assign(h.w.shell.tasks(events))
}

func progress(seq uint64, line int) (uint64, int) {
	if line == 0 {
		return seq, 0
	}
	return seq - 1, line
}

func (h *host) record(at time.Time, seq uint64, from, line int, events []engine.Event) bool {
	if h.mayCrash("before the ledger") {
		return false
	}
	if !h.w.shell.accepts(h.records, len(h.w.ledger)) {
		h.w.tell("host %s lost the race for record %d", h.name, h.records+1)
		h.w.stats.LostRaces++
		h.resign()
		h.soon(h.w.now.Add(time.Second))
		return false
	}
	r := record{at: at, inbox: seq, line: line, from: from}
	for _, ev := range events {
		b, err := engine.MarshalEvent(ev)
		if err != nil {
			h.w.violate("event does not encode: %v", err)
			return false
		}
		r.events = append(r.events, b)
		h.w.tell("%s %d+%d %s %s", h.name, seq, line, ev.Kind(), b)
	}
	h.w.ledger = append(h.w.ledger, r)
	h.records++
	h.w.sees.record(r, events)
	return !h.mayCrash("after the ledger")
}

// tick puts the passing of time into INBOX when the state waits for it.
func (h *host) tick() {
	wake := h.state.NextWake()
	switch {
	case wake.IsZero():
	case wake.After(h.clock()):
		h.soon(wake.Add(-h.skew))
	case wake.Equal(h.ticked) && h.w.now.Sub(h.tickedAt) < 5*time.Second:
		h.soon(h.tickedAt.Add(5 * time.Second))
	default:
		h.ticked, h.tickedAt = wake, h.w.now
		h.w.deliver(engine.Input{Tick: &engine.Tick{At: h.clock()}})
		h.soon(h.w.now.Add(5 * time.Second))
	}
}

// save keeps a snapshot now and then.
func (w *world) save(h *host) {
	if h.records%80 != 0 || h.records != len(w.ledger) {
		return
	}
	b, err := json.Marshal(h.state)
	if err != nil {
		w.violate("state does not encode: %v", err)
		return
	}
	w.saved = append(w.saved, snapshot{records: h.records, state: b})
}

// restore folds the ledger, from the newest snapshot or from nothing.
func (w *world) restore(fromSnapshot bool) (*engine.State, error) {
	st, first := engine.NewState(), 0
	if n := len(w.saved); fromSnapshot && n > 0 {
		st = &engine.State{}
		if err := json.Unmarshal(w.saved[n-1].state, st); err != nil {
			return nil, err
		}
		st.Reindex()
		first = w.saved[n-1].records
	}
	if first > len(w.ledger) {
		return nil, errors.New("the snapshot is newer than the ledger")
	}
	decoder := engine.NewEventDecoder()
	for i := first; i < len(w.ledger); i++ {
		r := &w.ledger[i]
		events, err := r.decode(decoder)
		if err != nil {
			return nil, err
		}
		for _, ev := range events {
			if err := st.Apply(r.at, ev); err != nil {
				return nil, err
			}
		}
		st.Inbox, st.InboxLine = progress(r.inbox, r.line)
	}
	return st, nil
}
