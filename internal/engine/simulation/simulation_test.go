package simulation

import (
	"bytes"
	"flag"
	"os"
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
		n = min(n, 300)
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
		if first != second || !bytes.Equal(one.Bytes(), two.Bytes()) {
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
