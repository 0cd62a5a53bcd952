package web

import (
	"context"
	"math"
	"net/http"

	"github.com/labstack/echo/v4"
)

// scanning names what has a place among the scans, for who finds none.
const scanning = "reads of the ledger, of recorded inputs and of the quarantine"

// exported is a stream that is sent from a sequence up to its present end, a line
// each. An answer that breaks off is cut off.
type exported struct {
	// end names the stream with its verb, as in "the ledger ends".
	end  string
	last func(context.Context) (uint64, error)
	// send answers with what is from first to last. first is one more than last if
	// there is nothing.
	send func(ctx context.Context, w *echo.Response, first, last uint64) error
}

// export answers GET ?from= of a stream, as long as the server lives.
func (s *Server) export(c echo.Context, what exported) error {
	q, err := queryOf(c, "from")
	if err != nil {
		return err
	}
	from, err := number(q, "from", 1, math.MaxInt64)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(c.Request().Context())
	defer cancel()
	stop := context.AfterFunc(s.life, cancel)
	defer stop()
	release, refused := place(s.scans, scanning)
	if refused != nil {
		return refused
	}
	defer release()
	last, err := what.last(ctx)
	if err != nil {
		return ledgerAway(err)
	}
	if from > last+1 {
		return bad("query parameter from=%d: %s at %d", from, what.end, last)
	}
	return what.send(ctx, c.Response(), from, last)
}

// lines begins an answer of one JSON document a line.
func lines(w *echo.Response) {
	w.Header().Set(echo.HeaderContentType, "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
}
