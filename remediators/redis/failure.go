package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// passing are the first words of errors that go by themselves: a server that starts,
// is busy, or belongs to a cluster that is being rearranged. Source: the errors in
// Redis' server.c and cluster.c.
func passing() []string {
	return []string{
		"LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "MOVED", "ASK", "NOREPLICAS", "MISCONF", "OOM", "READONLY", "NOMASTERLINK",
		"ERR max number of clients reached",
	}
}

// busyFor is when to try again with a server that said that it cannot right now.
const busyFor = 2 * time.Second

// failed classifies the error of a command to a server. Sent says that it would have
// changed something.
func failed(address string, err error, sent bool) error {
	answer, refused := errors.AsType[redis.Error](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case refused && isPassing(answer.Error()):
		return remediators.Retryable(busyFor, "redis %s: %w", address, err)
	case refused:
		// Any other answer that is an error: the command was not carried out.
		return remediators.Terminal("redis %s: %w", address, err)
	case untrusted:
		return remediators.Terminal("redis %s: %w", address, err)
	case sent:
		return remediators.UnknownOutcome("redis %s: sent, but not answered: %w", address, err)
	}
	return remediators.Retryable(0, "redis %s: %w", address, err)
}

func isPassing(answer string) bool {
	for _, word := range passing() {
		if answer == word || strings.HasPrefix(answer, word+" ") {
			return true
		}
	}
	return false
}

// answered says that a server is there, if only to give an error, or to say what
// nobody understands.
func answered(err error) bool {
	_, refused := errors.AsType[redis.Error](err)
	return refused || remediators.ClassOf(err) == engine.ClassTerminal
}

// partly is the error of a call that had changed something before it failed: to try
// again is as good as to know where again does no harm, and nothing else is.
func partly(err error, again bool, format string, args ...any) error {
	args = append(args, err)
	if again && remediators.ClassOf(err) != engine.ClassTerminal {
		return remediators.Retryable(remediators.Failure(err).RetryAfter, format+": %w", args...)
	}
	return remediators.UnknownOutcome(format+": %w", args...)
}

// pause waits, or gives the context's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
