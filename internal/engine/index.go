package engine

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// index is what State derives from its runs and episodes to find them quickly.
type index struct {
	active map[string]struct{}
	// tasks leads from an outstanding task to its run.
	tasks map[string]string
	// handling leads from rule and target, stated or canonical, and from rule
	// and group, to active runs that more alerts may join.
	handling map[string][]string
	// holders leads from a canonical target to the run that has it; holding
	// counts the runs by rule.
	holders map[string]string
	holding map[string]int
	// acting counts the runs at work whose mode may act, by rule.
	acting map[string]int
	// waiting are the held runs, by what they wait for: see waits.go.
	waiting map[string]map[string]struct{}
	// firing are the episodes that fire, by the alert's name.
	firing map[string]map[alert.EpisodeID]*Episode
	// alarms wake what time alone decides, deadlines what waits for an answer.
	alarms, deadlines wakes
}

func newIndex() index {
	return index{
		active: map[string]struct{}{}, tasks: map[string]string{},
		handling: map[string][]string{}, holders: map[string]string{}, holding: map[string]int{}, acting: map[string]int{},
		waiting: map[string]map[string]struct{}{}, firing: map[string]map[alert.EpisodeID]*Episode{},
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
	if r.atWork() {
		x.acting[r.Rule]++
	}
	if r.Holds() {
		for _, t := range r.keeps() {
			x.holders[t.String()] = r.ID
		}
		x.holding[r.Rule]++
	}
	if key := r.waitsFor(); key != "" {
		enter(x.waiting, key, r.ID, struct{}{})
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
	if r.atWork() {
		uncount(x.acting, r.Rule)
	}
	if r.Holds() {
		uncount(x.holding, r.Rule)
		for _, t := range r.keeps() {
			if x.holders[t.String()] == r.ID {
				delete(x.holders, t.String())
			}
		}
	}
	if key := r.waitsFor(); key != "" {
		leave(x.waiting, key, r.ID)
	}
}

// fire enters an episode that fires, and unfire takes it out.
func (x *index) fire(id alert.EpisodeID, ep *Episode) { enter(x.firing, ep.Alert.Name, id, ep) }

func (x *index) unfire(id alert.EpisodeID, ep *Episode) { leave(x.firing, ep.Alert.Name, id) }

func enter[K comparable, V any](sets map[string]map[K]V, key string, member K, v V) {
	if sets[key] == nil {
		sets[key] = map[K]V{}
	}
	sets[key][member] = v
}

func leave[K comparable, V any](sets map[string]map[K]V, key string, member K) {
	if delete(sets[key], member); len(sets[key]) == 0 {
		delete(sets, key)
	}
}

func uncount(counts map[string]int, key string) {
	if counts[key]--; counts[key] == 0 {
		delete(counts, key)
	}
}

// handlingKeys are what more alerts find a run by that they join.
func handlingKeys(r *Run) []string {
	if r.leaves() {
		return nil
	}
	keys := []string{pastKey(r.Rule, r.Stated)}
	if r.Canonical() && r.Target != r.Stated {
		keys = append(keys, pastKey(r.Rule, r.Target))
	}
	if r.Group != "" {
		keys = append(keys, groupKey(r.Rule, r.Group))
	}
	for _, group := range r.Groups {
		keys = append(keys, groupKey(r.Rule, group))
	}
	return keys
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
