package simulation

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	oneSeed = flag.Uint64("seed", 0, "run this seed alone, with a trace")
	seeds   = flag.Uint64("seeds", 10_000, "how many seeds to run")
)

// TestSimulation lives through many worlds, and wants every promise kept in each.
func TestSimulation(t *testing.T) {
	if *oneSeed != 0 {
		stats, err := Run(*oneSeed, os.Stdout)
		t.Logf("%+v", stats)
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	// Most of a world is JSON that lives for a moment.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	n := *seeds
	if testing.Short() {
		n = min(n, 500)
	}
	stats, failed := runMany(n, soundShell)
	for _, err := range failed[:min(len(failed), 10)] {
		t.Error(err)
	}
	t.Logf("%d seeds, %d failed: %+v", n, len(failed), stats)
	// A world in which nothing goes wrong proves nothing.
	if stats.Effects == 0 || stats.Crashes == 0 || stats.LostRaces == 0 || stats.Redeliveries == 0 || stats.Parked == 0 || stats.Cured == 0 {
		t.Errorf("some kind of trouble never came up: %+v", stats)
	}
	if n < 500 {
		return // too few to count on
	}
	for what, least := range perThousand() {
		if want := least * int(n) / 1000; stats.Happened[what] < want {
			t.Errorf("%q happened %d times in %d seeds, want %d: it is hardly tested", what, stats.Happened[what], n, want)
		}
	}
}

// perThousand is how often each construct must come up in a thousand worlds, at
// the least: one that does not happen proves nothing.
func perThousand() map[string]int {
	return map[string]int{
		"held by paused": 500, "held by flap": 30, "held by busy": 500, "held by cooldown": 25, "held by limit": 100, "held by budget": 500,
		"held by window": 1000, "held by unless": 1000, "held by requires": 1000, "held by concurrent": 200, "held by minHealthy": 1000,
		"undo started": 150, "undo applied": 150, "undo finished": 100, "undo refused by the target": 20, "undo found done": 40,
		"undo failed: retryable": 8, "undo failed: terminal": 4, "undo failed: plan-changed": 8, "undo failed: unknown": 20, "undo failed: paused": 4,
		"check met": 500, "check unmet": 100, "check failed": 100,
		"stands": 300, "stands on a later rung": 30, "stands again": 4, "what stands is mended": 50, "a newer start joins what stands": 60,
		"restore of what stands": 250, "restore in the middle": 60, "restore held by busy": 20, "restore held by paused": 20,
		"restored": 200, "restore failed": 60, "left by a person": 8, "a start while things are put back": 10,
		"given up in the middle: denied": 3, "given up in the middle: held": 3, "given up in the middle: unapproved": 3,
		"group begun": 500, "group joined": 100, "group handed over": 10, "routed": 1000, "told of a hold": 30,
		"only looks": 300, "planned on a target of its own": 3000, "held by holdDown": 300, "action skipped": 30,
	}
}

// A seed that fails can only be looked into if it is the same world again.
func TestSameSeedSameWorld(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		var one, two bytes.Buffer
		first, err := Run(seed, &one)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Run(seed, &two)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(first, second) || !bytes.Equal(one.Bytes(), two.Bytes()) {
			t.Errorf("seed %d went differently the second time: %+v, %+v", seed, first, second)
		}
	}
}

// runMany lives through the worlds of seeds 1 to n, each in a shell of its own.
func runMany(n uint64, sh func() shell) (Stats, []error) {
	var (
		next  atomic.Uint64
		mu    sync.Mutex
		sum   Stats
		fails []error
		wg    sync.WaitGroup
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := next.Add(1); seed <= n; seed = next.Add(1) {
				stats, err := run(seed, nil, sh())
				mu.Lock()
				sum.add(stats)
				if err != nil {
					fails = append(fails, err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return sum, fails
}
