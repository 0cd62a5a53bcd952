package redis_test

import (
	"encoding/json"
	"net"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/redis"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// The old primary is there again after its replica took its place, and follows that.
func TestAnOldPrimaryFollowsTheNewOne(t *testing.T) {
	t.Parallel()
	old, fresh := boxOf(t), boxOf(t)
	old.fill(t, "old", 20, 0)
	fresh.fill(t, "new", 5, 0)
	replicate := redis.NewReplicate(redis.Instances{"korea": at(t, old.Address()), "japan": at(t, fresh.Address())})
	_, err := replicate.Plan(t.Context(), task("korea", `{"of": "japan"}`))
	wantClass(t, err, engine.ClassTerminal, "holds tens keys, which would be lost; write discard: true")

	one := task("korea", `{"of": "japan", "discard": true}`)
	p := must(replicate.Plan(t.Context(), one))(t)
	if want := "make korea, at " + old.Address() + ", a primary, a replica of japan, at " + fresh.Address() + "; its own keys (tens) are thrown away"; p.Summary != want || len(p.Changes) != 1 {
		t.Errorf("plan %q, want %q", p.Summary, want)
	}
	var kept json.RawMessage
	must(replicate.Execute(remediators.WithKeeper(t.Context(), func(k json.RawMessage) error { kept = k; return nil }), one, p))(t)
	old.inStep(t, fresh)
	if n := old.size(t); n != 5 {
		t.Errorf("it has %d keys, want those of the other, 5", n)
	}
	if got := must(replicate.Observe(remediators.WithCheckpoint(t.Context(), kept), one, p))(t); got != engine.Applied || kept == nil {
		t.Errorf("a worker that was killed after that is told %s by %q", got, kept)
	}
	if got := must(replicate.Observe(t.Context(), one, p))(t); got != engine.Unknown {
		t.Errorf("a worker that was killed before its call was answered is told %s", got)
	}
	if again := must(replicate.Plan(t.Context(), one))(t); !again.Noop || again.Summary != "korea follows japan already" {
		t.Errorf("again: %+v", again)
	}
	_, err = replicate.Execute(t.Context(), one, p)
	wantClass(t, err, engine.ClassPlanChanged, "has changed its role since")
}

func TestReplicateRefuses(t *testing.T) {
	t.Parallel()
	server, full, empty, leader, follower := boxOf(t), boxOf(t), boxOf(t), boxOf(t), boxOf(t)
	server.fill(t, "k", 3, 0)
	full.fill(t, "k", 3, 0)
	leader.fill(t, "k", 3, 0)
	follower.follow(t, leader)
	replicate := redis.NewReplicate(redis.Instances{
		"server": at(t, server.Address()), "full": at(t, full.Address()), "empty": at(t, empty.Address()), "leader": at(t, leader.Address()),
		"follower": at(t, follower.Address()), "gone": at(t, "127.0.0.1:1"), "many": instance(t, redis.Config{Cluster: []string{"127.0.0.1:1"}}),
	})
	for words, c := range map[string]struct {
		name, params string
		class        engine.Class
	}{
		"of is missing":                     {"server", `{}`, engine.ClassTerminal},
		"unknown field":                     {"server", `{"of": "full", "typo": 1}`, engine.ClassTerminal},
		"is not configured":                 {"server", `{"of": "nobody", "discard": true}`, engine.ClassTerminal},
		"are the same server":               {"server", `{"of": "server", "discard": true}`, engine.ClassTerminal},
		"name the primary":                  {"server", `{"of": "follower", "discard": true}`, engine.ClassTerminal},
		"nothing would be left":             {"server", `{"of": "empty", "discard": true}`, engine.ClassTerminal},
		"would be lost":                     {"server", `{"of": "full"}`, engine.ClassTerminal},
		"has 1 replicas of its own":         {"leader", `{"of": "full", "discard": true}`, engine.ClassTerminal},
		"is no single server":               {"many", `{"of": "full", "discard": true}`, engine.ClassTerminal},
		"redis 127.0.0.1:1: dial tcp 127.0": {"server", `{"of": "gone", "discard": true}`, engine.ClassRetryable},
	} {
		_, err := replicate.Plan(t.Context(), task(c.name, c.params))
		wantClass(t, err, c.class, words)
	}
	// What is empty has nothing to lose, and needs no word.
	if p := must(replicate.Plan(t.Context(), task("empty", `{"of": "full"}`)))(t); p.Noop || !strings.Contains(p.Summary, "none") {
		t.Errorf("an empty one: %+v", p)
	}
	schema := remediatortest.Schema(t, replicate.Spec().Params)
	for params, want := range map[string]bool{`{"of": "x", "discard": true}`: true, `{}`: false, `{"of": ""}`: false, `{"of": "x", "typo": 1}`: false} {
		if remediatortest.Accepts(t, schema, params) != want {
			t.Errorf("schema of %s: %t", params, !want)
		}
	}
}

// What is planned is not done to servers that are others by now.
func TestReplicateLooksOnceMore(t *testing.T) {
	t.Parallel()
	old, fresh := boxOf(t), boxOf(t)
	old.fill(t, "k", 3, 0)
	fresh.fill(t, "k", 3, 0)
	replicate := redis.NewReplicate(redis.Instances{"korea": at(t, old.Address()), "japan": at(t, fresh.Address())})
	one := task("korea", `{"of": "japan", "discard": true}`)
	p := must(replicate.Plan(t.Context(), one))(t)
	host, port := must2(net.SplitHostPort(old.Address()))(t)
	if err := fresh.admin.Do(t.Context(), "replicaof", host, port).Err(); err != nil {
		t.Fatal(err)
	}
	_, err := replicate.Execute(t.Context(), one, p)
	if err == nil || old.info(t, "role") != "master" {
		t.Errorf("%v, and it is %s", err, old.info(t, "role"))
	}
	p.Precondition = json.RawMessage(`{}`)
	_, err = replicate.Execute(t.Context(), one, p)
	wantClass(t, err, engine.ClassTerminal, "does not name both servers")
}
