package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/receiver/alertmanager/webhook"
)

const (
	stormSize = 500
	// fleetBudget is the budget of rules.yaml.
	fleetBudget = 25
	// actWithin bounds each act: far beyond what it takes.
	actWithin = 45 * time.Second
)

// act is one scene: what breaks, and what must have come of it.
type act struct {
	title string
	play  func(ctx context.Context, s *stage) error
}

func acts() []act {
	return []act{
		{"A stale cache: place does not answer its health check. The first rung clears the caches.", cacheAct},
		{"A deadlock: itinerary hangs. Clearing caches does not cure it, so the second rung restarts.", deadlockAct},
		{fmt.Sprintf("A storm: %d instances report down at once. The fleet budget lets %d attempts act in 10 minutes.", stormSize, fleetBudget), stormAct},
	}
}

func cacheAct(ctx context.Context, s *stage) error {
	place := s.town["place"]
	place.breakWith(staleCache)
	run, err := s.endOfRun(ctx, "place")
	if err != nil {
		return err
	}
	if err := s.expect(run, engine.Cured, 0); err != nil {
		return err
	}
	return counted(place, map[string]int{"DELETE /actuator/caches": 1, "POST /actuator/restart": 0})
}

func deadlockAct(ctx context.Context, s *stage) error {
	itinerary := s.town["itinerary"]
	itinerary.breakWith(deadlock)
	run, err := s.endOfRun(ctx, "itinerary")
	if err != nil {
		return err
	}
	if err := s.expect(run, engine.Cured, 1); err != nil {
		return err
	}
	return counted(itinerary, map[string]int{"DELETE /actuator/caches": 1, "POST /actuator/restart": 1})
}

// stormAct breaks a whole fleet. The three attempts of the acts before count
// against the same budget.
func stormAct(ctx context.Context, s *stage) error {
	const allowed = fleetBudget - 3
	alerts := make([]webhook.Alert, 0, stormSize)
	since := time.Now()
	for _, name := range s.fleet {
		s.town[name].breakWith(deadlock)
		alerts = append(alerts, s.monitor.alert("InstanceDown", name, since))
	}
	if err := s.monitor.send(ctx, alerts...); err != nil {
		return err
	}
	count, err := s.until(ctx, func(c census) bool { return c.cured == allowed && c.held == stormSize-allowed })
	if err != nil {
		return fmt.Errorf("%w: %d cured and %d held by the budget, want %d and %d", err, count.cured, count.held, allowed, stormSize-allowed)
	}
	restarted := 0
	for _, name := range s.fleet {
		n := s.town[name].counted("POST /actuator/restart")
		if n > 1 {
			return fmt.Errorf("%s was restarted %d times", name, n)
		}
		restarted += n
	}
	if restarted != allowed {
		return fmt.Errorf("%d instances were restarted, want %d", restarted, allowed)
	}
	s.tell.say("%d restarted and cured, %d held, each with its reason: %s", restarted, count.held, count.reason)
	return nil
}

// counted compares what a service was asked with what it must have been asked.
func counted(s *service, want map[string]int) error {
	var wrong []string
	for request, n := range want {
		if have := s.counted(request); have != n {
			wrong = append(wrong, fmt.Sprintf("%s came %d times, want %d", request, have, n))
		}
	}
	if up, why := s.up(); !up {
		wrong = append(wrong, "it is still down: "+why)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s: %s", s.name, strings.Join(wrong, "; "))
	}
	return nil
}

// census counts the fleet's runs.
type census struct {
	cured, held int
	reason      string
}

func (c *census) count(r *engine.Run) {
	switch {
	case r.Rule != "instance-down":
	case r.Outcome == engine.Cured:
		c.cured++
	case r.Phase == engine.PhaseHeld && r.Guard == engine.GuardBudget:
		c.held++
		c.reason = r.Why
	}
}
