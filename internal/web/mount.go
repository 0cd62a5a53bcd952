package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// shortTime bounds a request that touches one thing, scanTime one that reads
	// the ledger. Streams and exports are bounded by their own progress.
	shortTime = 15 * time.Second
	scanTime  = 60 * time.Second
	// bodyTime bounds how long a body may take to arrive, writeTime how long a
	// client may take to accept what is written.
	bodyTime  = 10 * time.Second
	writeTime = 10 * time.Second
)

// Mount puts the routes into e: /healthz, /readyz, /metrics, and /api/v1 if
// there is an API.
func (s *Server) Mount(e *echo.Echo) {
	e.GET("/healthz", s.healthz)
	e.GET("/readyz", s.readyz)
	e.GET("/metrics", echo.WrapHandler(promhttp.HandlerFor(s.gatherer, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn), MaxRequestsInFlight: 4, Timeout: shortTime,
	})))
	if s.api == nil {
		return
	}
	g := e.Group("/api/v1")
	g.GET("/runs", s.serve(Viewer, shortTime, s.listRuns))
	g.GET("/runs/:id", s.serve(Viewer, scanTime, s.showRun))
	g.POST("/runs/:id/approve", s.serve(Operator, shortTime, s.approve))
	g.POST("/runs/:id/deny", s.serve(Operator, shortTime, s.deny))
	g.POST("/runs/:id/cancel", s.serve(Operator, shortTime, s.cancel))
	g.GET("/pauses", s.serve(Viewer, shortTime, s.listPauses))
	g.POST("/pauses", s.serve(Operator, shortTime, s.pause))
	g.DELETE("/pauses", s.serve(Operator, shortTime, s.resume))
	g.POST("/triggers/:rule", s.serve(Operator, shortTime, s.trigger))
	g.GET("/events", s.serve(Viewer, s.api.StreamFor, s.events))
	g.GET("/ledger", s.serve(Viewer, unbounded, s.exportLedger))
	g.GET("/inbox", s.serve(Operator, unbounded, s.exportInbox))
	g.GET("/quarantine", s.serve(Viewer, scanTime, s.placed(s.listQuarantine)))
	g.GET("/quarantine/:id", s.serve(Viewer, scanTime, s.placed(s.showQuarantined)))
	g.GET("/quarantine/:id/body", s.serve(Operator, scanTime, s.placed(s.quarantinedBody)))
	g.GET("/quarantine/:id/try", s.serve(Operator, scanTime, s.placed(s.tryQuarantined)))
	g.POST("/quarantine/replay", s.serve(Operator, scanTime, s.replay))
	g.POST("/quarantine/drop", s.serve(Operator, scanTime, s.placed(s.drop)))
	g.RouteNotFound("/*", s.serve(Viewer, shortTime, func(c echo.Context, _ caller) error {
		return refuse(http.StatusNotFound, "Not found", "the API has nothing at %q", c.Request().URL.Path)
	}))
}

// unbounded is the time of a request that ends by itself.
const unbounded = 0

// handler answers one request of somebody who may send it.
type handler func(c echo.Context, who caller) error

// serve judges the caller, bounds the time, and makes every error a problem.
func (s *Server) serve(needs Role, within time.Duration, h handler) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, w := c.Request(), c.Response()
		if within != unbounded {
			ctx, cancel := context.WithTimeout(r.Context(), within)
			defer cancel()
			c.SetRequest(r.WithContext(ctx))
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet {
			// Also for a body that is refused unread: net/http reads on to its end.
			if err := http.NewResponseController(w.Writer).SetReadDeadline(time.Now().Add(bodyTime)); err != nil {
				return s.fail(c, fmt.Errorf("bound the body's time: %w", err))
			}
		}
		return s.fail(c, s.guard(c, needs, h))
	}
}

// guard makes a panic an error.
func (s *Server) guard(c echo.Context, needs Role, h handler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	who, refused := s.auth.authenticate(c.Request())
	if refused == nil {
		refused = who.allow(needs)
	}
	if refused != nil {
		return refused
	}
	return h(c, who)
}

// errGone says that the client does not take what is written.
var errGone = errors.New("the client is gone")

// fail answers err, if there is one. An answer that has begun is cut off, so
// that the client does not take it for whole.
func (s *Server) fail(c echo.Context, err error) error {
	r, w := c.Request(), c.Response()
	defer func() { s.metrics.answered(c.Path(), w.Status) }()
	if err == nil {
		return nil
	}
	if w.Committed {
		if r.Context().Err() == nil && !errors.Is(err, errGone) {
			s.log.LogAttrs(r.Context(), slog.LevelError, "an answer of the API was cut off", slog.String("path", c.Path()), slog.Any("error", err))
		}
		panic(http.ErrAbortHandler)
	}
	f := asRefusal(err)
	if f.status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		s.log.LogAttrs(r.Context(), slog.LevelError, "a request to the API failed", slog.String("method", r.Method), slog.String("path", c.Path()), slog.Any("error", err))
	}
	// Errors of the connection mean that nobody is there to be told.
	_ = boundWrite(w)
	_ = f.write(w)
	return nil
}

// boundWrite gives the client so long to accept what is written next.
func boundWrite(w *echo.Response) error {
	if err := http.NewResponseController(w.Writer).SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return fmt.Errorf("bound the answer's time: %w", err)
	}
	return nil
}

// answer sends v as JSON.
func (s *Server) answer(c echo.Context, status int, v any) error {
	if err := boundWrite(c.Response()); err != nil {
		return err
	}
	if err := c.JSON(status, v); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// place takes one of a bounded number of places, to be given back.
func place(places chan struct{}, what string) (release func(), refused *refusal) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	default:
		return nil, unavailable("Too busy", nil, "%d %s are open, which is the most there may be; try again", cap(places), what)
	}
}
