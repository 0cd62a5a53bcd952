package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/tripgen/paramedic/internal/web/api"
)

// retryAfter, in seconds, is what a 503 asks for.
const retryAfter = 5

// refusal is an answer other than success.
type refusal struct {
	status int
	title  string
	// detail is for the client, cause for the log only.
	detail string
	cause  error
	// challenge is the WWW-Authenticate of a 401.
	challenge string
}

// Error implements error.
func (f *refusal) Error() string {
	if f.cause != nil {
		return fmt.Sprintf("%s: %s: %v", f.title, f.detail, f.cause)
	}
	return f.title + ": " + f.detail
}

// Unwrap gives the cause.
func (f *refusal) Unwrap() error { return f.cause }

func refuse(status int, title, format string, args ...any) *refusal {
	return &refusal{status: status, title: title, detail: fmt.Sprintf(format, args...)}
}

func bad(format string, args ...any) *refusal {
	return refuse(http.StatusBadRequest, "Bad request", format, args...)
}

// unavailable is for what may be well in a while.
func unavailable(title string, cause error, format string, args ...any) *refusal {
	f := refuse(http.StatusServiceUnavailable, title, format, args...)
	f.cause = cause
	return f
}

// asRefusal makes any error one. The text of an unforeseen error is not shown.
func asRefusal(err error) *refusal {
	if f, ok := errors.AsType[*refusal](err); ok {
		return f
	}
	return &refusal{status: http.StatusInternalServerError, title: "Internal error", detail: "the reason is in the server's log", cause: err}
}

func (f *refusal) write(w http.ResponseWriter) error {
	body, err := json.Marshal(f.problem())
	if err != nil {
		return fmt.Errorf("encode the problem: %w", err)
	}
	h := w.Header()
	if f.challenge != "" {
		h.Set("WWW-Authenticate", f.challenge)
	}
	if f.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(f.status)
	if _, err := w.Write(append(body, '\n')); err != nil {
		return fmt.Errorf("write the problem: %w", err)
	}
	return nil
}

func (f *refusal) problem() api.Problem {
	return api.Problem{Type: "about:blank", Title: f.title, Status: f.status, Detail: f.detail}
}
