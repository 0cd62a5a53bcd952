package web

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tripgen/paramedic/internal/web/api"
)

const (
	// checkWithin bounds all checks of one look.
	checkWithin = 2 * time.Second
	// lookAgain is how long a look counts: /readyz is open to anybody, and must
	// not be a way to make the bus work.
	lookAgain = time.Second
)

// healthz says that the process is alive. It asks nobody: a process whose bus is
// away is not mended by killing it.
func (s *Server) healthz(c echo.Context) error {
	return s.answer(c, http.StatusOK, map[string]string{"status": "alive"})
}

// readyz says whether everything is ready, and what is not.
func (s *Server) readyz(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	now := s.ready.look(c.Request().Context())
	if s.life.Err() != nil {
		now = now.with("server", api.Component{Reason: "shutting down"})
	}
	status := http.StatusOK
	if !now.Ready {
		status = http.StatusServiceUnavailable
	}
	return s.answer(c, status, api.Ready(now))
}

type verdicts api.Ready

func (v verdicts) with(name string, c api.Component) verdicts {
	all := make(map[string]api.Component, len(v.Components)+1)
	maps.Copy(all, v.Components)
	all[name] = c
	return verdicts{Ready: v.Ready && c.Ready, Components: all}
}

// readiness looks at the components, not more often than lookAgain.
type readiness struct {
	checks []Check
	now    func() time.Time

	mu   sync.Mutex
	last verdicts
	at   time.Time
}

// look returns the verdicts, which must not be changed. Of several callers one
// looks and the others wait for it.
func (r *readiness) look(ctx context.Context) verdicts {
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := r.now().Sub(r.at); !r.at.IsZero() && age >= 0 && age < lookAgain {
		return r.last
	}
	// Not the first caller's to cut short: its verdict is others' as well.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkWithin)
	defer cancel()
	found := make([]api.Component, len(r.checks))
	var looking sync.WaitGroup
	for i, c := range r.checks {
		looking.Go(func() {
			if err := c.Do(ctx); err != nil {
				found[i] = api.Component{Reason: err.Error()}
				return
			}
			found[i] = api.Component{Ready: true}
			if c.Warn != nil {
				found[i].Warning = c.Warn()
			}
		})
	}
	looking.Wait()
	all := verdicts{Ready: true, Components: make(map[string]api.Component, len(found))}
	for i, c := range r.checks {
		all.Components[c.Name] = found[i]
		all.Ready = all.Ready && found[i].Ready
	}
	r.last, r.at = all, r.now()
	return all
}
