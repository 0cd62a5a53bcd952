package config

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// rereadAfter is how long a secret that was read from a file is used before the file is read again: short enough that
// a rotated secret counts at once, long enough that a request does not cost a file.
const rereadAfter = time.Second

// maxSecret bounds a secret, in bytes.
const maxSecret = 64 << 10

// Secret is a text that is kept elsewhere: {env: NAME} or {file: PATH}. However it is printed, logged or encoded, it
// shows its place and never its value. The zero Secret is not set. Copies share what was read.
type Secret struct {
	kind, name string // env or file, and which
	at         place
	cell       *cell
}

// cell keeps what was read in a function: printing a struct that has a Secret in an unexported field goes past Format
// and through pointers, but not into functions.
type cell struct {
	env Env

	mu    sync.Mutex
	value func() string
	until time.Time // how long value is good; zero before the first read
}

// SecretError says which secret cannot be read, and why. It never holds a value.
type SecretError struct {
	// Secret is its place, as [Secret.String] prints it.
	Secret string
	Err    error
}

func (e *SecretError) Error() string { return e.Secret + ": " + e.Err.Error() }
func (e *SecretError) Unwrap() error { return e.Err }

// IsSet reports whether the secret is written in the configuration at all.
func (s Secret) IsSet() bool { return s.cell != nil }

// Read returns the present value, without its trailing line break. A file is read again once its value is a second
// old. A secret that is not set, cannot be read or is empty gives a [SecretError]: an empty secret never matches.
func (s Secret) Read() (string, error) {
	if !s.IsSet() {
		return "", s.failure("is not set")
	}
	s.cell.mu.Lock()
	defer s.cell.mu.Unlock()
	if s.kind == secretEnv {
		value, ok := s.cell.env.LookupEnv(s.name)
		if !ok {
			return "", s.failure("the environment has no variable of this name: set it where the program is started")
		}
		return s.judge([]byte(value))
	}
	now := s.cell.env.Now()
	if now.Before(s.cell.until) {
		return s.cell.value(), nil
	}
	s.cell.value, s.cell.until = nil, time.Time{}
	content, err := s.cell.env.ReadFile(s.name)
	if err != nil {
		return "", s.failure("%w", err)
	}
	value, err := s.judge(content)
	if err != nil {
		return "", err
	}
	s.cell.value, s.cell.until = func() string { return value }, now.Add(rereadAfter)
	return value, nil
}

func (s Secret) judge(content []byte) (string, error) {
	content = bytes.TrimSuffix(content, []byte("\n"))
	content = bytes.TrimSuffix(content, []byte("\r"))
	switch {
	case len(bytes.TrimSpace(content)) == 0:
		return "", s.failure("it is empty: put the secret there")
	case len(content) > maxSecret:
		return "", s.failure("it has %d bytes: a secret has at most %d", len(content), maxSecret)
	case bytes.ContainsAny(content, "\x00\r\n"):
		return "", s.failure("it has several lines: a secret is one line")
	}
	return string(content), nil
}

func (s Secret) failure(format string, args ...any) error {
	return &SecretError{Secret: s.String(), Err: fmt.Errorf(format, args...)}
}

// String is the secret's place, such as "[secret env AM_TOKEN]".
func (s Secret) String() string {
	if !s.IsSet() {
		return "[no secret]"
	}
	return "[secret " + s.kind + " " + s.name + "]"
}

// Format prints String whatever the verb and its flags are.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) } // Formatter has no way to fail

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String, so every text encoding (JSON, YAML, XML) shows no more.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
