package exec

import (
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
)

func TestNewCommands(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]Command{
		"not absolute":         {Path: "true"},
		`dir "x"`:              {Path: "/bin/true", Dir: "x"},
		"below 0":              {Path: "/bin/true", Timeout: -1},
		`"PATH"`:               {Path: "/bin/true", Env: map[string]Variable{"PATH": {}}},
		`"PARAMEDIC_TASK"`:     {Path: "/bin/true", Env: map[string]Variable{"PARAMEDIC_TASK": {}}},
		`"A=B"`:                {Path: "/bin/true", Env: map[string]Variable{"A=B": {}}},
		"exits: 0":             {Path: "/bin/true", Exits: map[int]engine.Class{0: engine.ClassTerminal}},
		"exits: 3":             {Path: "/bin/true", Exits: map[int]engine.Class{3: engine.ClassUnknown}},
		"accepts":              {Path: "/bin/true", Accepts: []string{"["}},
		`no command "b"`:       {Path: "/bin/true", Undo: "b"},
		`"a" is not idempot`:   {Path: "/bin/true", Undo: "a"},
		`command "a": path ""`: {},
	} {
		if _, err := NewCommands(map[string]Command{"a": c}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", c, err, want)
		}
	}
	if _, err := (Commands{}).find("a"); err == nil || !strings.Contains(err.Error(), "no commands are configured") {
		t.Errorf("none: %v", err)
	}
}

func TestAccept(t *testing.T) {
	t.Parallel()
	all, err := NewCommands(map[string]Command{"a": {Path: "/bin/true", Accepts: []string{"[a-z]+|x", "(?i)YES"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		ok   bool
	}{
		{nil, true},
		{[]string{"abc"}, true},
		{[]string{"x", "yes"}, true},
		{[]string{"abc\n"}, false},
		{[]string{"abc", "no"}, false},
		{[]string{"abc", "yes", "more"}, false},
		{[]string{""}, false},
		{[]string{"x1"}, false},
		{[]string{"x\x00"}, false},
		{[]string{strings.Repeat("a", maxArg+1)}, false},
	} {
		if err := all.byName["a"].accept(params{Args: c.args}); (err == nil) != c.ok {
			t.Errorf("%.40q: %v", c.args, err)
		}
	}
	if err := all.byName["a"].accept(params{Stdin: "x"}); err == nil {
		t.Error("stdin is taken that the command does not take")
	}
}

// FuzzTail holds that of whatever is written, in whatever pieces, no secret shows,
// nor the end of one at the cut, and that what shows is bounded.
func FuzzTail(f *testing.F) {
	f.Add([]byte("a secret-1 and secret-12"), 3, 9)
	f.Add([]byte("secretsecret"), 20_000, 1)
	f.Fuzz(func(t *testing.T, around []byte, repeat, piece int) {
		if repeat < 0 || repeat > 40_000 || piece < 1 || len(around) > 100 {
			return
		}
		secrets := [][]byte{[]byte("s3cret-1"), []byte("s3cret-12")}
		out := &tail{keep: maxOutput + longest(secrets)}
		written := append([]byte(strings.Repeat("s3cret-12", repeat/9+1)), around...)
		written = append(written, strings.Repeat("s3cret-1", repeat/8)...)
		for rest := written; len(rest) > 0; {
			n := min(piece, len(rest))
			if wrote, err := out.Write(rest[:n]); wrote != n || err != nil {
				t.Fatalf("%d, %v", wrote, err)
			}
			rest = rest[n:]
		}
		shown := out.shown(secrets)
		if len(shown) > 3*maxOutput || cap(out.buf) > 4*out.keep {
			t.Errorf("%d bytes are shown, %d are kept", len(shown), cap(out.buf))
		}
		if strings.Contains(string(around), "cret") || strings.Contains(string(around), "-1") {
			return
		}
		for _, part := range []string{"s3cret-1", "3cret-1", "cret-1", "ret-1"} {
			if strings.Contains(shown, part) {
				t.Errorf("%q shows of %q", part, shown[:min(len(shown), 200)])
			}
		}
	})
}
