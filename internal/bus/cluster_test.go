package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// openCluster waits until the cluster has elected itself and opens a bus on it.
func openCluster(t *testing.T, nodes []*node) *Bus {
	t.Helper()
	return openIn(t, Config{URL: clusterURL(nodes), Replicas: 3, MaxStore: 1 << 30})
}

// leaderOf is the node that leads the stream.
func leaderOf(t *testing.T, b *Bus, nodes []*node, stream string) *node {
	t.Helper()
	info, err := b.info(testContext(t), stream)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.c.Name == info.Cluster.Leader {
			return n
		}
	}
	t.Fatalf("%s is led by %q", stream, info.Cluster.Leader)
	return nil
}

// awaitReplicas waits until every replica of the stream is current again.
func awaitReplicas(t *testing.T, b *Bus, stream string) {
	t.Helper()
	poll(t, "the replicas of "+stream, func() bool {
		info, err := b.info(testContext(t), stream)
		if err != nil || info.Cluster == nil || len(info.Cluster.Replicas) != 2 {
			return false
		}
		for _, r := range info.Cluster.Replicas {
			if !r.Current || r.Offline {
				return false
			}
		}
		return true
	})
}

func TestCluster(t *testing.T) {
	nodes := startServers(t, 3)
	b := openCluster(t, nodes)
	ctx := testContext(t)
	if err := b.Health(ctx); err != nil {
		t.Fatal(err)
	}
	t.Run("ledger", func(t *testing.T) { clusterLedger(t, b) })
	t.Run("claims", func(t *testing.T) { clusterClaims(t, b) })
	t.Run("work", func(t *testing.T) { clusterWork(t, b) })
	t.Run("quarantine", func(t *testing.T) { clusterQuarantine(t, b, nodes) })
	t.Run("reopen", func(t *testing.T) { clusterReopen(t, nodes) })
	// The last part: it leaves the ledger long and nodes restarted.
	t.Run("kill the leader", func(t *testing.T) { clusterKills(t, b, nodes) })
}

// R3 looks for duplicates before it compares, and reports a conflict by another
// code than R1; the outcome is the same.
func clusterLedger(t *testing.T, b *Bus) {
	ctx := testContext(t)
	for i := range uint64(3) {
		if seq, err := b.AppendLedger(ctx, i, fmt.Sprint("r-", i+1), nil); err != nil || seq != i+1 {
			t.Fatalf("%d, %v", seq, err)
		}
	}
	if seq, err := b.AppendLedger(ctx, 1, "r-2", nil); err != nil || seq != 2 {
		t.Errorf("repeat: %d, %v; want 2", seq, err)
	}
	if _, err := b.AppendLedger(ctx, 1, "other", nil); !errors.Is(err, ErrLostRace) {
		t.Errorf("where r-2 stands: %v; want ErrLostRace", err)
	}
	if _, err := b.AppendLedger(ctx, 3, "r-1", nil); !errors.Is(err, ErrLostRace) {
		t.Errorf("an id used before: %v; want ErrLostRace", err)
	}
	if _, err := b.AppendLedger(ctx, 9, "beyond", nil); !errors.Is(err, ErrGap) {
		t.Errorf("beyond the end: %v; want ErrGap", err)
	}
	if last, err := b.LedgerLast(ctx); err != nil || last != 3 {
		t.Errorf("ends at %d, %v; want 3", last, err)
	}
}

func clusterClaims(t *testing.T, b *Bus) {
	ctx := testContext(t)
	rev, err := b.Claims(defaultGroup).Create(ctx, "task", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Claims(defaultGroup).Create(ctx, "task", nil); !errors.Is(err, ErrExists) {
		t.Errorf("second claim: %v; want ErrExists", err)
	}
	if _, err := b.Claims(defaultGroup).Update(ctx, "task", nil, rev+1); !errors.Is(err, ErrConflict) {
		t.Errorf("update of another revision: %v; want ErrConflict", err)
	}
	if _, err := b.Claims(defaultGroup).Update(ctx, "task", nil, rev); err != nil {
		t.Error(err)
	}
}

func clusterWork(t *testing.T, b *Bus) {
	q := openWork(t, b, 30*time.Second, "a", "b")
	publishWork(t, b, "a", "t-1")
	publishWork(t, b, "b", "t-2")
	one, two := next(t, q), next(t, q)
	if one.ID == two.ID {
		t.Fatalf("%s came twice", one.ID)
	}
	ack(t, one)
	ack(t, two)
	nothing(t, q, 50*time.Millisecond)
}

// A process that configures nothing about them leaves the streams as they are.
func clusterReopen(t *testing.T, nodes []*node) {
	b := openIn(t, Config{URL: clusterURL(nodes)})
	for name := range b.streams {
		info, err := b.info(testContext(t), name)
		if err != nil {
			t.Fatal(err)
		}
		if c := info.Config; c.Replicas != 3 || c.AllowDirect || c.MaxBytes > 1<<30 || c.MaxBytes <= 0 {
			t.Errorf("%s has %d replicas, direct gets %t, limit %d", name, c.Replicas, c.AllowDirect, c.MaxBytes)
		}
	}
}

// Two appenders and a reader, while whoever leads the ledger is killed: nothing
// that was acked is lost, nothing is stored twice, and the reader sees it all.
func clusterKills(t *testing.T, b *Bus, nodes []*node) {
	const kills = 2
	ctx := testContext(t)
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	from, err := b.LedgerLast(ctx)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := b.Ledger(ctx, from+1)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	acked := map[string]uint64{}
	progress := make(chan struct{}, 1)
	var wg sync.WaitGroup
	for w := range 2 {
		own := openCluster(t, nodes)
		wg.Go(func() {
			for last := from; stop.Err() == nil; {
				id := fmt.Sprintf("w%d-behind-%d", w, last)
				seq, err := own.AppendLedger(ctx, last, id, []byte(id))
				switch {
				case err == nil:
					mu.Lock()
					acked[id] = seq
					mu.Unlock()
					last = seq
					select {
					case progress <- struct{}{}:
					default:
					}
				case errors.Is(err, ErrLostRace):
					if last, err = own.LedgerLast(ctx); err != nil {
						t.Errorf("writer %d: %v", w, err)
						return
					}
				default:
					t.Errorf("writer %d behind %d: %v", w, last, err)
					return
				}
			}
		})
	}
	await := func(n int) {
		t.Helper()
		for range n {
			select {
			case <-progress:
			case <-ctx.Done():
				t.Fatal("appends do not go on")
			}
		}
	}
	for range kills {
		await(50)
		n := leaderOf(t, b, nodes, StreamLedger)
		n.kill()
		killed := time.Now()
		await(2) // one may have been acked before
		t.Logf("appends went on %s after the leader was killed", time.Since(killed).Round(time.Millisecond))
		await(50)
		n.start()
		n.awaitPort()
		awaitReplicas(t, b, StreamLedger)
	}
	cancel()
	wg.Wait()

	last, err := b.LedgerLast(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d records, %d kills", last-from, kills)
	for _, m := range readTo(t, reader, last) {
		if from++; m.Seq != from {
			t.Fatalf("read %d, want %d", m.Seq, from)
		}
		if acked[m.ID] != m.Seq {
			t.Errorf("record %d has id %s, which was acked at %d", m.Seq, m.ID, acked[m.ID])
		}
		delete(acked, m.ID)
	}
	for id, seq := range acked {
		t.Errorf("%s was acked at %d and is not there", id, seq)
	}
	poll(t, "the cluster to be healthy again", func() bool { return b.Health(ctx) == nil })
}

func TestLeaseFailsOverInACluster(t *testing.T) {
	nodes := startServers(t, 3)
	one, two := openCluster(t, nodes), openCluster(t, nodes)
	ctx := testContext(t)
	const ttl = 15 * time.Second // longer than an election
	l1, l2 := one.Lease("engine", "one", ttl), two.Lease("engine", "two", ttl)
	if err := l1.Acquire(ctx); err != nil {
		t.Fatal(err)
	}
	acquired := make(chan error, 1)
	go func() { acquired <- l2.Acquire(ctx) }()
	// The lease outlives the loss of the server that keeps it.
	leaderOf(t, two, nodes, streamLeader).kill()
	if err := l1.Renew(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-acquired:
		t.Fatalf("both hold it: %v", err)
	default:
	}
	released := time.Now()
	if err := l1.Release(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-acquired; err != nil {
		t.Fatal(err)
	}
	t.Logf("taken over %s after the release", time.Since(released).Round(time.Millisecond))
	if isDone(l2) || !isDone(l1) {
		t.Errorf("one done %t, two done %t", isDone(l1), isDone(l2))
	}
}
