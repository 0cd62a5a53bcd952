package redis_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/redis"
)

// trio is a primary and two replicas in step.
func trio(t *testing.T) (primary, a, b box, promote *redis.Promote) {
	t.Helper()
	primary, a, b = boxOf(t), boxOf(t), boxOf(t)
	a.follow(t, primary)
	b.follow(t, primary)
	return primary, a, b, redis.NewPromote(redis.Instances{
		"primary": at(t, primary.Address()), "a": at(t, a.Address()), "b": at(t, b.Address()),
	})
}

func (b box) kill(t *testing.T, seenBy ...box) {
	t.Helper()
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, other := range seenBy {
		eventually(t, "the link is down", func() bool { return other.info(t, "master_link_status") == "down" })
	}
}

func TestPromoteOnceThePrimaryIsDead(t *testing.T) {
	t.Parallel()
	primary, a, b, promote := trio(t)
	primary.fill(t, "k", 100, 0)
	eventually(t, "a has the keys", func() bool { return a.size(t) == 100 && b.size(t) == 100 })
	one := task("a", `{"repoint": ["b"]}`)
	_, err := promote.Plan(t.Context(), one)
	wantClass(t, err, engine.ClassTerminal, "there would be two")

	primary.kill(t, a, b)
	p := must(promote.Plan(t.Context(), one))(t)
	if want := "make a, at " + a.Address() + ", a primary; its own, " + primary.Address() + ", does not answer; have b follow it"; p.Summary != want {
		t.Errorf("plan %q, want %q", p.Summary, want)
	}
	var kept json.RawMessage
	o := must(promote.Execute(remediators.WithKeeper(t.Context(), func(k json.RawMessage) error { kept = k; return nil }), one, p))(t)
	if !strings.HasSuffix(o.Summary, "; b follows it") {
		t.Errorf("outcome %q", o.Summary)
	}
	if got := must(promote.Observe(remediators.WithCheckpoint(t.Context(), kept), one, p))(t); got != engine.Applied || kept == nil {
		t.Errorf("a worker that was killed after that is told %s by %q", got, kept)
	}
	b.inStep(t, a)
	if a.info(t, "role") != "master" || a.size(t) != 100 || b.size(t) != 100 {
		t.Errorf("a is %s with %d keys, b has %d", a.info(t, "role"), a.size(t), b.size(t))
	}
	if p := must(promote.Plan(t.Context(), one))(t); !p.Noop {
		t.Errorf("again: %+v", p)
	}
	_, err = promote.Execute(t.Context(), one, p)
	wantClass(t, err, engine.ClassPlanChanged, "is a primary by now")

	// The dead primary cannot be followed again.
	undo := task("a", "")
	undo.Undoes, undo.Plan = one.ID, &p
	if err := promote.Undo(t.Context(), undo, o); err == nil {
		t.Error("it follows a dead primary")
	}
}

// TestPromoteRefuses holds that whatever speaks for a living primary, or against the
// replica's data, is enough.
func TestPromoteRefuses(t *testing.T) {
	t.Parallel()
	t.Run("a primary that starts again", func(t *testing.T) {
		t.Parallel()
		primary, a, _, promote := trio(t)
		one := task("a", "")
		primary.kill(t, a)
		p := must(promote.Plan(t.Context(), one))(t)
		lab.Redis(t, lab.RedisOptions{Address: primary.Address(), Config: []string{"requirepass " + password}})
		_, err := promote.Execute(t.Context(), one, p)
		if err == nil || a.info(t, "role") != "slave" {
			t.Errorf("beside a primary that came back: %v, and a is %s", err, a.info(t, "role"))
		}
	})
	t.Run("a primary that only answers with errors", func(t *testing.T) {
		t.Parallel()
		primary, a, _, promote := trio(t)
		if err := primary.admin.Do(t.Context(), "config", "set", "requirepass", "hunter2-of-another").Err(); err != nil {
			t.Fatal(err)
		}
		_, err := promote.Plan(t.Context(), task("a", `{"force": true}`))
		wantClass(t, err, engine.ClassTerminal, "there would be two")
		if a.info(t, "role") != "slave" {
			t.Error("it is promoted")
		}
	})
	t.Run("a primary that is out of reach for the worker only", func(t *testing.T) {
		t.Parallel()
		primary, a, _, promote := trio(t)
		if err := primary.Freeze(); err != nil { // the link is up until it times out
			t.Fatal(err)
		}
		_, err := promote.Plan(t.Context(), task("a", ""))
		wantClass(t, err, engine.ClassTerminal, "its link to its primary is up")
		if a.info(t, "master_link_status") != "up" {
			t.Error("this proves nothing: the link is down")
		}
	})
	t.Run("a replica that was without its primary for long", func(t *testing.T) {
		t.Parallel()
		primary, a, _, promote := trio(t)
		primary.kill(t, a)
		eventually(t, "two seconds without", func() bool { return a.info(t, "master_link_down_since_seconds") >= "2" })
		_, err := promote.Plan(t.Context(), task("a", `{"maxLinkDown": "1s"}`))
		wantClass(t, err, engine.ClassTerminal, "more than maxLinkDown 1s")
	})
	t.Run("a replica that never had anything", func(t *testing.T) {
		t.Parallel()
		empty := boxOf(t, "replicaof 127.0.0.1 1")
		_, err := redis.NewPromote(redis.Instances{"a": at(t, empty.Address())}).Plan(t.Context(), task("a", ""))
		wantClass(t, err, engine.ClassTerminal, "has never been in step")
	})
	t.Run("a primary that is a replica", func(t *testing.T) {
		t.Parallel()
		primary, a, _, promote := trio(t)
		above := boxOf(t)
		primary.follow(t, above)
		// It is filled anew for a moment, of which there is something else to say.
		_, err := promote.Plan(t.Context(), task("a", `{"force": true}`))
		for remediators.ClassOf(err) == engine.ClassRetryable && t.Context().Err() == nil {
			_, err = promote.Plan(t.Context(), task("a", `{"force": true}`))
		}
		wantClass(t, err, engine.ClassTerminal, "is itself a replica")
		if a.info(t, "role") != "slave" {
			t.Error("it is promoted")
		}
	})
	t.Run("parameters", func(t *testing.T) {
		t.Parallel()
		promote := redis.NewPromote(redis.Instances{
			"a": at(t, "127.0.0.1:1"), "many": instance(t, redis.Config{Cluster: []string{"127.0.0.1:1"}}),
		})
		for params, words := range map[string]string{
			`{"maxLag": 1}`: "for force", `{"force": true, "maxLag": -1}`: "below 0", `{"maxLinkDown": "x"}`: "maxLinkDown", `{"maxLinkDown": "-1s"}`: "maxLinkDown",
		} {
			_, err := promote.Plan(t.Context(), task("a", params))
			wantClass(t, err, engine.ClassTerminal, words)
		}
		_, err := promote.Plan(t.Context(), task("many", ""))
		wantClass(t, err, engine.ClassTerminal, "promote by themselves")
	})
}

// TestPromoteMindsTheLag has a replica whose link is up and that does not keep up.
// Both change places: the old primary is there, and becomes a replica.
func TestPromoteSwitchesOver(t *testing.T) {
	t.Parallel()
	primary, a, b, _ := trio(t)
	primary.fill(t, "k", 10, 0)
	eventually(t, "a and b have the keys", func() bool { return a.size(t) == 10 && b.size(t) == 10 })
	stranger := boxOf(t)
	promote := redis.NewPromote(redis.Instances{
		"old": at(t, primary.Address()), "a": at(t, a.Address()), "b": at(t, b.Address()), "stranger": at(t, stranger.Address()),
	})
	_, err := promote.Plan(t.Context(), task("a", `{"force": true, "repoint": ["stranger"]}`))
	wantClass(t, err, engine.ClassTerminal, "stranger is a primary of its own, neither "+primary.Address())
	one := task("a", `{"force": true, "repoint": ["old", "b"]}`)
	if p := must(promote.Plan(t.Context(), one))(t); !strings.HasSuffix(p.Summary, "a primary in place of its own, "+primary.Address()+"; have old, b follow it") {
		t.Errorf("plan %q", p.Summary)
	}
	o := must(done(t.Context(), t, promote, one))(t)
	if !strings.HasSuffix(o.Summary, "; old follows it; b follows it") {
		t.Errorf("outcome %q", o.Summary)
	}
	primary.inStep(t, a)
	b.inStep(t, a)
	if a.info(t, "role") != "master" || a.size(t) != 10 || primary.size(t) != 10 {
		t.Errorf("a is %s with %d keys, the old primary has %d", a.info(t, "role"), a.size(t), primary.size(t))
	}
}

func TestPromoteMindsTheLag(t *testing.T) {
	t.Parallel()
	primary, a, _, promote := trio(t)
	one := task("a", `{"force": true, "maxLag": 1000}`)
	must(promote.Plan(t.Context(), one))(t)
	if err := primary.admin.Do(t.Context(), "client", "kill", "type", "replica").Err(); err != nil {
		t.Fatal(err)
	}
	// It links again at once; meanwhile, and until it has caught up, it is refused.
	primary.fill(t, strings.Repeat("k", 1000), 20_000, 0)
	_, err := promote.Plan(t.Context(), one)
	if err != nil && !strings.Contains(err.Error(), "bytes behind") && !strings.Contains(err.Error(), "not in step") && !strings.Contains(err.Error(), "being filled") {
		t.Errorf("got %v", err)
	}
	eventually(t, "a replica in step again", func() bool {
		_, err := promote.Plan(t.Context(), one)
		return err == nil
	})
	if a.size(t) != 20_000 {
		t.Errorf("it may be promoted with %d keys of 20000", a.size(t))
	}
}

func TestUndoOfAPromotion(t *testing.T) {
	t.Parallel()
	primary, a, _, promote := trio(t)
	one := task("a", `{"force": true}`)
	p := must(promote.Plan(t.Context(), one))(t)
	o := must(promote.Execute(t.Context(), one, p))(t)
	undo := task("a", "")
	undo.Undoes, undo.Plan = one.ID, &p
	a.fill(t, "written", 1, 0)
	wantClass(t, promote.Undo(t.Context(), undo, o), engine.ClassPlanChanged, "bytes were written since")
	if a.info(t, "role") != "master" || a.size(t) != 1 {
		t.Errorf("it is %s with %d keys", a.info(t, "role"), a.size(t))
	}

	a.follow(t, primary)
	p = must(promote.Plan(t.Context(), one))(t)
	must(promote.Execute(t.Context(), one, p))(t)
	undo.Plan = &p
	if err := promote.Undo(t.Context(), undo, engine.Outcome{}); err != nil { // as of one that was observed
		t.Fatal(err)
	}
	a.inStep(t, primary)
}

// TestUndoLosesNoWrite has a client write right before the server is made a replica
// again: what was acknowledged to it must not be lost.
func TestUndoLosesNoWrite(t *testing.T) {
	t.Parallel()
	primary, a := boxOf(t), boxOf(t)
	a.follow(t, primary)
	one, wrote := task("a", `{"force": true}`), make(chan error, 1)
	direct := redis.NewPromote(redis.Instances{"a": at(t, a.Address())})
	p := must(direct.Plan(t.Context(), one))(t)
	o := must(direct.Execute(t.Context(), one, p))(t)
	relayed := relay(t, a, func() {
		go func() { wrote <- a.admin.Set(t.Context(), "written", "x", 0).Err() }()
		eventually(t, "the write is done, or waits", func() bool { return a.calls(t, "set") > 0 || a.info(t, "blocked_clients") == "1" })
	})
	undo := task("a", "")
	undo.Undoes, undo.Plan = one.ID, &p
	if err := redis.NewPromote(redis.Instances{"a": at(t, relayed)}).Undo(t.Context(), undo, o); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; err == nil {
		t.Error("it was made a replica, and a write right before was acknowledged")
	}
	a.inStep(t, primary)
}

// relay passes commands on to a server, and does something before each that changes
// it.
func relay(t *testing.T, to box, before func()) (address string) {
	t.Helper()
	listen := must((&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"))(t)
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = listen.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			client, err := listen.Accept()
			if err != nil {
				return // the test is over
			}
			server, err := net.Dial("tcp", to.Address())
			if err != nil {
				_ = client.Close()
				continue
			}
			all.Go(func() {
				_, _ = io.Copy(client, server)
				_ = client.Close()
			})
			all.Go(func() {
				defer func() { _ = server.Close() }()
				for requests := bufio.NewReader(client); ; {
					request, changes, err := next(requests)
					if changes {
						before()
					}
					if err == nil {
						_, err = server.Write(request)
					}
					if err != nil {
						return // either end has closed
					}
				}
			})
		}
	})
	return listen.Addr().String()
}

// TestPromoteOfAnotherProcess has the replica replaced between plan and call.
func TestPromoteOfAnotherProcess(t *testing.T) {
	t.Parallel()
	primary, a, _, promote := trio(t)
	primary.kill(t, a)
	one := task("a", "")
	p := must(promote.Plan(t.Context(), one))(t)
	a.kill(t)
	_, err := promote.Execute(t.Context(), one, p)
	wantClass(t, err, engine.ClassRetryable, "refused")
	host, port := must2(net.SplitHostPort(primary.Address()))(t)
	lab.Redis(t, lab.RedisOptions{Address: a.Address(), Config: []string{"requirepass " + password, "replicaof " + host + " " + port}})
	_, err = promote.Execute(t.Context(), one, p)
	wantClass(t, err, engine.ClassPlanChanged, "is a replica of "+primary.Address())
	if got := must(promote.Observe(t.Context(), one, p))(t); got != engine.Unknown {
		t.Errorf("observed: %s", got)
	}
}
