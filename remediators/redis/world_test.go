package redis_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/redis"
)

const password = "hunter2-of-redis"

// box is a real server and its administrator.
type box struct {
	*lab.RedisServer
	admin *goredis.Client
}

func boxOf(t *testing.T, config ...string) box {
	t.Helper()
	s := lab.Redis(t, lab.RedisOptions{Config: append([]string{"requirepass " + password, "masterauth " + password}, config...)})
	return box{s, admin(t, s.Address())}
}

func admin(t *testing.T, address string) *goredis.Client {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{Addr: address, Password: password, Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline, tick := time.After(30*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

// info is one field of INFO.
func (b box) info(t *testing.T, field string) string {
	t.Helper()
	for line := range strings.Lines(must(b.admin.Info(t.Context(), "everything").Result())(t)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), field+":"); ok {
			return value
		}
	}
	return ""
}

// calls counts how often a command was carried out.
func (b box) calls(t *testing.T, command string) int {
	t.Helper()
	value, _, _ := strings.Cut(strings.TrimPrefix(b.info(t, "cmdstat_"+command), "calls="), ",")
	if value == "" {
		return 0
	}
	return must(strconv.Atoi(value))(t)
}

// follow makes it a replica that is in step.
func (b box) follow(t *testing.T, primary box) {
	t.Helper()
	host, port := must2(net.SplitHostPort(primary.Address()))(t)
	if err := b.admin.Do(t.Context(), "replicaof", host, port).Err(); err != nil {
		t.Fatal(err)
	}
	b.inStep(t, primary)
}

func (b box) inStep(t *testing.T, primary box) {
	t.Helper()
	_, port := must2(net.SplitHostPort(primary.Address()))(t)
	eventually(t, "a replica in step", func() bool {
		return b.info(t, "master_port") == port && b.info(t, "master_link_status") == "up" && b.info(t, "master_sync_in_progress") == "0" &&
			b.info(t, "master_replid") == primary.info(t, "master_replid")
	})
}

func must2(a, b string, err error) func(t *testing.T) (string, string) {
	return func(t *testing.T) (string, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a, b
	}
}

func secret(text string) func() (string, error) { return func() (string, error) { return text, nil } }

func instance(t *testing.T, c redis.Config) *redis.Instance {
	t.Helper()
	return must(redis.NewInstance(c))(t)
}

// at is an instance that is one server.
func at(t *testing.T, address string) *redis.Instance {
	t.Helper()
	return instance(t, redis.Config{Address: address, Password: secret(password)})
}

func target(name string) engine.Target { return engine.Target{System: "redis", Name: name} }

func task(name, params string) engine.Task {
	return engine.Task{ID: "run-1", Action: "redis.x", Target: target(name), Params: json.RawMessage(params), Timeout: time.Minute}
}

// done plans and executes.
func done(ctx context.Context, t *testing.T, r remediators.Remediator, one engine.Task) (engine.Outcome, error) {
	t.Helper()
	return r.Execute(ctx, one, must(r.Plan(ctx, one))(t))
}

// wantClass wants an error of a class that says some words and no password.
func wantClass(t *testing.T, err error, class engine.Class, words string) {
	t.Helper()
	if err == nil || remediators.ClassOf(err) != class || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v (%s), want %s with %q", err, remediators.ClassOf(errors.Join(err)), class, words)
	}
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a password shows: %v", err)
	}
}

// next reads one command from a stream. Source:
// https://redis.io/docs/latest/develop/reference/protocol-spec/
func next(from *bufio.Reader) (request []byte, changes bool, err error) {
	line := func(kind byte) (int, error) {
		text, err := from.ReadString('\n')
		request = append(request, text...)
		if err != nil {
			return 0, err
		}
		if text[0] != kind {
			return 0, fmt.Errorf("%q begins no %q", text, kind)
		}
		return strconv.Atoi(strings.TrimSpace(text[1:]))
	}
	words, err := line('*')
	for n := range words {
		size, err := line('$')
		if err != nil {
			return nil, false, err
		}
		word := make([]byte, size+2)
		if _, err := io.ReadFull(from, word); err != nil {
			return nil, false, err
		}
		request = append(request, word...)
		switch strings.ToLower(string(word[:size])) {
		case "unlink", "flushdb", "pexpireat", "replicaof":
			changes = changes || n == 0
		}
	}
	return request, changes, err
}
