package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tripgen/paramedic/receiver"
)

// readyWithin bounds how long a start waits for the ledger to be folded and the
// rules to be in force before it takes webhooks.
const readyWithin = 5 * time.Minute

// startEdges opens the HTTP server last: an alert that is taken must find an
// engine with rules.
func (a *App) startEdges(ctx context.Context) error {
	if !a.has(RoleReceiver) && !a.has(RoleWeb) && !a.o.Config.ListenWritten {
		return nil
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = receiver.ErrorHandler
	rx, err := a.newReceiver()
	if err != nil {
		return err
	}
	if a.has(RoleReceiver) {
		waiting, cancel := context.WithTimeout(ctx, readyWithin)
		defer cancel()
		if err := a.responder.AwaitReady(waiting); err != nil {
			return err
		}
		rx.Mount(e)
	}
	if err := a.mountWeb(e, rx); err != nil {
		return err
	}
	return a.serve(ctx, e)
}

// newReceiver makes a receiver where webhooks are taken, and also where only the
// API is served, for what it replays; nil where there is nothing to do for it.
func (a *App) newReceiver() (*receiver.Receiver, error) {
	if !a.has(RoleReceiver) && (!a.has(RoleWeb) || len(a.sources) == 0) {
		return nil, nil
	}
	rx, err := receiver.New(receiver.Options{
		Sources: a.sources, TrustedProxies: a.o.Config.TrustedProxies,
		Publisher: a.bus, Log: a.o.Logger.With("part", "receiver"), Metrics: a.metrics, Now: time.Now, IDs: newID,
	})
	if err != nil {
		return nil, err
	}
	a.life.onClose("receiver", closeEdge, rx.Close)
	return rx, nil
}

func (a *App) serve(ctx context.Context, handler http.Handler) error {
	certificate, clientCAs := tlsFiles(a.o.Config)
	server, err := receiver.NewServer(receiver.ServerOptions{
		Handler: handler, Log: a.o.Logger.With("part", "http"), Certificate: certificate, ClientCAs: clientCAs,
	})
	if err != nil {
		return err
	}
	if a.listener = a.o.Listener; a.listener == nil {
		var lc net.ListenConfig
		if a.listener, err = lc.Listen(ctx, "tcp", a.o.Config.Listen); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := serveOn(server, receiver.LimitListener(a.listener, 0), certificate != nil)
		if !errors.Is(err, http.ErrServerClosed) {
			a.life.fail(fmt.Errorf("the HTTP server ended: %w", err))
		}
	}()
	a.life.onClose("http server", closeEdge, func(ctx context.Context) error {
		a.web.Close() // ends the live streams, which Shutdown would wait for
		err := server.Shutdown(ctx)
		if err != nil {
			err = errors.Join(err, server.Close())
		}
		<-done
		return err
	})
	a.o.Logger.Info("serving", "address", a.listener.Addr().String(), "version", a.o.Version)
	return nil
}

func serveOn(s *http.Server, l net.Listener, encrypted bool) error {
	if encrypted {
		return s.ServeTLS(l, "", "")
	}
	return s.Serve(l)
}
