package bus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestClaims(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	c := b.Claims(defaultGroup)
	const key = "run 1/attempt 2.action=3"
	if _, _, err := c.Get(ctx, key); !errors.Is(err, ErrNotFound) {
		t.Fatalf("before: %v", err)
	}
	rev, err := c.Create(ctx, key, []byte("worker-1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(ctx, key, []byte("worker-1")); !errors.Is(err, ErrExists) {
		t.Fatalf("second: %v", err)
	}
	v, got, err := c.Get(ctx, key)
	if err != nil || string(v) != "worker-1" || got != rev {
		t.Fatalf("%s at %d, %v", v, got, err)
	}
	newer, err := c.Update(ctx, key, []byte("done"), rev)
	if err != nil || newer <= rev {
		t.Fatalf("update: %d, %v", newer, err)
	}
	if _, err := c.Update(ctx, key, []byte("late"), rev); !errors.Is(err, ErrConflict) {
		t.Fatalf("late update: %v", err)
	}
	if _, err := c.Update(ctx, "absent", nil, 5); !errors.Is(err, ErrConflict) {
		t.Fatalf("update of nothing: %v", err)
	}
	if _, err := c.Update(ctx, key, nil, 0); err == nil {
		t.Fatal("update of revision 0")
	}
	if _, err := c.Create(ctx, "", nil); err == nil {
		t.Fatal("empty key")
	}
}

func TestOneOfManyClaims(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			switch _, err := b.Claims(defaultGroup).Create(ctx, "task", []byte("same")); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, ErrExists):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d claims succeeded", won.Load())
	}
}

func TestPauses(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	p := b.Pauses()
	ctx2, stop := context.WithCancel(ctx)
	updates, err := p.Watch(ctx2)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{}
	check := func() {
		t.Helper()
		started := time.Now()
		for {
			select {
			case got := <-updates:
				if !reflect.DeepEqual(got, want) {
					continue // a map from before the last change
				}
				if d := time.Since(started); d > time.Second {
					t.Errorf("the change was seen after %s", d)
				}
				if listed, err := p.List(ctx); err != nil || !reflect.DeepEqual(listed, want) {
					t.Errorf("list is %q, %v; want %q", listed, err, want)
				}
				return
			case <-time.After(5 * time.Second):
				t.Fatalf("%q was never seen", want)
			}
		}
	}
	check()
	put := func(scope, value string) {
		t.Helper()
		if err := p.Put(ctx, scope, []byte(value)); err != nil {
			t.Fatal(err)
		}
		want[scope] = []byte(value)
		check()
	}
	remove := func(scope string) {
		t.Helper()
		if err := p.Delete(ctx, scope); err != nil {
			t.Fatal(err)
		}
		delete(want, scope)
		check()
	}
	put("all", "me")
	put("target/kubernetes/korea/production/Deployment/profile.service", "why")
	put("all", "somebody else")
	remove("all")
	put("rule/서비스 *.>", "x")
	put("all", "again")
	for i := range 20 {
		want[fmt.Sprint("rule/", i)] = []byte("burst")
		if err := p.Put(ctx, fmt.Sprint("rule/", i), []byte("burst")); err != nil {
			t.Fatal(err)
		}
	}
	check()
	// Lifted with the NATS command line, which knows only the bucket.
	kv, err := b.js.KeyValue(ctx, "PAUSES")
	if err != nil {
		t.Fatal(err)
	}
	if err := kv.Delete(ctx, "all"); err != nil {
		t.Fatal(err)
	}
	delete(want, "all")
	check()
	if err := p.Delete(ctx, "never there"); err != nil {
		t.Error(err)
	}
	stop()
	for range updates { // closed in the end
		continue
	}
}

func TestPausesSurviveARestart(t *testing.T) {
	ctx, dir := testContext(t), t.TempDir()
	b := openIn(t, Config{Dir: dir, MaxStore: 1 << 30})
	if err := b.Pauses().Put(ctx, "all", []byte("x")); err != nil {
		t.Fatal(err)
	}
	closeBus(t, b)
	b = openIn(t, Config{Dir: dir, MaxStore: 1 << 30})
	if got, err := b.Pauses().List(ctx); err != nil || string(got["all"]) != "x" {
		t.Fatalf("%q, %v", got, err)
	}
}

func isDone(l *Lease) bool {
	select {
	case <-l.Done():
		return true
	default:
		return false
	}
}

func awaitDone(t *testing.T, l *Lease, within time.Duration) {
	t.Helper()
	select {
	case <-l.Done():
	case <-time.After(within):
		t.Fatalf("still held after %s", within)
	}
}

func TestLease(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	const ttl = 600 * time.Millisecond
	one, two := b.Lease("engine", "one", ttl), b.Lease("engine", "two", ttl)
	if !isDone(one) {
		t.Error("held before it was acquired")
	}
	if err := one.Renew(ctx); err == nil {
		t.Error("renewed before it was acquired")
	}
	if err := one.Acquire(ctx); err != nil {
		t.Fatal(err)
	}
	acquired := make(chan error, 1)
	go func() { acquired <- two.Acquire(ctx) }()
	select {
	case err := <-acquired:
		t.Fatalf("both hold it: %v", err)
	case <-time.After(3 * ttl): // it is renewed by itself
	}
	if isDone(one) {
		t.Fatal("lost while renewing")
	}
	if err := one.Renew(ctx); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	if err := one.Release(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-acquired; err != nil {
		t.Fatal(err)
	}
	if d := time.Since(started); d > ttl/2 {
		t.Errorf("a released lease was taken after %s", d)
	}
	if !isDone(one) || isDone(two) {
		t.Fatalf("one done %t, two done %t", isDone(one), isDone(two))
	}
	if err := one.Release(ctx); err != nil {
		t.Errorf("released twice: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := one.Acquire(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("acquire of a held lease: %v", err)
	}
	if err := two.Release(ctx); err != nil {
		t.Fatal(err)
	}
	if err := one.Acquire(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestLeaseOfADeadHolderRunsOut(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	const ttl = 400 * time.Millisecond
	dead, heir := b.Lease("engine", "dead", ttl), b.Lease("engine", "heir", ttl)
	if err := dead.Acquire(ctx); err != nil {
		t.Fatal(err)
	}
	dead.term.cancel() // its goroutine stops, as if the process had
	<-dead.term.stopped
	started := time.Now()
	if err := heir.Acquire(ctx); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(started); d < ttl/2 || d > 4*ttl {
		t.Errorf("taken over after %s", d)
	}
	if err := dead.Renew(ctx); err == nil {
		t.Error("the dead one renewed")
	}
}

func TestLeaseTakenAwayIsNoticed(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	l := b.Lease("engine", "one", 500*time.Millisecond)
	if err := l.Acquire(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := l.kv.put(ctx, "engine", []byte(`{"holder":"thief","ttl":1}`), anyRevision, ""); err != nil {
		t.Fatal(err)
	}
	awaitDone(t, l, 2*time.Second)
	if err := l.Release(ctx); err != nil {
		t.Errorf("release of a lost lease: %v", err)
	}
	if v, _, err := l.kv.get(ctx, "engine"); err != nil || string(v) != `{"holder":"thief","ttl":1}` {
		t.Errorf("the new holder's record is %s, %v", v, err)
	}
}

func TestLeaseIsLostWithoutTheBus(t *testing.T) {
	p := startProxy(t, startServers(t, 1)[0].addr)
	b := openIn(t, Config{URL: p.url(), MaxStore: 1 << 30})
	l := b.Lease("engine", "one", time.Second)
	if err := l.Acquire(testContext(t)); err != nil {
		t.Fatal(err)
	}
	p.refuseNew()
	p.cutAll()
	awaitDone(t, l, 1500*time.Millisecond)
	p.acceptAgain()
	if err := l.Acquire(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

// The embedded server lives and dies with its process, so after a restart
// nobody need wait for the lease of the process before.
func TestLeaseAfterARestart(t *testing.T) {
	ctx, dir := testContext(t), t.TempDir()
	b := openIn(t, Config{Dir: dir, MaxStore: 1 << 30})
	l := b.Lease("engine", "one", time.Hour)
	if err := l.Acquire(ctx); err != nil {
		t.Fatal(err)
	}
	closeBus(t, b)
	if !isDone(l) {
		t.Error("still held after the bus was closed")
	}
	b = openIn(t, Config{Dir: dir, MaxStore: 1 << 30})
	if err := b.Lease("engine", "two", time.Hour).Acquire(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestSnapshots(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	if names, err := b.ListSnapshots(ctx); err != nil || len(names) != 0 {
		t.Fatalf("%v, %v", names, err)
	}
	if _, err := b.GetSnapshot(ctx, "absent"); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	data := make([]byte, 20<<20)
	for i := range data {
		data[i] = byte(i * 7 / 3)
	}
	for _, name := range []string{"00000010", "00000020", "00000015"} {
		data[0]++
		if err := b.PutSnapshot(ctx, name, data); err != nil {
			t.Fatal(err)
		}
	}
	names, err := b.ListSnapshots(ctx)
	if err != nil || fmt.Sprint(names) != "[00000015 00000020 00000010]" {
		t.Fatalf("%v, %v; want the newest first", names, err)
	}
	got, err := b.GetSnapshot(ctx, "00000015")
	if err != nil || !reflect.DeepEqual(got, data) {
		t.Fatalf("%d bytes, %v; want what was put", len(got), err)
	}
	for range 2 {
		if err := b.DeleteSnapshot(ctx, "00000010"); err != nil {
			t.Fatal(err)
		}
	}
	if names, err = b.ListSnapshots(ctx); err != nil || len(names) != 2 {
		t.Fatalf("%v, %v", names, err)
	}
	if err := b.PutSnapshot(ctx, "huge", make([]byte, 120<<20)); !errors.Is(err, ErrFull) {
		t.Errorf("larger than the stream: %v; want ErrFull", err)
	}
	info, err := b.info(ctx, streamSnapshots)
	if err != nil {
		t.Fatal(err)
	}
	if n := info.State.Bytes; n > 50<<20 {
		t.Errorf("%d bytes are left of two snapshots of 20 MiB", n)
	}
}
