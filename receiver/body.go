package receiver

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	// requestOverhead is held for each request whatever its size: goroutine,
	// connection buffers, headers. It makes MaxInFlight bound their number too.
	requestOverhead = 16 << 10
	// firstBuffer is as much as is believed of a Content-Length before any of
	// the body has come.
	firstBuffer = 64 << 10
)

// checkMedia refuses what the decoder should not see, before the body is read.
func checkMedia(h http.Header, accepted []string) *refusal {
	for _, encoding := range h.Values("Content-Encoding") {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			f := refuse(http.StatusUnsupportedMediaType, reasonEncoding,
				"Content-Encoding %q is not supported; send the body as it is", encoding)
			f.header = [2]string{"Accept-Encoding", "identity"}
			return f
		}
	}
	given := h.Get("Content-Type")
	if given == "" || given == "application/json" && slices.Contains(accepted, given) {
		return nil
	}
	media, params, err := mime.ParseMediaType(given)
	if err != nil || !slices.Contains(accepted, media) {
		f := refuse(http.StatusUnsupportedMediaType, reasonMediaType,
			"Content-Type %q is not supported; send %s", given, strings.Join(accepted, " or "))
		f.header = [2]string{"Accept-Post", strings.Join(accepted, ", ")}
		return f
	}
	if charset := params["charset"]; charset != "" &&
		!strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return refuse(http.StatusUnsupportedMediaType, reasonMediaType,
			"charset %q is not supported; JSON is sent as utf-8", charset)
	}
	return nil
}

// takeBody reads the body within the limits of size and time.
func (rx *Receiver) takeBody(w http.ResponseWriter, r *http.Request, h *hold) ([]byte, *refusal) {
	tooLarge := func() *refusal {
		f := refuse(http.StatusRequestEntityTooLarge, reasonBodyTooLarge,
			"the body is larger than %d bytes; lower max_alerts at the sender", rx.maxBody)
		f.hangUp = true
		return f
	}
	if r.ContentLength > int64(rx.maxBody) {
		return nil, tooLarge()
	}
	body, err := readBody(r.Body, r.ContentLength, rx.maxBody, h)
	switch {
	case errors.Is(err, errBodyTooLarge):
		return nil, tooLarge()
	case errors.Is(err, errNoRoom):
		return nil, busy()
	case errors.Is(err, os.ErrDeadlineExceeded):
		f := refuse(http.StatusRequestTimeout, reasonBodyTimeout,
			"the body did not arrive within %s; %d bytes had", rx.bodyTimeout, len(body))
		f.hangUp = true
		return nil, f
	case err != nil:
		f := refuse(http.StatusBadRequest, reasonBodyIncomplete,
			"the body ended early, after %d bytes", len(body))
		f.cause, f.hangUp = err, true
		return nil, f
	}
	// Left standing, the deadline would end the wait for the commit: net/http
	// reads ahead to notice a peer that goes away.
	if err := readDeadline(w, time.Time{}); err != nil {
		return nil, doubt(reasonInternal, err, "the body cannot be read now")
	}
	return body, nil
}

// readDeadline bounds what is read from the connection. A writer that knows no
// deadlines is a test's recorder, or a server with a ReadTimeout of its own.
func readDeadline(w http.ResponseWriter, at time.Time) error {
	if err := http.NewResponseController(w).SetReadDeadline(at); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("set the read deadline: %w", err)
	}
	return nil
}

var (
	errBodyTooLarge = errors.New("body too large")
	errNoRoom       = errors.New("no room for the body")
)

// readBody reads up to limit bytes. The buffer grows only with what has
// arrived, whatever the sender announced, and is paid from h before it grows.
// With an error it returns what had arrived.
func readBody(r io.Reader, announced int64, limit int, h *hold) ([]byte, error) {
	size := 4 << 10
	if announced >= 0 {
		// One byte more, so that the read that fills it also meets the end.
		size = int(min(announced, firstBuffer)) + 1
	}
	if !h.resize(requestOverhead + int64(size)) {
		return nil, errNoRoom
	}
	buf := make([]byte, 0, size)
	for {
		if len(buf) == cap(buf) {
			size := min(2*cap(buf), limit+1)
			// Old and new exist side by side while one is copied to the other.
			if !h.resize(requestOverhead + int64(cap(buf)+size)) {
				return buf, errNoRoom
			}
			grown := make([]byte, len(buf), size)
			copy(grown, buf)
			buf = grown
			h.resize(requestOverhead + int64(size))
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > limit:
			return buf, errBodyTooLarge
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return buf, fmt.Errorf("read the body: %w", err)
		}
	}
}
