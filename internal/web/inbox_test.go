package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/internal/web/webtest"
)

// inputs decodes an export.
func inputs(t *testing.T, body []byte) []api.RecordedInput {
	t.Helper()
	var all []api.RecordedInput
	for line := range bytes.SplitSeq(bytes.TrimSuffix(body, []byte("\n")), []byte("\n")) {
		var in api.RecordedInput
		if err := json.Unmarshal(line, &in); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if _, err := engine.UnmarshalLine(in.Input); err != nil || in.At.IsZero() {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, in)
	}
	return all
}

func TestRecordedInputsAreSentLineByLine(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	cure(w, "one")
	// Two inputs in one message, as the receiver writes them, and one that no
	// engine can read.
	two := `{"command":{"verb":"pause","by":"ann","scope":"cluster/a"}}` + "\n" + `{"nonsense":1}` + "\n"
	seq, err := w.Bus.PublishInbox(t.Context(), "test", "two", []byte(two))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Responder.Decided(t.Context(), seq); err != nil {
		t.Fatal(err)
	}
	all := inputs(t, want(t, get(t, w.URL+"/api/v1/inbox"), 200).body)
	if all[0].Sequence != 1 || all[len(all)-1].Sequence < seq {
		t.Errorf("from %d to %d, want 1 to %d", all[0].Sequence, all[len(all)-1].Sequence, seq)
	}
	some := inputs(t, want(t, get(t, w.URL+fmt.Sprintf("/api/v1/inbox?from=%d", seq)), 200).body)
	if len(some) < 2 || some[0].Sequence != seq || some[1].Sequence != seq || some[0].PassedOver != "" || some[1].PassedOver == "" {
		t.Errorf("%+v", some)
	}
	for _, from := range []string{"0", "x", "99999999"} {
		want(t, get(t, w.URL+"/api/v1/inbox?from="+from), 400).problem(t)
	}
}

func TestAnInboxThatWasTrimmedEnds(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	cure(w, "one")
	w.StopEngine()
	last, err := w.Bus.InboxLast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if end := want(t, get(t, w.URL+fmt.Sprintf("/api/v1/inbox?from=%d", last+1)), 200); len(end.body) != 0 {
		t.Errorf("after the end: %s", end.body)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("an export of nothing took %s", took)
	}
}
