package simulation

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// rulebook is the rule sets of a world. They differ in modes, rungs and what they
// match, and agree in guards and budgets, so that what was promised stays the
// same when the rules change.
type rulebook struct {
	digests []string
	sets    map[string]*ruleset
	budgets []engine.Budget
}

// Set implements engine.Sets.
func (b rulebook) Set(digest string) (engine.RuleSet, bool) {
	s, ok := b.sets[digest]
	return s, ok
}

type rule struct {
	engine.Rule
	alerts []string
	// grouped says that its alerts of one zone join one run.
	grouped bool
}

type ruleset struct {
	digest  string
	rules   []*rule
	budgets []engine.Budget
}

func (s *ruleset) Digest() string           { return s.digest }
func (s *ruleset) Budgets() []engine.Budget { return s.budgets }

func (s *ruleset) Rule(name string) (*engine.Rule, bool) {
	for _, r := range s.rules {
		if r.Name == name {
			return &r.Rule, true
		}
	}
	return nil, false
}

func (s *ruleset) Match(a alert.Alert, _ time.Time) []engine.Match {
	var found []engine.Match
	for _, r := range s.rules {
		if !slices.Contains(r.alerts, a.Name) {
			continue
		}
		m := engine.Match{Rule: &r.Rule, Target: service(a.Labels["on"])}
		if a.Labels["on"] == "" {
			m.Err = errors.New("alert has no label on")
		}
		if r.grouped {
			m.Group = a.Labels["zone"]
		}
		found = append(found, m)
	}
	return found
}

// The actions: restart and resize are refused by the target if it changed since
// the plan, and can be observed; wipe is neither. Only resize can be put back.
const (
	restart = "restart"
	wipe    = "wipe"
	resize  = "resize"
)

// The rules.
const (
	watch    = "watch"
	ghost    = "ghost"
	failover = "failover"
	down     = "down"
	slow     = "slow"
	wide     = "wide"
	nightly  = "nightly"
)

func newRulebook(w *world) rulebook {
	b := rulebook{sets: map[string]*ruleset{}}
	b.budgets = []engine.Budget{
		{Name: "fleet", Rate: engine.Rate{Count: 3 + w.rng.IntN(6), Per: 10 * time.Minute}},
		{Name: "group", Key: groupOf, Rate: engine.Rate{Count: 2 + w.rng.IntN(4), Per: 6 * time.Minute}, Concurrent: 1 + w.rng.IntN(2)},
	}
	laws := drawLaws(w)
	otherwise := drawOtherwise(w)
	for i := range 3 {
		digest := string(rune('a' + i))
		b.digests = append(b.digests, digest)
		acting := func(name string, mode engine.Mode, alerts ...string) *rule {
			return &rule{alerts: alerts, grouped: name == wide, Rule: engine.Rule{
				Name: name, Mode: mode, Guards: laws[name].guards, Unless: laws[name].unless,
				Attempts: drawAttempts(w), Otherwise: otherwise,
			}}
		}
		b.sets[digest] = &ruleset{digest: digest, budgets: b.budgets, rules: []*rule{
			{alerts: []string{"Noise"}, Rule: engine.Rule{Name: watch, Mode: engine.ModeObserve}},
			{alerts: []string{"Slow"}, Rule: engine.Rule{Name: ghost, Mode: engine.ModeShadow, Guards: laws[down].guards, Unless: laws[down].unless, Attempts: drawAttempts(w)}},
			acting(failover, pick(w, engine.ModeAuto, engine.ModeAuto, engine.ModeApprove, engine.ModeShadow), "Region"),
			acting(down, pick(w, engine.ModeAuto, engine.ModeAuto, engine.ModeAuto, engine.ModeApprove), "Down", "Odd"),
			acting(slow, pick(w, engine.ModeAuto, engine.ModeApprove, engine.ModeShadow),
				pick(w, []string{"Slow", "Noise"}, []string{"Slow", "Noise", "Down"}, []string{"Slow"})...),
			acting(wide, pick(w, engine.ModeAuto, engine.ModeAuto, engine.ModeApprove), "Wide"),
			restoring(acting(nightly, pick(w, engine.ModeAuto, engine.ModeAuto, engine.ModeAuto, engine.ModeApprove, engine.ModeShadow), pick(w, night, night, night, "Nothing")), w),
		}}
	}
	return b
}

func pick[T any](w *world, of ...T) T { return of[w.rng.IntN(len(of))] }

// drawOtherwise gives routes of which one may not be told.
func drawOtherwise(w *world) []engine.Routing {
	lost := w.chance(0.2)
	return []engine.Routing{{Reporter: "log"}, {Reporter: "pager", To: func(s engine.Scope) (string, error) {
		if lost {
			return "", errors.New("no team")
		}
		return "team-" + canonical(s.Target).Name, nil
	}}}
}

func drawAttempts(w *world) []engine.Attempt {
	attempts := make([]engine.Attempt, 1+w.rng.IntN(3))
	for i := range attempts {
		attempts[i] = engine.Attempt{
			Name: string(rune('1' + i)), Retries: w.rng.IntN(4), Backoff: 5 * time.Second, Timeout: 20 * time.Second,
			Mode: pick(w, "", "", "", "", engine.ModeApprove, engine.ModeShadow), Undo: w.chance(0.7),
			Verify: engine.Verify{
				AlertResolved: w.chance(0.6), Within: w.between(time.Minute, 4*time.Minute), Stable: w.between(0, 30*time.Second),
			},
		}
		for _, name := range pick(w,
			[]string{restart}, []string{wipe}, []string{wipe, restart}, []string{resize}, []string{resize},
			[]string{resize, restart}, []string{resize, resize}, []string{resize, wipe, resize},
		) {
			attempts[i].Do = append(attempts[i].Do, drawAction(w, name))
		}
		if w.chance(0.5) {
			attempts[i].Verify.Probes = []engine.Probe{{Kind: "http", Params: nothing}}
		}
		if w.chance(0.4) {
			attempts[i].Check = []engine.Probe{{Kind: "http", Params: nothing}}
		}
	}
	if w.chance(0.8) {
		attempts[0].Mode = "" // or too few worlds would see anything done
	}
	if w.chance(0.15) {
		onlyLooks(&attempts[w.rng.IntN(len(attempts))])
	}
	return attempts
}

// drawAction gives some actions a target of their own.
func drawAction(w *world, name string) engine.Action {
	a := engine.Action{Name: name, Group: "here", Undoable: name == resize, Params: nothing}
	if w.chance(0.2) {
		own := service("svc-" + strconv.Itoa(w.rng.IntN(services)))
		a.Target = func(engine.Scope) (engine.Target, error) { return own, nil }
	}
	return a
}

// onlyLooks makes an attempt one that does nothing, but verifies.
func onlyLooks(a *engine.Attempt) {
	a.Do, a.Check, a.Mode, a.Group = nil, nil, "", "here"
	if len(a.Verify.Probes) == 0 {
		a.Verify.AlertResolved = true
	}
}

func nothing(engine.Scope) (json.RawMessage, error) { return nil, nil } //nolint:nilnil // no parameters, no error

func service(name string) engine.Target {
	return engine.Target{System: engine.SystemHTTP, Name: name}
}

// canonical is what a pod belongs to: pod-2-1 to svc-2.
func canonical(t engine.Target) engine.Target {
	if rest, ok := strings.CutPrefix(t.Name, "pod-"); ok {
		return service("svc-" + rest[:1])
	}
	return t
}

// groupOf separates the odd services from the even ones.
func groupOf(s engine.Scope) (string, error) {
	name := canonical(s.Target).Name
	if (name[len(name)-1]-'0')%2 == 0 {
		return "even", nil
	}
	return "odd", nil
}
