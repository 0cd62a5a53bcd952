package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

const hidden = "hunter2"

// vault is an environment that a test changes.
type vault struct {
	vars, files map[string]string
	now         time.Time
	reads       int
}

func (v *vault) env() Env {
	return Env{
		LookupEnv: func(name string) (string, bool) { value, ok := v.vars[name]; return value, ok },
		ReadFile: func(path string) ([]byte, error) {
			v.reads++
			content, ok := v.files[path]
			if !ok {
				return nil, fmt.Errorf("open %s: %w", path, os.ErrNotExist)
			}
			return []byte(content), nil
		},
		Now: func() time.Time { return v.now },
	}
}

func (v *vault) secret(kind, name string) Secret {
	return Secret{kind: kind, name: name, cell: &cell{env: v.env()}}
}

func TestSecretIsReadAgainWhenItsFileChanges(t *testing.T) {
	v := &vault{files: map[string]string{"f": hidden + "\n"}, now: time.Unix(1000, 0)}
	s := v.secret(secretFile, "f")
	copied := s
	for range 5 {
		if got, err := s.Read(); got != hidden || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if got, err := copied.Read(); got != hidden || err != nil || v.reads != 1 {
		t.Fatalf("got %q, %v after %d reads", got, err, v.reads)
	}
	v.files["f"] = "rotated"
	v.now = v.now.Add(rereadAfter)
	if got, err := s.Read(); got != "rotated" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	delete(v.files, "f")
	v.now = v.now.Add(rereadAfter)
	if got, err := s.Read(); got != "" || !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a secret that is gone must not be used any more: got %q, %v", got, err)
	}
}

func TestSecretsThatSayNothingAreErrors(t *testing.T) {
	v := &vault{vars: map[string]string{"EMPTY": "", "BLANK": " \n", "LINES": "a\nb", "LONG": strings.Repeat("x", maxSecret+1), "CRLF": hidden + "\r\n"}}
	for _, name := range []string{"EMPTY", "BLANK", "LINES", "LONG", "ABSENT"} {
		got, err := v.secret(secretEnv, name).Read()
		var typed *SecretError
		if got != "" || !errors.As(err, &typed) || !strings.Contains(err.Error(), "[secret env "+name+"]") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if got, err := v.secret(secretEnv, "CRLF").Read(); got != hidden || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := (Secret{}).Read(); err == nil {
		t.Error("the zero secret was read")
	}
}

func TestSecretNeverShowsItsValue(t *testing.T) {
	v := &vault{vars: map[string]string{"NAME": hidden}, files: map[string]string{"f": hidden}}
	for _, s := range []Secret{v.secret(secretEnv, "NAME"), v.secret(secretFile, "f")} {
		if _, err := s.Read(); err != nil {
			t.Fatal(err)
		}
		holder := struct {
			Name   string
			Secret Secret
			inner  Secret
		}{"x", s, s}
		var shown []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			shown = append(shown, fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s), fmt.Sprintf(verb, holder), fmt.Sprintf(verb, []any{s}))
		}
		var logged bytes.Buffer
		for _, h := range []slog.Handler{slog.NewJSONHandler(&logged, nil), slog.NewTextHandler(&logged, nil)} {
			slog.New(h).Info("m", "secret", s, "holder", holder, "pointer", &s)
		}
		asJSON, err := json.Marshal(holder)
		if err != nil {
			t.Fatal(err)
		}
		asYAML, err := yaml.Marshal(map[string]any{"s": s})
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, logged.String(), string(asJSON), string(asYAML))
		for _, text := range shown {
			if strings.Contains(text, hidden) || strings.Contains(text, fmt.Sprintf("%x", hidden)) {
				t.Errorf("shown: %s", text)
			}
		}
		if got := s.String(); !strings.HasPrefix(got, "[secret "+s.kind+" ") {
			t.Errorf("got %s", got)
		}
	}
}
