package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestTheServiceHealsAndTheStoryIsTold(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := play(t.Context(), io.MultiWriter(&out, t.Output()), false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"kubectl --kubeconfig", "All guards let attempt 1 act", "Cured", "exactly 1 change"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story does not mention %q", want)
		}
	}
}
