package redis_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/redis"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// refusals are what a server may answer instead of doing what it is asked for.
func refusals() []remediatortest.Answer {
	var all []remediatortest.Answer
	for text, class := range map[string]engine.Class{
		"NOAUTH Authentication required.":                               engine.ClassTerminal,
		"WRONGPASS invalid username-password pair or user is disabled.": engine.ClassTerminal,
		"NOPERM this user has no permissions to run the command":        engine.ClassTerminal,
		"ERR unknown command":                                           engine.ClassTerminal,
		"LOADING Redis is loading the dataset in memory":                engine.ClassRetryable,
		"BUSY Redis is busy running a script.":                          engine.ClassRetryable,
		"READONLY You can't write against a read only":                  engine.ClassRetryable,
		"MASTERDOWN Link with MASTER is down":                           engine.ClassRetryable,
		"CLUSTERDOWN The cluster is down":                               engine.ClassRetryable,
		"MOVED 3999 127.0.0.1:1":                                        engine.ClassRetryable,
		"ASK 3999 127.0.0.1:1":                                          engine.ClassRetryable,
		"OOM command not allowed when used memory > 'max'.":             engine.ClassRetryable,
	} {
		all = append(all, remediatortest.Answer{Raw: "-" + text + "\r\n", Want: class})
	}
	return all
}

// conform runs the suite on an action on one server.
func conform(t *testing.T, at box, action func(redis.Instances) remediators.Remediator, fresh func(t *testing.T) remediatortest.Scene) {
	t.Helper()
	remediatortest.Run(t, remediatortest.Subject{
		Target: at.Address(), Protocol: remediatortest.TCP, Next: next, Answers: refusals(), Secrets: []string{password},
		Open: func(t *testing.T, end remediatortest.End) remediatortest.Bench {
			return remediatortest.Bench{
				Remediator: action(redis.Instances{"cache": atEnd(t, end)}),
				Fresh:      fresh,
				Missing:    engine.Task{Target: target("nobody"), Params: json.RawMessage(`{}`)},
			}
		},
	})
}

func atEnd(t *testing.T, end remediatortest.End) *redis.Instance {
	t.Helper()
	return at(t, strings.TrimPrefix(end.URL, "tcp://"))
}

func TestClearConforms(t *testing.T) {
	t.Parallel()
	server, n := boxOf(t), 0
	conform(t, server, func(i redis.Instances) remediators.Remediator { return redis.NewClear(i, time.Now) }, func(t *testing.T) remediatortest.Scene {
		n++
		fill := func(t *testing.T) { server.fill(t, fmt.Sprintf("place-%d", n), 5, 0) }
		fill(t)
		before := server.calls(t, "unlink")
		return remediatortest.Scene{
			Task:    task("cache", fmt.Sprintf(`{"pattern": "place-%d:*", "rate": 100000}`, n)),
			Effects: func(t *testing.T) int { return server.calls(t, "unlink") - before },
			Change:  fill,
		}
	})
}

func TestFlushConforms(t *testing.T) {
	t.Parallel()
	server := boxOf(t)
	conform(t, server, func(i redis.Instances) remediators.Remediator { return redis.NewClear(i, time.Now) }, func(t *testing.T) remediatortest.Scene {
		fill := func(t *testing.T) { server.fill(t, "k", 5, 0) }
		fill(t)
		before := server.calls(t, "flushdb")
		return remediatortest.Scene{
			Task:    task("cache", `{"all": true}`),
			Effects: func(t *testing.T) int { return server.calls(t, "flushdb") - before },
			Change:  fill,
		}
	})
}

func TestTTLConforms(t *testing.T) {
	t.Parallel()
	server, n := boxOf(t), 0
	conform(t, server, func(i redis.Instances) remediators.Remediator { return redis.NewTTL(i, time.Now) }, func(t *testing.T) remediatortest.Scene {
		n++
		server.fill(t, fmt.Sprintf("place-%d", n), 1, time.Hour)
		before := server.calls(t, "pexpireat")
		return remediatortest.Scene{
			Task:    task("cache", fmt.Sprintf(`{"pattern": "place-%d:*", "factor": 2, "max": "1000h"}`, n)),
			Effects: func(t *testing.T) int { return server.calls(t, "pexpireat") - before },
		}
	})
}

// TestPromoteConforms promotes beside a primary that is there, so that many scenes can
// go by with three servers.
func TestPromoteConforms(t *testing.T) {
	t.Parallel()
	primary, other, replica := boxOf(t), boxOf(t), boxOf(t)
	conform(t, replica, func(i redis.Instances) remediators.Remediator { return redis.NewPromote(i) }, func(t *testing.T) remediatortest.Scene {
		replica.follow(t, primary)
		before := replica.calls(t, "replicaof")
		return remediatortest.Scene{
			Task:    task("cache", `{"force": true}`),
			Effects: func(t *testing.T) int { return replica.calls(t, "replicaof") - before },
			Change: func(t *testing.T) {
				replica.follow(t, other)
				before++
			},
			State: func(t *testing.T) string { return replica.info(t, "role") + " " + replica.info(t, "master_port") },
		}
	})
}

func TestReplicateConforms(t *testing.T) {
	t.Parallel()
	primary, other, old := boxOf(t), boxOf(t), boxOf(t)
	primary.fill(t, "k", 3, 0)
	there := at(t, primary.Address())
	conform(t, old, func(i redis.Instances) remediators.Remediator {
		return redis.NewReplicate(redis.Instances{"cache": i["cache"], "new": there})
	}, func(t *testing.T) remediatortest.Scene {
		if err := old.admin.Do(t.Context(), "replicaof", "no", "one").Err(); err != nil {
			t.Fatal(err)
		}
		old.fill(t, "old", 2, 0)
		before := old.calls(t, "replicaof")
		return remediatortest.Scene{
			Task:    task("cache", `{"of": "new", "discard": true}`),
			Effects: func(t *testing.T) int { return old.calls(t, "replicaof") - before },
			Change: func(t *testing.T) {
				old.follow(t, other)
				before++
			},
		}
	})
}

// fill writes so many keys; without a time they have no end.
func (b box) fill(t *testing.T, prefix string, n int, ttl time.Duration) {
	t.Helper()
	pipe := b.admin.Pipeline()
	for i := range n {
		pipe.Set(t.Context(), fmt.Sprintf("%s:%d", prefix, i), "x", ttl)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}
