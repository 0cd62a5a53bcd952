package bus

import (
	"context"
	"testing"
)

func TestProgressOutlivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() *Bus {
		b, err := Open(t.Context(), Config{Dir: dir, MaxStore: 1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	end := func(b *Bus) {
		if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	b := open()
	if value, err := b.Progress().Load(t.Context(), "webhook/ops"); value != nil || err != nil {
		t.Errorf("before the first Save: %q, %v", value, err)
	}
	for _, v := range []string{"1", "2"} {
		if err := b.Progress().Save(t.Context(), "webhook/ops", []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	end(b)
	b = open()
	defer end(b)
	if value, err := b.Progress().Load(t.Context(), "webhook/ops"); string(value) != "2" || err != nil {
		t.Errorf("after a restart: %q, %v; want 2", value, err)
	}
}
