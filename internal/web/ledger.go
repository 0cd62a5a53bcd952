package web

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/web/api"
)

// exportLedger answers GET /ledger?from=: every record up to the present end, a
// line each, byte for byte as it is stored, so that whoever reads them can check
// the chain without trusting this server. An answer that breaks off is cut off.
func (s *Server) exportLedger(c echo.Context, _ caller) error {
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
	release, refused := place(s.scans, "reads of the ledger")
	if refused != nil {
		return refused
	}
	defer release()
	last, err := s.api.Ledger.LedgerLast(ctx)
	if err != nil {
		return ledgerAway(err)
	}
	if from > last+1 {
		return bad("query parameter from=%d: the ledger ends at %d", from, last)
	}
	h := c.Response().Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set(api.HeaderLedgerFirst, strconv.FormatUint(from, 10))
	h.Set(api.HeaderLedgerLast, strconv.FormatUint(last, 10))
	c.Response().WriteHeader(http.StatusOK)
	return s.read(ctx, from, last, func(m bus.Msg) (bool, error) {
		if err := boundWrite(c.Response()); err != nil {
			return false, err
		}
		if _, err := c.Response().Write(append(m.Data, '\n')); err != nil {
			return false, fmt.Errorf("%w: %w", errGone, err)
		}
		return true, nil
	})
}
