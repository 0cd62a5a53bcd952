package demo_test

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/demo"
)

func TestEverythingHealsAndTheTimelineTellsIt(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := demo.Run(t.Context(), demo.Options{
		Dir: t.TempDir(), Out: io.MultiWriter(&out, t.Output()), Logger: slog.New(slog.DiscardHandler), Version: "test", Token: "a token of the test",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"place", "itinerary", "budget fleet is spent", "The ledger verifies"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the timeline does not mention %q", want)
		}
	}
}
