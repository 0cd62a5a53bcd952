package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBusCredentials(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "nats")
	credentials := func(args ...string) (string, error) {
		root := newRootCmd()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&out)
		root.SetArgs(append([]string{"bus", "credentials", "--out", dir}, args...))
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
	for _, step := range []struct {
		args []string
		want []string
	}{
		{[]string{"--group", "seoul", "--group", "tokyo"}, []string{"hub    1", "seoul  1", "tokyo  1", "seoul.nk", "domain: paramedic"}},
		{[]string{"--rotate", "seoul"}, []string{"hub    1     -", "seoul  2     " + dir, "tokyo  1     -"}},
		{[]string{"--retire", "seoul", "--remove", "tokyo"}, []string{"seoul  1     -"}},
	} {
		out, err := credentials(step.args...)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range step.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: no %q in\n%s", step.args, want, out)
			}
		}
		for _, file := range []string{"hub.nk", "seoul.nk"} {
			text, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			if seed := strings.Split(string(text), "\n")[1]; strings.Contains(out, seed) {
				t.Errorf("%v: a secret is shown", step.args)
			}
		}
	}
	if out, err := credentials("--group", "Seoul"); err == nil || !strings.Contains(err.Error(), `--group: worker group "Seoul"`) {
		t.Errorf("%v\n%s", err, out)
	}
}
