package kubernetes

import (
	"errors"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// status is the HTTP status of the API server's answer; 0 if there was none.
func status(err error) int {
	var s apierrors.APIStatus
	if errors.As(err, &s) {
		return int(s.Status().Code)
	}
	return 0
}

// notFound reports whether the API server has no such object, or no such kind.
func notFound(err error) bool { return status(err) == http.StatusNotFound }

// retryAfter is what the API server asked for, as 429 and 503 carry it.
func retryAfter(err error) time.Duration {
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		return time.Duration(seconds) * time.Second
	}
	return 0
}

// refused says that the API server answered that it will not do it, so that it
// has not, and why it would not the next time either.
func refused(code int) bool {
	return code >= 400 && code < 500 &&
		code != http.StatusConflict && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout
}

// rehearsed is the error of a dry run, which is never of an unknown outcome.
func rehearsed(err error) error {
	if err == nil {
		return nil
	}
	if _, conflict := errors.AsType[conflictError](err); conflict || remediators.ClassOf(err) == engine.ClassUnknown {
		return remediators.Retryable(retryAfter(err), "dry run: %w", err)
	}
	return err
}

// readError classifies the failure of a request that changes nothing.
// What names the request for it.
func readError(err error, what string) error {
	if refused(status(err)) {
		return remediators.Terminal("%s: %w", what, err)
	}
	return remediators.Retryable(retryAfter(err), "%s: %w", what, err)
}
