package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/redis"
)

func (b box) size(t *testing.T) int64 {
	t.Helper()
	return must(b.admin.DBSize(t.Context()).Result())(t)
}

func TestClearTakesWhatMatchesOnly(t *testing.T) {
	t.Parallel()
	server := boxOf(t)
	cleaner := redis.NewClear(redis.Instances{"cache": at(t, server.Address())}, time.Now)
	server.fill(t, "place", 2500, 0)
	server.fill(t, "price", 20, 0)
	one := task("cache", `{"pattern": "place:*", "rate": 1000000}`)
	p := must(cleaner.Plan(t.Context(), one))(t)
	if want := `unlink the keys that match "place:*" in database 0 of cache, thousands by a sample`; p.Summary != want || p.Noop {
		t.Errorf("plan %+v, want %q", p, want)
	}
	o := must(cleaner.Execute(t.Context(), one, p))(t)
	if want := `unlinked the keys that match "place:*" in cache: 2500 of them`; o.Summary != want || server.size(t) != 20 {
		t.Errorf("%q, and %d are left; want %q", o.Summary, server.size(t), want)
	}
	if p := must(cleaner.Plan(t.Context(), one))(t); !p.Noop {
		t.Errorf("nothing is left, and the plan is %+v", p)
	}
	o = must(done(t.Context(), t, cleaner, task("cache", `{"all": true}`)))(t)
	if want := "flushed database 0 of cache, of 20 keys"; o.Summary != want || server.size(t) != 0 {
		t.Errorf("%q, and %d are left; want %q", o.Summary, server.size(t), want)
	}
}

func TestClearRefusesWhatIsNoSelection(t *testing.T) {
	t.Parallel()
	cleaner := redis.NewClear(redis.Instances{"cache": at(t, "127.0.0.1:1")}, time.Now)
	for params, words := range map[string]string{
		``:                                "names no key in particular",
		`{}`:                              "names no key in particular",
		`{"pattern": ""}`:                 "names no key in particular",
		`{"pattern": "*"}`:                "names no key in particular",
		`{"pattern": "*?[^a]*"}`:          "names no key in particular",
		`{"all": false}`:                  "names no key in particular",
		`{"pattern": "a*", "all": true}`:  "exclude each other",
		`{"pattern": "a*", "rate": -1}`:   "rate",
		`{"pattern": "a*", "patern": ""}`: "patern",
		`{"pattern": "a*"} {}`:            "more than one",
	} {
		_, err := cleaner.Plan(t.Context(), task("cache", params))
		wantClass(t, err, engine.ClassTerminal, words)
	}
}

// TestClearIsPaced holds the rate, and that what is too slow for its time says so.
func TestClearIsPaced(t *testing.T) {
	t.Parallel()
	server := boxOf(t)
	cleaner := redis.NewClear(redis.Instances{"cache": at(t, server.Address())}, time.Now)
	server.fill(t, "a", 400, 0)
	begun := time.Now()
	must(done(t.Context(), t, cleaner, task("cache", `{"pattern": "a:*", "rate": 400}`)))(t)
	if took := time.Since(begun); took < 900*time.Millisecond || took > 10*time.Second {
		t.Errorf("400 keys at 400 a second took %v", took)
	}
	server.fill(t, "a", 1000, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	_, err := done(ctx, t, cleaner, task("cache", `{"pattern": "a:*", "rate": 200}`))
	wantClass(t, err, engine.ClassRetryable, "give a higher rate")
	if left := server.size(t); left < 700 || left > 900 || !strings.Contains(err.Error(), fmt.Sprintf("%d keys are unlinked", 1000-left)) {
		t.Errorf("%d are left: %v", left, err)
	}
}

// TestClearOutlivesItsServer kills the server in the middle.
func TestClearOutlivesItsServer(t *testing.T) {
	t.Parallel()
	server := boxOf(t)
	cleaner := redis.NewClear(redis.Instances{"cache": at(t, server.Address())}, time.Now)
	server.fill(t, "a", 1000, 0)
	one := task("cache", `{"pattern": "a:*", "rate": 500}`)
	p := must(cleaner.Plan(t.Context(), one))(t)
	failed := make(chan error, 1)
	go func() {
		_, err := cleaner.Execute(t.Context(), one, p)
		failed <- err
	}()
	eventually(t, "some keys are gone", func() bool { return server.size(t) < 900 })
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	wantClass(t, <-failed, engine.ClassRetryable, "keys are unlinked")
	_, err := cleaner.Execute(t.Context(), one, p)
	wantClass(t, err, engine.ClassRetryable, "refused")
	if effect, err := cleaner.Observe(t.Context(), one, p); effect != engine.Unknown || err != nil || !remediators.Idempotent(cleaner, one) {
		t.Errorf("observed %s, %v", effect, err)
	}

	again := box{lab.Redis(t, lab.RedisOptions{Address: server.Address(), Config: []string{"requirepass " + password}}), admin(t, server.Address())}
	again.fill(t, "a", 10, 0)
	if o := must(cleaner.Execute(t.Context(), one, p))(t); again.size(t) != 0 {
		t.Errorf("after it came back: %q, and %d are left", o.Summary, again.size(t))
	}
}

// TestFrozenServer has a server that takes connections and does not answer.
func TestFrozenServer(t *testing.T) {
	t.Parallel()
	server := boxOf(t)
	cleaner := redis.NewClear(redis.Instances{"cache": at(t, server.Address())}, time.Now)
	server.fill(t, "a", 10, 0)
	one := task("cache", `{"pattern": "a:*"}`)
	p := must(cleaner.Plan(t.Context(), one))(t)
	if err := server.Freeze(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := cleaner.Execute(ctx, one, p)
	wantClass(t, err, engine.ClassRetryable, "")
	if err := server.Thaw(); err != nil {
		t.Fatal(err)
	}
	must(cleaner.Execute(t.Context(), one, p))(t)
}

func TestWhoMayNot(t *testing.T) {
	t.Parallel()
	server, broken := boxOf(t), errors.New("no such file")
	server.fill(t, "a", 10, 0)
	if err := server.admin.Do(t.Context(), "acl", "setuser", "looker", "on", ">hunter2", "~*", "+@read", "+info", "+ping", "+dbsize").Err(); err != nil {
		t.Fatal(err)
	}
	config := func(user string, read func() (string, error)) *redis.Instance {
		return instance(t, redis.Config{Address: server.Address(), Username: user, Password: read})
	}
	cleaner := redis.NewClear(redis.Instances{
		"anybody": config("", nil), "wrong": config("", secret("hunter2-wrong")), "looker": config("looker", secret("hunter2")),
		"unread": config("", func() (string, error) { return "", broken }),
	}, time.Now)
	for name, c := range map[string]struct {
		class engine.Class
		words string
	}{
		"anybody": {engine.ClassTerminal, "NOAUTH"}, "wrong": {engine.ClassTerminal, "WRONGPASS"},
		"unread": {engine.ClassRetryable, "no such file"}, "unknown": {engine.ClassTerminal, "known are: anybody, looker, unread, wrong"},
	} {
		_, err := cleaner.Plan(t.Context(), task(name, `{"pattern": "a:*"}`))
		wantClass(t, err, c.class, c.words)
	}
	_, err := done(t.Context(), t, cleaner, task("looker", `{"pattern": "a:*"}`))
	wantClass(t, err, engine.ClassTerminal, "NOPERM")
}

// TestReplicaIsNotCleared names a replica where the primary is meant.
func TestReplicaIsNotCleared(t *testing.T) {
	t.Parallel()
	primary, replica := boxOf(t), boxOf(t)
	replica.follow(t, primary)
	cleaner := redis.NewClear(redis.Instances{"cache": at(t, replica.Address())}, time.Now)
	_, err := cleaner.Plan(t.Context(), task("cache", `{"all": true}`))
	wantClass(t, err, engine.ClassTerminal, "is a replica of "+primary.Address())
}
