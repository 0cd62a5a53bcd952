package worker

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// stop lets a first worker be stopped at its point i, as by SIGSTOP or a long
// pause of its machine, and go on when a second worker, which got the task
// meanwhile, is at its point j, or, if that has fewer, when it has finished.
type stop struct {
	kind kind
	// task is executeTask if it is not set.
	task func() engine.Task
	i, j int
	// dies: having gone on, the first worker makes its call and dies.
	dies bool
	// prepare, if set, is called before; at, if set, at every point of the
	// second's.
	prepare func(w *world)
	at      func(second string, w *world)
}

func (s stop) run(t *testing.T) (st story, first []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		st.world = newWorld(cancel)
		if s.task == nil {
			s.task = executeTask
		}
		st.world.enqueue(t, s.task())
		if s.prepare != nil {
			s.prepare(st.world)
		}

		wake := make(chan struct{})
		woken := false
		goOn := func() {
			if !woken {
				woken = true
				close(wake)
				synctest.Wait()
			}
		}
		a := &view{world: st.world, name: "first", kind: s.kind}
		a.at = func(n int, name string) error {
			if s.dies && n > s.i && (name == "execute.after" || name == "undo.after") {
				runtime.Goexit()
			}
			if n == s.i {
				a.pmu.Lock()
				a.deaf = true
				a.pmu.Unlock()
				<-wake
			}
			return nil
		}
		b := &view{world: st.world, name: "second", kind: s.kind}
		b.at = func(n int, name string) error {
			st.trace = append(st.trace, name)
			if s.at != nil {
				s.at(name, st.world)
			}
			if n == s.j {
				goOn()
			}
			return nil
		}
		firstEnded, secondEnded := make(chan error, 1), make(chan error, 1)
		go func() { firstEnded <- a.worker(t).Run(ctx) }()
		synctest.Wait()
		if len(a.trace) > s.i { // or else the first has done it all
			go func() { secondEnded <- b.worker(t).Run(ctx) }()
			if err := <-secondEnded; err != nil {
				t.Error(err)
			}
			goOn()
		}
		if err := <-firstEnded; err != nil {
			t.Error(err)
		}
		first = a.trace
	})
	return st, first
}

// TestStoppedWorkerWakesUpAnywhere is the case that a claim alone does not
// cover: the first worker is not dead, and its call still comes.
func TestStoppedWorkerWakesUpAnywhere(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			runs, refused, found := 0, 0, 0
			for i := 0; ; i++ {
				if _, first := (stop{kind: k, i: i}).run(t); len(first) <= i {
					break
				}
				for n := 0; ; n++ {
					j, dies := n/2, n%2 == 1
					s, first := stop{kind: k, i: i, j: j, dies: dies}.run(t)
					runs++
					if s.world.target.calls > s.world.target.effects {
						refused++
						if s.world.results[0].Observed {
							found++
						}
					}
					where := s.at(j) + " of the second, stopped at " + first[i]
					if err := s.check(k); err != nil {
						t.Fatalf("woken at %s: %v\nfirst:\n%s\nsecond:\n%s",
							where, err, strings.Join(first, "\n"), strings.Join(s.trace, "\n"))
					}
					if (k.fenced || k.idempotent) && s.world.results[0].Outcome == nil {
						t.Fatalf("woken at %s: %+v", where, s.world.results[0].Failure)
					}
					if len(s.trace) <= j {
						break
					}
				}
			}
			t.Logf("%d ways to be stopped; of two calls the second was refused %d times, the first's found applied %d times", runs, refused, found)
			if k.fenced && (found == 0 || refused == found) {
				t.Error("the calls have not met in both orders")
			}
		})
	}
}

// TestStoppedWorkerAndPause also pauses before each of the second worker's looks
// at the kill switch, where the first was stopped with its call announced:
// paused must never be answered when that call came through.
func TestStoppedWorkerAndPause(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			runs := 0
			for i := 0; ; i++ {
				_, first := stop{kind: k, i: i}.run(t)
				if len(first) <= i {
					break
				}
				switch first[i] {
				case "claim.create.after", string(CallBefore), "execute.before", "execute.after":
				default:
					continue
				}
				for j := 0; ; j++ {
					longest := 0
					for p := 0; ; p++ {
						looks := 0
						s, first := stop{kind: k, i: i, j: j, at: func(second string, w *world) {
							if second != "pauses.list.before" {
								return
							}
							if looks++; looks == p+1 {
								w.pause(engine.ScopeAll)
							}
						}}.run(t)
						runs++
						longest = max(longest, len(s.trace))
						if err := s.check(k); err != nil {
							t.Fatalf("paused at look %d, woken at %s, stopped at %s: %v\n%s", p, s.at(j), first[i], err, strings.Join(s.trace, "\n"))
						}
						if looks <= p {
							break
						}
					}
					if longest <= j || j > 40 { // paused, it only looks again and again
						break
					}
				}
			}
			t.Logf("%d ways to be paused", runs)
		})
	}
}

// TestStoppedWorkerAndResume lifts a pause that the first worker has seen before
// it was stopped: then the second executes, and the first must not answer that
// it was paused.
func TestStoppedWorkerAndResume(t *testing.T) {
	for _, k := range kinds() {
		for i := 0; ; i++ {
			s, first := stop{
				kind: k, i: i, j: 1000,
				prepare: func(w *world) { w.pause(engine.ScopeAll) },
				at:      func(_ string, w *world) { w.resume(engine.ScopeAll) },
			}.run(t)
			if len(first) <= i {
				break
			}
			if err := s.check(k); err != nil {
				t.Errorf("%s, stopped at %s: %v", k.name, first[i], err)
			}
		}
	}
}

// TestLateCallIsRefused spells the worst case out: the second worker has
// observed, called and answered, and only then the first one's call arrives.
func TestLateCallIsRefused(t *testing.T) {
	k := kind{name: "fenced", fenced: true}
	_, first := stop{kind: k, i: 1000}.run(t)
	i := 0
	for first[i] != "execute.before" {
		i++
	}
	s, first := stop{kind: k, i: i, j: 1000}.run(t)
	if err := s.check(k); err != nil {
		t.Fatal(err)
	}
	if s.world.target.calls != 2 || s.world.target.effects != 1 {
		t.Errorf("%d calls, %d effects, want 2 and 1", s.world.target.calls, s.world.target.effects)
	}
	r := s.world.results[0]
	if r.Worker != "second" || r.Outcome == nil || r.Observed {
		t.Errorf("result %+v, want the second worker's own outcome", r)
	}
	if slices.Contains(first, "inbox.publish.before") && len(s.world.results) == 1 {
		t.Error("the first worker published, but nothing arrived")
	}
	if got := r.At.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); got < testAckWait {
		t.Errorf("answered after %v, before the task can have come again", got)
	}
}
