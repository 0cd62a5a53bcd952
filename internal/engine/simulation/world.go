package simulation

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// epoch is when every world begins.
func epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

const (
	// chaos is how long things go wrong; then the world calms down.
	chaos = 50 * time.Minute
	// mostMoments bounds a world that does not calm down.
	mostMoments = 200_000
)

// odds are a world's own chances of each kind of trouble, so that some seeds are
// all crashes and others are all redeliveries.
type odds struct {
	hostCrash, leaseMoves, split           float64
	lost, duplicate, late                  float64
	workerCrash, workerSleeps, redelivered float64
	refuses, hangs, silent, changes        float64
	cures                                  float64
}

// world is one seed's.
type world struct {
	clock
	seed  uint64
	rng   *rand.Rand
	odds  odds
	trace io.Writer
	shell shell
	calm  bool

	rules   rulebook
	inbox   []message
	ledger  []record
	saved   []snapshot
	hosts   []*host
	lease   *host
	work    map[string]*job
	claims  map[string]*claim
	targets map[string]*target
	pauses  map[string]bool
	series  []*series
	stats   Stats
	sees    *observer
	ids     int
	err     error
}

// Stats say what a world went through.
type Stats struct {
	Messages, Records, Runs, Effects, Crashes, LostRaces, Redeliveries, Parked, Cured int
	// Happened counts what became of each construct of the rule language.
	Happened map[string]int
}

// add sums up the stats of several worlds.
func (s *Stats) add(o Stats) {
	s.Messages += o.Messages
	s.Records += o.Records
	s.Runs += o.Runs
	s.Effects += o.Effects
	s.Crashes += o.Crashes
	s.LostRaces += o.LostRaces
	s.Redeliveries += o.Redeliveries
	s.Parked += o.Parked
	s.Cured += o.Cured
	if s.Happened == nil {
		s.Happened = map[string]int{}
	}
	for what, n := range o.Happened {
		s.Happened[what] += n
	}
}

// Run lives through the world of a seed, and reports the first promise that was
// broken. Trace, if not nil, is told what happens.
func Run(seed uint64, trace io.Writer) (Stats, error) {
	return run(seed, trace, soundShell())
}

func run(seed uint64, trace io.Writer, sh shell) (Stats, error) {
	w := &world{
		clock: clock{now: epoch()}, seed: seed, rng: rand.New(rand.NewPCG(seed, 0x9a7a3ed1c)),
		trace: trace, shell: sh,
		work: map[string]*job{}, claims: map[string]*claim{}, pauses: map[string]bool{},
		stats: Stats{Happened: map[string]int{}},
	}
	w.odds = w.drawOdds()
	w.rules = newRulebook(w)
	w.targets = newTargets(w)
	w.sees = newObserver(w)
	w.series = newSeries()
	w.begin()
	for n := 0; w.err == nil && w.step(); n++ {
		if n > mostMoments {
			w.violate("the world does not calm down")
		}
	}
	if w.err == nil {
		w.finish()
	}
	w.stats.Messages, w.stats.Records = len(w.inbox), len(w.ledger)
	return w.stats, w.err
}

// violate records the first broken promise.
func (w *world) violate(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("seed %d, at %s: %s", w.seed, w.now.Sub(epoch()), fmt.Sprintf(format, args...))
		w.tell("VIOLATED: %v", w.err)
	}
}

func (w *world) tell(format string, args ...any) {
	if w.trace != nil {
		// A trace that cannot be written is nothing to stop for.
		_, _ = fmt.Fprintf(w.trace, "%-14s %s\n", w.now.Sub(epoch()), fmt.Sprintf(format, args...))
	}
}

// happened counts one thing of a kind.
func (w *world) happened(what string) { w.stats.Happened[what]++ }

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

// trouble is chance as long as things go wrong.
func (w *world) trouble(p float64) bool { return !w.calm && w.chance(p) }

func (w *world) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.rng.Int64N(int64(most-least)+1))
}

func (w *world) id(prefix string) string {
	w.ids++
	return fmt.Sprintf("%s%d", prefix, w.ids)
}

func (w *world) drawOdds() odds {
	// Most kinds are rare in most worlds, and rife in a few.
	p := func(most float64) float64 { return most * w.rng.Float64() * w.rng.Float64() }
	return odds{
		hostCrash: p(0.06), leaseMoves: p(0.04), split: w.rng.Float64(),
		lost: p(0.2), duplicate: p(0.4), late: p(0.3),
		workerCrash: p(0.2), workerSleeps: p(0.3), redelivered: w.rng.Float64(),
		refuses: p(0.5), hangs: p(0.4), silent: p(0.4), changes: w.rng.Float64(),
		cures: 0.2 + 0.8*w.rng.Float64(),
	}
}

// begin sets everything going.
func (w *world) begin() {
	w.hosts = []*host{{w: w, name: "A"}, {w: w, name: "B"}}
	for _, h := range w.hosts {
		h.skew = w.between(-mostSkew, mostSkew)
	}
	w.lease = w.hosts[0]
	w.publish(engine.Input{Rules: &engine.NewRules{Digest: w.rules.digests[0], Sources: []engine.Source{{Name: "r", Text: w.rules.digests[0]}}}})
	w.senders()
	w.people()
	w.keepMovingLease()
	w.at(epoch().Add(chaos), w.calmDown)
}

// calmDown ends all trouble, heals what is broken, and leaves the engine to come
// to its ends.
func (w *world) calmDown() {
	w.tell("calm")
	w.calm = true
	for _, h := range w.hosts {
		h.alive = true
		w.after(0, h.wake)
	}
	for _, t := range w.sortedTargets() {
		t.broken, t.unready, t.mute, t.healthy = false, false, false, instances
	}
	w.resumeAll()
	// Some senders fall silent instead of sending a resolve.
	silent := w.chance(0.2)
	for _, s := range w.series {
		// A schedule does not forget its restore, whatever became of its messages.
		s.firing = s.firing || s.name == night && !s.start.IsZero()
		s.end(silent && s.name != night)
	}
}

// poke lets the hosts look at INBOX before long.
func (w *world) poke() {
	for _, h := range w.hosts {
		h.soon(w.now.Add(w.between(time.Millisecond, 200*time.Millisecond)))
	}
}
