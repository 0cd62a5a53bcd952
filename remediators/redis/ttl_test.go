package redis_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators/redis"
)

func (b box) left(t *testing.T, key string) time.Duration {
	t.Helper()
	return must(b.admin.PTTL(t.Context(), key).Result())(t)
}

func about(got, want time.Duration) bool { return got <= want && got > want-30*time.Second }

func TestTTL(t *testing.T) {
	t.Parallel()
	server := boxOf(t)
	action := redis.NewTTL(redis.Instances{"cache": at(t, server.Address())}, time.Now)
	server.fill(t, "hour", 1500, time.Hour)
	server.fill(t, "day", 10, 24*time.Hour)
	server.fill(t, "week", 10, 7*24*time.Hour)
	server.fill(t, "endless", 10, 0)
	server.fill(t, "other", 10, time.Hour)

	one := task("cache", `{"all": true, "factor": 1.5, "max": "30h", "rate": 1000000}`)
	p := must(action.Plan(t.Context(), one))(t)
	if want := "multiply by 1.5, up to 30h0m0s, the time to live of all keys in database 0 of cache, thousands by a sample"; p.Summary != want {
		t.Errorf("plan %q, want %q", p.Summary, want)
	}
	o := must(action.Execute(t.Context(), one, p))(t)
	if want := "multiply by 1.5, up to 30h0m0s, the time to live of all keys in cache: 1520 changed, of 1540"; o.Summary != want {
		t.Errorf("outcome %q, want %q", o.Summary, want)
	}
	for key, want := range map[string]time.Duration{"hour": 90 * time.Minute, "day": 30 * time.Hour, "week": 7 * 24 * time.Hour, "other": 90 * time.Minute} {
		if got := server.left(t, key+":7"); !about(got, want) {
			t.Errorf("%s lives on for %v, want %v", key, got, want)
		}
	}
	if got := server.left(t, "endless:7"); got != -1 {
		t.Errorf("a key without an end has one, in %v", got)
	}

	must(done(t.Context(), t, action, task("cache", `{"pattern": "week:*", "factor": 0.5}`)))(t)
	for i := range 10 {
		if got := server.left(t, fmt.Sprintf("week:%d", i)); !about(got, 84*time.Hour) {
			t.Errorf("week:%d lives on for %v", i, got)
		}
	}
	// Not even the smallest factor deletes.
	must(done(t.Context(), t, action, task("cache", `{"pattern": "day:*", "factor": 0.9999999}`)))(t)
	if got := server.left(t, "day:3"); !about(got, 30*time.Hour) {
		t.Errorf("day:3 lives on for %v", got)
	}
	if effect, err := action.Observe(t.Context(), one, p); effect != engine.Unknown || err != nil {
		t.Errorf("observed %s, %v", effect, err)
	}
}

func TestTTLRefuses(t *testing.T) {
	t.Parallel()
	action := redis.NewTTL(redis.Instances{"cache": at(t, "127.0.0.1:1")}, time.Now)
	for params, words := range map[string]string{
		`{"pattern": "a*"}`:                                  "factor",
		`{"pattern": "a*", "factor": 1}`:                     "factor",
		`{"pattern": "a*", "factor": -2}`:                    "factor",
		`{"pattern": "a*", "factor": 2000, "max": "1h"}`:     "factor",
		`{"pattern": "a*", "factor": 2}`:                     "max is missing",
		`{"pattern": "a*", "factor": 2, "max": "1"}`:         "missing unit",
		`{"pattern": "a*", "factor": 2, "max": "1ms"}`:       "max",
		`{"pattern": "a*", "factor": 0.5, "max": "1h"}`:      "leave it out",
		`{"pattern": "*", "factor": 2, "max": "1h"}`:         "names no key",
		`{"pattern": "a*", "factor": 2, "max": "1h", "x":0}`: "x",
	} {
		_, err := action.Plan(t.Context(), task("cache", params))
		wantClass(t, err, engine.ClassTerminal, words)
	}
}
