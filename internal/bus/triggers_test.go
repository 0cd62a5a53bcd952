package bus

import (
	"errors"
	"reflect"
	"testing"
)

func TestTriggers(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	records := b.Triggers()
	const key = "rollout/watch/kubernetes/korea/production/Deployment/profile"
	_, revision, err := records.Get(ctx, key)
	if !errors.Is(err, ErrNotFound) || revision != 0 {
		t.Fatalf("before: revision %d, %v", revision, err)
	}
	if err := records.Delete(ctx, key, 0); err != nil {
		t.Fatalf("delete what never was: %v", err)
	}
	first, err := records.Put(ctx, key, []byte("1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := records.Put(ctx, key, []byte("late"), 0); !errors.Is(err, ErrConflict) {
		t.Fatalf("created twice: %v", err)
	}
	second, err := records.Put(ctx, key, []byte("2"), first)
	if err != nil {
		t.Fatal(err)
	}
	if err := records.Delete(ctx, key, first); !errors.Is(err, ErrConflict) {
		t.Fatalf("late delete: %v", err)
	}
	if all, err := records.List(ctx); err != nil || !reflect.DeepEqual(all, map[string]uint64{key: second}) {
		t.Fatalf("%v, %v", all, err)
	}
	if err := records.Delete(ctx, key, second); err != nil {
		t.Fatal(err)
	}
	_, gone, err := records.Get(ctx, key)
	if !errors.Is(err, ErrNotFound) || gone <= second {
		t.Fatalf("after its deletion: revision %d, %v", gone, err)
	}
	if all, err := records.List(ctx); err != nil || len(all) != 0 {
		t.Fatalf("%v, %v", all, err)
	}
	// Who does not know of the deletion does not write over it.
	if _, err := records.Put(ctx, key, []byte("3"), 0); !errors.Is(err, ErrConflict) {
		t.Fatalf("over the deletion: %v", err)
	}
	if _, err := records.Put(ctx, key, []byte("3"), gone); err != nil {
		t.Fatal(err)
	}
}
