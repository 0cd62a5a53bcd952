package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tripgen/paramedic/internal/web"
	"github.com/tripgen/paramedic/receiver"
)

// mountWeb serves health and metrics in every process that serves HTTP, and the
// API in those that have the role and were told who may use it. rx replays what is
// in quarantine; nil where it cannot be.
func (a *App) mountWeb(e *echo.Echo, rx *receiver.Receiver) error {
	o := web.Options{
		Log: a.o.Logger.With("part", "web"), Now: time.Now, Metrics: a.metrics, Gatherer: a.metrics,
		Checks: []web.Check{{Name: "bus", Do: a.bus.Health}},
	}
	if a.responder != nil {
		o.Checks = append(o.Checks, web.Check{Name: "engine", Do: a.engineReady})
		// A worker group may not look at the quarantine.
		if err := a.metrics.Register(a.bus.QuarantineCollector()); err != nil {
			return fmt.Errorf("register the quarantine's metrics: %w", err)
		}
	}
	if a.rules != nil {
		o.Checks = append(o.Checks, web.Check{Name: "rules", Do: func(context.Context) error { return nil }, Warn: a.rulesWarning})
	}
	if a.servesAPI() {
		auth, err := a.apiAuth()
		if err != nil {
			return err
		}
		o.API = &web.API{Engine: a.responder, Pauses: a.bus.Pauses(), Ledger: a.bus, Inbox: a.bus, Quarantine: a.bus, Raise: a.raise, Auth: auth}
		if rx != nil {
			o.API.Replay = replayer(rx)
		}
	}
	s, err := web.New(o)
	if err != nil {
		return err
	}
	s.Mount(e)
	a.web = s
	return nil
}

func (a *App) servesAPI() bool { return a.has(RoleWeb) && a.o.Config.API.Enabled() }

func (a *App) engineReady(context.Context) error {
	if a.responder.Ready() {
		return nil
	}
	return errors.New("the ledger is not read to its end, or no rules are in force yet")
}

func (a *App) apiAuth() (web.Auth, error) {
	c := a.o.Config.API
	auth := web.Auth{Open: c.None, AnyAddress: c.None && !loopback(a.o.Config.Listen)}
	for _, t := range c.Tokens {
		role, err := web.ParseRole(string(t.Role))
		if err != nil {
			return web.Auth{}, err
		}
		auth.Tokens = append(auth.Tokens, web.Token{Name: t.Name, Role: role, Secret: t.Token.Read})
	}
	return auth, nil
}

// loopback reports whether only this machine reaches an address. An API that is
// open on another address was asked for in writing: the configuration sees to it.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
