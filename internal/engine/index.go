package engine

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
	"time"
)

// index is what State derives from its runs to find them quickly.
type index struct {
	active map[string]struct{}
	// tasks leads from an outstanding task to its run.
	tasks map[string]string
	// handling leads from rule and target, stated or canonical, to active runs.
	handling map[string][]string
	// holders leads from a canonical target to the run that has it.
	holders map[string]string
	// busy are the runs that wait for a target, paused those that wait for the
	// kill switch.
	busy   map[string]map[string]struct{}
	paused map[string]struct{}
	// alarms wake what time alone decides, deadlines what waits for an answer.
	alarms, deadlines wakes
}

func newIndex() index {
	return index{
		active: map[string]struct{}{}, tasks: map[string]string{},
		handling: map[string][]string{}, holders: map[string]string{},
		busy: map[string]map[string]struct{}{}, paused: map[string]struct{}{},
	}
}

// add enters a run as it now is.
func (x *index) add(r *Run) {
	if !r.Active() {
		return
	}
	x.active[r.ID] = struct{}{}
	if r.Task != nil {
		x.tasks[r.Task.ID] = r.ID
	}
	for _, k := range handlingKeys(r) {
		// Sorted, so that a state restored from a snapshot decides alike.
		at, _ := slices.BinarySearch(x.handling[k], r.ID)
		x.handling[k] = slices.Insert(x.handling[k], at, r.ID)
	}
	if r.Holds() {
		x.holders[r.Target.String()] = r.ID
	}
	if r.Phase == PhaseHeld {
		x.addHeld(r)
	}
	switch {
	case r.WakeAt.IsZero():
	case r.awaitsAnswer():
		heap.Push(&x.deadlines, wake{r.WakeAt, r.ID})
	default:
		heap.Push(&x.alarms, wake{r.WakeAt, r.ID})
	}
}

// remove takes a run out as it was when it was added.
func (x *index) remove(r *Run) {
	delete(x.active, r.ID)
	if r.Task != nil {
		delete(x.tasks, r.Task.ID)
	}
	for _, k := range handlingKeys(r) {
		ids := slices.DeleteFunc(x.handling[k], func(id string) bool { return id == r.ID })
		if len(ids) == 0 {
			delete(x.handling, k)
		} else {
			x.handling[k] = ids
		}
	}
	if r.Holds() && x.holders[r.Target.String()] == r.ID {
		delete(x.holders, r.Target.String())
	}
	if r.Phase == PhaseHeld {
		delete(x.paused, r.ID)
		if waiting := x.busy[r.Target.String()]; waiting != nil {
			if delete(waiting, r.ID); len(waiting) == 0 {
				delete(x.busy, r.Target.String())
			}
		}
	}
}

func (x *index) addHeld(r *Run) {
	switch r.Guard {
	case GuardPaused:
		x.paused[r.ID] = struct{}{}
	case GuardBusy:
		target := r.Target.String()
		if x.busy[target] == nil {
			x.busy[target] = map[string]struct{}{}
		}
		x.busy[target][r.ID] = struct{}{}
	}
}

func handlingKeys(r *Run) []string {
	stated := pastKey(r.Rule, r.Stated)
	if !r.Canonical() {
		return []string{stated}
	}
	if canonical := pastKey(r.Rule, r.Target); canonical != stated {
		return []string{stated, canonical}
	}
	return []string{stated}
}

// wake is an alarm of a run; wakes is a heap of them, ties by run, so that the
// order does not depend on how the heap came about.
type wake struct {
	at  time.Time
	run string
}

type wakes []wake

// next is the run that wakes first. Entries that are no longer true are
// dropped: that changes nothing that anybody can see.
func (w *wakes) next(s *State) (run string, at time.Time, ok bool) {
	for len(*w) > 0 {
		first := (*w)[0]
		if r := s.Runs[first.run]; r != nil && r.Active() && r.WakeAt.Equal(first.at) && r.awaitsAnswer() == (w == &s.index.deadlines) {
			return first.run, first.at, true
		}
		heap.Pop(w)
	}
	return "", time.Time{}, false
}

func (w wakes) Len() int { return len(w) }
func (w wakes) Less(i, j int) bool {
	if !w[i].at.Equal(w[j].at) {
		return w[i].at.Before(w[j].at)
	}
	return w[i].run < w[j].run
}
func (w wakes) Swap(i, j int) { w[i], w[j] = w[j], w[i] }

// Push and Pop implement heap.Interface.
func (w *wakes) Push(x any) { *w = append(*w, x.(wake)) } //nolint:forcetypeassert,errcheck // heap.Push is only called with a wake

func (w *wakes) Pop() any {
	last := (*w)[len(*w)-1]
	*w = (*w)[:len(*w)-1]
	return last
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}
