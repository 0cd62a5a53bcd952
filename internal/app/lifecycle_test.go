package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPartsEndLatestFirst(t *testing.T) {
	t.Parallel()
	l := newLifecycle(slog.New(slog.DiscardHandler))
	var order []string
	for _, name := range []string{"bus", "engine", "edge"} {
		l.onClose(name, time.Second, func(context.Context) error {
			order = append(order, name)
			return nil
		})
	}
	if err := l.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"edge", "engine", "bus"}; !slices.Equal(order, want) {
		t.Errorf("ended in the order %v, want %v", order, want)
	}
	if err := l.close(t.Context()); err != nil || len(order) != 3 {
		t.Errorf("a second close ended them again: %v, %v", order, err)
	}
}

func TestAPartThatHangsDoesNotKeepTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLifecycle(slog.New(slog.DiscardHandler))
		ended := false
		l.onClose("bus", time.Second, func(context.Context) error {
			ended = true
			return nil
		})
		release := make(chan struct{})
		l.run(t.Context(), "worker", 5*time.Second, func(context.Context) error {
			<-release
			return nil
		})
		started := time.Now()
		err := l.close(t.Context())
		if err == nil || !strings.Contains(err.Error(), "worker") || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error does not name the part that hangs: %v", err)
		}
		if took := time.Since(started); took != 5*time.Second || !ended {
			t.Errorf("took %s, the bus ended: %v; want 5s and true", took, ended)
		}
		close(release)
	})
}

func TestAPartThatEndsByItselfIsAFailure(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{"with an error": errors.New("broken"), "without one": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLifecycle(slog.New(slog.DiscardHandler))
			l.run(t.Context(), "engine", time.Second, func(context.Context) error { return cause })
			if err := <-l.failed; err == nil || !strings.Contains(err.Error(), "engine") || cause != nil && !errors.Is(err, cause) {
				t.Errorf("failed with %v", err)
			}
		})
	}
}
