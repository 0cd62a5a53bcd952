package web

import (
	"context"
	"fmt"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/web/api"
)

// exportLedger answers GET /ledger?from=: every record up to the present end, a
// line each, byte for byte as it is stored, so that whoever reads them can check
// the chain without trusting this server. An answer that breaks off is cut off.
func (s *Server) exportLedger(c echo.Context, _ caller) error {
	return s.export(c, exported{end: "the ledger ends", last: s.api.Ledger.LedgerLast, send: s.sendLedger})
}

func (s *Server) sendLedger(ctx context.Context, w *echo.Response, first, last uint64) error {
	w.Header().Set(api.HeaderLedgerFirst, strconv.FormatUint(first, 10))
	w.Header().Set(api.HeaderLedgerLast, strconv.FormatUint(last, 10))
	lines(w)
	return s.read(ctx, first, last, func(m bus.Msg) (bool, error) {
		if err := boundWrite(w); err != nil {
			return false, err
		}
		if _, err := w.Write(append(m.Data, '\n')); err != nil {
			return false, fmt.Errorf("%w: %w", errGone, err)
		}
		return true, nil
	})
}
