package bus

import (
	"bytes"
	"fmt"
	"testing"
)

// clusterQuarantine kills the leader of the stream between the parts of a scan.
func clusterQuarantine(t *testing.T, b *Bus, nodes []*node) {
	ctx, body := testContext(t), large(b)
	quarantine(t, b, "am", "one", []byte("1"))
	quarantine(t, b, "am", "large", body)
	quarantine(t, b, "other", "two", []byte("2"))
	list := listQuarantine(t, b, QuarantineFilter{})
	if ids(list) != "one large two" || list[1].Parts != 5 {
		t.Fatalf("%+v", list)
	}
	dead := leaderOf(t, b, nodes, StreamQuarantine)
	dead.kill()
	if got, err := b.QuarantineBody(ctx, list[1]); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := b.DeleteQuarantine(ctx, list[1]); err != nil {
		t.Fatal(err)
	}
	if got := listQuarantine(t, b, QuarantineFilter{Newest: true}); ids(got) != "two one" {
		t.Errorf("left %s", ids(got))
	}
	dead.start()
	dead.awaitPort()
	for _, stream := range []string{StreamQuarantine, StreamInbox, StreamLedger} {
		awaitReplicas(t, b, stream)
	}
}

// A server that is killed has all that it promised to keep. What was deleted just
// before may come again, which does no harm.
func TestQuarantineOutlivesAKill(t *testing.T) {
	ctx := testContext(t)
	nodes := startServers(t, 1)
	b := openIn(t, Config{URL: clusterURL(nodes), Replicas: 1, MaxStore: 1 << 30})
	want := map[string]string{}
	for i := range 200 {
		id := fmt.Sprintf("q-%03d", i)
		quarantine(t, b, "am", id, []byte(id))
		want[id] = id
	}
	for round := range 4 {
		for _, e := range listQuarantine(t, b, QuarantineFilter{})[20*round : 20*round+10] {
			if err := b.DeleteQuarantine(ctx, e); err != nil {
				t.Fatal(err)
			}
			delete(want, e.ID)
		}
		nodes[0].kill()
		nodes[0].start()
		nodes[0].awaitPort()
		got := map[string]bool{}
		for _, e := range listQuarantine(t, b, QuarantineFilter{}) {
			got[e.ID] = true
			if body, err := b.QuarantineBody(ctx, e); err != nil || string(body) != e.ID {
				t.Errorf("%s: %q, %v", e.ID, body, err)
			}
		}
		for id := range want {
			if !got[id] {
				t.Errorf("round %d: %s is lost", round, id)
			}
		}
		t.Logf("round %d: %d came again", round, len(got)-len(want))
	}
}
