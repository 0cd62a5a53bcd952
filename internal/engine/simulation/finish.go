package simulation

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/tripgen/paramedic/internal/engine"
)

// finish checks what must hold once the world has calmed down.
func (w *world) finish() {
	h := w.lease
	if h == nil || h.state == nil || h.undecided() {
		w.violate("INBOX is not decided to its end")
		return
	}
	for _, r := range h.state.ActiveRuns() {
		w.violate("run %s never ended: it is %s because %q", r.ID, r.Phase, r.Why)
	}
	w.everyLineOnce()
	w.foldsAgree(h.state)
	w.replays()
}

// everyLineOnce counts that each alert and each result that is in INBOX was
// concluded upon as often as it is there: none skipped, none taken twice.
func (w *world) everyLineOnce() {
	want := map[string]int{}
	for _, m := range w.inbox {
		for _, in := range m.inputs {
			switch {
			case in.Delivery != nil:
				for _, a := range in.Delivery.Alerts {
					want[in.Delivery.ID+" "+string(a.Episode())]++
				}
			case in.Result != nil:
				want[in.Result.Task]++
			}
		}
	}
	for what, n := range want {
		if got := w.sees.verdicts[what]; got != n {
			w.violate("%q is in INBOX %d times, and was concluded upon %d times", what, n, got)
		}
	}
}

// foldsAgree compares the leader's state with the fold of the ledger, from
// nothing and from the newest snapshot.
func (w *world) foldsAgree(live *engine.State) {
	want := w.encode(live)
	for _, fromSnapshot := range []bool{false, true} {
		st, err := w.restore(fromSnapshot)
		if err != nil {
			w.violate("the ledger does not fold: %v", err)
			return
		}
		// Messages from which nothing followed left no record.
		st.Inbox, st.InboxLine = live.Inbox, live.InboxLine
		if got := w.encode(st); !bytes.Equal(got, want) {
			w.violate("the ledger (from a snapshot: %v) folds to\n%s\nbut the leader has\n%s", fromSnapshot, got, want)
		}
		if !st.NextWake().Equal(live.NextWake()) {
			w.violate("the fold (from a snapshot: %v) wakes at %s, the leader at %s", fromSnapshot, st.NextWake(), live.NextWake())
		}
	}
}

func (w *world) encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		w.violate("does not encode: %v", err)
	}
	return b
}

// replays decides INBOX again, at the times that the ledger has, and wants the
// same ledger. All of it was decoded before, by foldsAgree.
func (w *world) replays() {
	st := engine.NewState()
	for i, r := range w.ledger {
		var events []engine.Event
		m := w.inbox[r.inbox-1]
		to := r.line
		if to == 0 {
			to = len(m.lines)
		}
		for i, in := range m.inputs[r.from:to] {
			more, err := w.shell.advance(w.rules, st, r.at, in)
			if err != nil {
				w.violate("the replay cannot decide %s: %v", m.lines[r.from+i], err)
				return
			}
			events = append(events, more...)
		}
		if len(events) != len(r.events) {
			w.violate("the replay concludes %d events in record %d, the ledger has %d", len(events), i+1, len(r.events))
			return
		}
		for j, ev := range events {
			if reflect.DeepEqual(ev, r.folded[j]) {
				continue
			}
			b, err := engine.MarshalEvent(ev)
			if err != nil || !bytes.Equal(b, r.events[j]) {
				w.violate("the replay concludes %s in record %d, the ledger has %s (%v)", b, i+1, r.events[j], err)
				return
			}
		}
	}
}
