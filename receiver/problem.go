package receiver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
)

// retryAfter is what a 503 asks for. It is short, because most doubts (a full
// queue, a leader election of the bus) are over in seconds, and Alertmanager
// backs off by its own clock anyway.
const retryAfter = 5

// problem is an error body (RFC 9457).
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance,omitempty"`
	// Quarantine is where the body was kept, if it was.
	Quarantine string `json:"quarantine,omitempty"`
}

// refusal is a request's end without 202.
type refusal struct {
	status int
	reason Reason
	// counted is what log and metric say instead, if the sender is not to know.
	counted Reason
	// detail is for the sender.
	detail string
	// cause is for the log only.
	cause error
	// quarantine is the ID under which the body was kept.
	quarantine string
	// header holds one more response header and its value, if not empty.
	header [2]string
	// challenges are the WWW-Authenticate headers of a 401.
	challenges []string
	// hangUp closes the connection: the rest of the body is not wanted.
	hangUp bool
	// failed makes it a failed attempt of its address.
	failed bool
	// quiet keeps it out of the log.
	quiet bool
}

// why is what it is counted as.
func (f *refusal) why() Reason {
	if f.counted != "" {
		return f.counted
	}
	return f.reason
}

func refuse(status int, why Reason, format string, args ...any) *refusal {
	return &refusal{status: status, reason: why, detail: fmt.Sprintf(format, args...)}
}

// doubt is the answer wherever the alerts may not be on disk.
func doubt(why Reason, cause error, detail string) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, reason: why, detail: detail, cause: cause}
}

// write sends f; instance tells this refusal from others and is in the log too.
func (f *refusal) write(w http.ResponseWriter, instance string) error {
	if f.header[0] != "" {
		w.Header().Set(f.header[0], f.header[1])
	}
	for _, challenge := range f.challenges {
		w.Header().Add("WWW-Authenticate", challenge)
	}
	if f.hangUp {
		w.Header().Set("Connection", "close")
	}
	return writeProblem(w, problem{
		Type:       "https://paramedic.dev/problems/" + string(f.reason),
		Title:      f.reason.title(),
		Status:     f.status,
		Detail:     f.detail,
		Instance:   instance,
		Quarantine: f.quarantine,
	})
}

func writeProblem(w http.ResponseWriter, p problem) error {
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode the problem: %w", err)
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	if _, err := w.Write(append(body, '\n')); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// ErrorHandler answers what echo itself refuses (no such path, no such method)
// and errors of other handlers as application/problem+json. It is meant to be an
// echo.Echo's HTTPErrorHandler. The text of an error that is not an
// *echo.HTTPError is not shown.
func ErrorHandler(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	status, detail := http.StatusInternalServerError, ""
	if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		status = he.Code
		if text, ok := he.Message.(string); ok && text != http.StatusText(status) {
			detail = text
		}
	}
	// A failed write means that nobody is there to be told.
	_ = writeProblem(c.Response(), problem{
		Type:   "about:blank",
		Title:  http.StatusText(status),
		Status: status,
		Detail: detail,
	})
}
