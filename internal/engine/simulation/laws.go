package simulation

import (
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// law is what holds a rule's runs back, the same in every rule set of a world.
type law struct {
	guards engine.Guards
	unless []engine.Inhibitor
}

// drawLaws gives each rule some guards. Each of the rarer ones is in some worlds
// only, or nothing would ever be done.
func drawLaws(w *world) map[string]law {
	laws := map[string]law{}
	for _, name := range []string{failover, down, slow, wide, nightly} {
		laws[name] = law{guards: drawGuards(w)}
	}
	for _, name := range []string{down, slow, wide, nightly} {
		l := laws[name]
		l.unless, l.guards.Requires = drawUnless(w, name), drawRequires(w, name)
		laws[name] = l
	}
	return laws
}

func drawGuards(w *world) engine.Guards {
	minutes := func(of ...int) time.Duration { return time.Duration(pick(w, of...)) * time.Minute }
	g := engine.Guards{
		Cooldown: minutes(0, 2, 6), Freshness: minutes(4, 7, 12),
		Limits:  []engine.Rate{{Count: 1 + w.rng.IntN(4), Per: 15 * time.Minute}},
		Flap:    engine.Rate{Count: pick(w, 0, 2, 4), Per: 5 * time.Minute},
		Breaker: pick(w, 0, 2, 3), Relapse: minutes(0, 10, 30), Approval: minutes(3, 8),
		Concurrent: pick(w, 0, 0, 1, 2), HoldDown: minutes(0, 0, 0, 1, 4),
		MinHealthy: pick(w, engine.Share{}, engine.Share{}, engine.Share{}, engine.Share{Count: 2}, engine.Share{Percent: 60}),
	}
	for range pick(w, 0, 0, 0, 1, 2) {
		g.Windows = append(g.Windows, drawWindow(w))
	}
	return g
}

// drawUnless never has two rules hold each other.
func drawUnless(w *world, name string) []engine.Inhibitor {
	var unless []engine.Inhibitor
	if w.chance(0.2) {
		unless = append(unless, whileFiring("Region", "zone"))
	}
	if w.chance(0.2) {
		unless = append(unless, whileFiring("Deploy", "svc"))
	}
	if w.chance(0.2) {
		unless = append(unless, whileAtWork(failover))
	}
	if name == slow && w.chance(0.3) {
		unless = append(unless, whileAtWork(down))
	}
	if name == wide && w.chance(0.3) {
		unless = append(unless, whileAtWork(nightly))
	}
	return unless
}

func whileFiring(name, equal string) engine.Inhibitor {
	return engine.Inhibitor{Text: name + " by " + equal, AlertName: name, Alert: func(own, other alert.Alert) bool {
		return other.Name == name && own.Labels[equal] == other.Labels[equal]
	}}
}

func whileAtWork(rule string) engine.Inhibitor {
	return engine.Inhibitor{Text: "rule " + rule, Rule: rule}
}

func drawRequires(w *world, name string) []engine.Requirement {
	if w.chance(0.7) {
		return nil
	}
	of := failover
	switch name {
	case slow:
		of = down
	case down:
		of = pick(w, failover, nightly)
	}
	return []engine.Requirement{{Rule: of, State: pick(w, engine.RuleIdle, engine.RuleCured, engine.RuleTrusted)}}
}

// drawWindow gives one that comes again and again, or once.
func drawWindow(w *world) engine.Window {
	win := engine.Window{Name: "night", Effect: pick(w, engine.WindowHold, engine.WindowHold, engine.WindowAllow)}
	period, length := w.between(8*time.Minute, 20*time.Minute), w.between(2*time.Minute, 4*time.Minute)
	if win.Effect == engine.WindowAllow {
		length *= 2
	}
	first := epoch().Add(w.between(-period, period))
	if w.chance(0.2) {
		win.Open = once(first, first.Add(3*length))
	} else {
		win.Open = everySoOften(first, period, length)
	}
	return win
}

func once(from, to time.Time) func(time.Time) (bool, time.Time) {
	return func(at time.Time) (bool, time.Time) {
		switch {
		case at.Before(from):
			return false, from
		case at.Before(to):
			return true, to
		}
		return false, time.Time{}
	}
}

func everySoOften(first time.Time, period, length time.Duration) func(time.Time) (bool, time.Time) {
	return func(at time.Time) (bool, time.Time) {
		into := at.Sub(first) % period
		if into < 0 {
			into += period
		}
		if into < length {
			return true, at.Add(length - into)
		}
		return false, at.Add(period - into)
	}
}
