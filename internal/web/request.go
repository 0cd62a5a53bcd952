package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

const (
	// mostBody bounds a request's body, in bytes.
	mostBody = 64 << 10
	// mostReason bounds a person's reason, in characters.
	mostReason = 1000
)

// queryOf reads the query. A parameter that is not known, or stands there twice,
// is refused: a misspelt filter must not answer with everything.
func queryOf(c echo.Context, known ...string) (url.Values, error) {
	q, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return nil, bad("the query cannot be read: %v", err)
	}
	for name, values := range q {
		switch {
		case !slices.Contains(known, name):
			return nil, bad("query parameter %q is not known here: want %s", name, strings.Join(known, ", "))
		case len(values) > 1:
			return nil, bad("query parameter %q is given %d times", name, len(values))
		}
	}
	return q, nil
}

// number reads a query parameter that is a number of at least 1.
func number(q url.Values, name string, def, most uint64) (uint64, error) {
	s := q.Get(name)
	if s == "" {
		return def, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n < 1 || n > most {
		return 0, bad("query parameter %s=%q: want a number from 1 to %d", name, s, most)
	}
	return n, nil
}

// bodyOf decodes the JSON body into v, strictly.
func bodyOf(c echo.Context, v any) error {
	r, w := c.Request(), c.Response()
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "Unsupported media type", "send Content-Type: application/json")
	}
	d := json.NewDecoder(http.MaxBytesReader(w.Writer, r.Body, mostBody))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			return bad("the body has more than one JSON value")
		}
	}
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refuse(http.StatusRequestEntityTooLarge, "Body too large", "the body has more than %d bytes", large.Limit)
	}
	if err != nil {
		return bad("the body cannot be read: %v", err)
	}
	// The deadline was for the body. Past it, net/http would take the client for
	// gone.
	if err := http.NewResponseController(w.Writer).SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("end the body's time: %w", err)
	}
	return nil
}

func checkReason(reason string) error {
	if n := utf8.RuneCountInString(reason); n > mostReason {
		return bad("the reason has %d characters: want at most %d", n, mostReason)
	}
	return nil
}
