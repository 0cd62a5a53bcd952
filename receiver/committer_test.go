package receiver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// bench is a committer whose publishes are let go one by one.
type gate struct {
	committer
	published chan string
	answer    chan error
	released  sync.WaitGroup
	groups    []int
}

func newGate(queue, maxBytes, maxGroup int) *gate {
	g := &gate{published: make(chan string), answer: make(chan error)}
	g.committer = committer{
		publish: func(ctx context.Context, data []byte) error {
			select {
			case g.published <- string(data):
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case err := <-g.answer:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		},
		observe:  func(n int) { g.groups = append(g.groups, n) },
		maxBytes: maxBytes, maxGroup: maxGroup, timeout: time.Second, patience: time.Minute,
	}
	g.start(queue)
	return g
}

// add commits lines in the background.
func (g *gate) add(ctx context.Context, lines ...string) <-chan error {
	result := make(chan error, 1)
	all := make([][]byte, len(lines))
	for i, l := range lines {
		all[i] = []byte(l)
	}
	g.released.Add(1)
	go func() { result <- g.commit(ctx, all, g.released.Done) }()
	synctest.Wait()
	return result
}

func (g *gate) finish(t *testing.T) {
	t.Helper()
	if err := g.close(t.Context()); err != nil {
		t.Error(err)
	}
	// Everything was released exactly once: a second time would panic.
	g.released.Wait()
}

func TestWhatQueuesUpIsOneMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		g := newGate(10, 1000, 0)
		first := g.add(ctx, "a\n")
		if got := <-g.published; got != "a\n" {
			t.Errorf("first message %q", got)
		}
		second, third, fourth := g.add(ctx, "b\n"), g.add(ctx, "c1\n", "c2\n"), g.add(ctx, "d\n")
		g.answer <- nil
		if err := <-first; err != nil {
			t.Error(err)
		}
		if got := <-g.published; got != "b\nc1\nc2\nd\n" {
			t.Errorf("second message %q", got)
		}
		synctest.Wait()
		select {
		case err := <-second:
			t.Errorf("answered before its group's ack: %v", err)
		default:
		}
		fault := errors.New("no quorum")
		g.answer <- fault
		for i, r := range []<-chan error{second, third, fourth} {
			if err := <-r; !errors.Is(err, fault) {
				t.Errorf("%d of the group: %v", i, err)
			}
		}
		g.finish(t)
		if fmt.Sprint(g.groups) != "[1 3]" {
			t.Errorf("groups %v", g.groups)
		}
	})
}

func TestMessagesKeepTheirBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		maxGroup int
		add      [][]string
		want     []string
	}{
		{"by bytes", 0, [][]string{{"aaaa\n"}, {"bbbb\n"}, {"cccc\n"}}, []string{"aaaa\nbbbb\n", "cccc\n"}},
		{"by number", 1, [][]string{{"a\n"}, {"b\n"}, {"c\n"}}, []string{"a\n", "b\n", "c\n"}},
		{"many parts", 0, [][]string{{"aaaa\n", "bbbb\n", "cccc\n"}, {"d\n"}}, []string{"aaaa\nbbbb\n", "cccc\n", "d\n"}},
		{"parts behind another", 0, [][]string{{"a\n"}, {"bbbb\n", "cccc\n"}}, []string{"a\n", "bbbb\ncccc\n"}},
		{"exactly full", 0, [][]string{{"aaaa\n"}, {"bbbb\n"}}, []string{"aaaa\nbbbb\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGate(10, 10, c.maxGroup)
				first := g.add(t.Context(), "-\n")
				if got := <-g.published; got != "-\n" {
					t.Errorf("got %q", got)
				}
				results := []<-chan error{first}
				for _, lines := range c.add {
					results = append(results, g.add(t.Context(), lines...))
				}
				g.answer <- nil
				for _, want := range c.want {
					if got := <-g.published; got != want {
						t.Errorf("got %q, want %q", got, want)
					}
					g.answer <- nil
				}
				for i, r := range results {
					if err := <-r; err != nil {
						t.Errorf("%d: %v", i, err)
					}
				}
				g.finish(t)
			})
		})
	}
}

func TestAFailedPartFailsItsDelivery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(10, 5, 0)
		result := g.add(t.Context(), "aaaa\n", "bbbb\n", "cccc\n")
		<-g.published
		g.answer <- nil
		<-g.published
		g.answer <- errors.New("disk full")
		if err := <-result; err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("got %v", err)
		}
		g.finish(t)
	})
}

func TestOneWhoLeavesTakesNobodyAlong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(10, 1000, 0)
		busy := g.add(t.Context(), "-\n")
		<-g.published
		ctx, leave := context.WithCancel(t.Context())
		leaving, staying := g.add(ctx, "a\n"), g.add(t.Context(), "b\n")
		leave()
		if err := <-leaving; !errors.Is(err, context.Canceled) {
			t.Errorf("the one who left: %v", err)
		}
		g.answer <- nil
		if got := <-g.published; !strings.Contains(got, "b\n") {
			t.Errorf("message %q", got)
		}
		g.answer <- nil
		if err := errors.Join(<-busy, <-staying); err != nil {
			t.Error(err)
		}
		g.finish(t)
	})
}

// What is left behind in the queue belongs to the committer until it has
// answered: nobody else may get an answer meant for it.
func TestAnAbandonedEntryIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(10, 1000, 1)
		busy := g.add(t.Context(), "-\n")
		<-g.published
		ctx, leave := context.WithCancel(t.Context())
		leaving := g.add(ctx, "left\n")
		leave()
		if err := <-leaving; !errors.Is(err, context.Canceled) {
			t.Errorf("the one who left: %v", err)
		}
		late := g.add(t.Context(), "late\n")
		fault := errors.New("no quorum")
		for i, want := range []string{"", "left\n", "late\n"} {
			if i > 0 {
				if got := <-g.published; got != want {
					t.Errorf("message %q, want %q", got, want)
				}
			}
			g.answer <- []error{nil, nil, fault}[i]
		}
		if err := <-busy; err != nil {
			t.Error(err)
		}
		if err := <-late; !errors.Is(err, fault) {
			t.Errorf("the late one got another's answer: %v", err)
		}
		g.finish(t)
	})
}

func TestAHangingPublishEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(10, 1000, 0)
		before := time.Now()
		result := g.add(t.Context(), "a\n")
		<-g.published
		if err := <-result; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(before); took != time.Second {
			t.Errorf("after %s", took)
		}
		g.finish(t)
	})
}

func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(10, 1000, 0)
		g.timeout = time.Hour
		before := time.Now()
		result := g.add(t.Context(), "a\n")
		<-g.published
		if err := <-result; !errors.Is(err, errTooLong) || time.Since(before) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(before))
		}
		g.answer <- nil
		g.finish(t)
	})
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(2, 1000, 0)
		results := []<-chan error{g.add(t.Context(), "a\n")}
		<-g.published
		results = append(results, g.add(t.Context(), "b\n"), g.add(t.Context(), "c\n"))
		if err := <-g.add(t.Context(), "d\n"); !errors.Is(err, errQueueFull) {
			t.Errorf("got %v", err)
		}
		g.answer <- nil
		<-g.published
		g.answer <- nil
		for _, r := range results {
			if err := <-r; err != nil {
				t.Error(err)
			}
		}
		g.finish(t)
	})
}

func TestCloseDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(10, 1000, 1)
		a, b := g.add(t.Context(), "a\n"), g.add(t.Context(), "b\n")
		closed := make(chan error, 2)
		for range 2 {
			go func() { closed <- g.close(t.Context()) }()
		}
		synctest.Wait()
		if err := <-g.add(t.Context(), "late\n"); !errors.Is(err, errClosed) {
			t.Errorf("late: %v", err)
		}
		for range 2 {
			<-g.published
			g.answer <- nil
		}
		if err := errors.Join(<-a, <-b, <-closed, <-closed); err != nil {
			t.Error(err)
		}
		g.finish(t)
	})
}

func TestCloseHasADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(10, 1000, 1)
		g.timeout = time.Hour
		a, b := g.add(t.Context(), "a\n"), g.add(t.Context(), "b\n")
		<-g.published
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := g.close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("close: %v", err)
		}
		for _, r := range []<-chan error{a, b} {
			if err := <-r; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		}
		g.released.Wait()
	})
}
