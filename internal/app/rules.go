package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/reload"
	"github.com/tripgen/paramedic/internal/responder"
	"github.com/tripgen/paramedic/rules"
)

const (
	// lookAtRules is how long lies between two looks at the rule files, and
	// settleRules how long they must then stay as they are: a change is in use
	// within 3 s.
	lookAtRules = 2 * time.Second
	settleRules = 300 * time.Millisecond
)

// compileRules compiles rule sets.
func compileRules(c rules.Catalog) responder.Compiler {
	return func(files []engine.Source) (engine.RuleSet, error) {
		set, findings := rules.Parse(files, c)
		if err := findings.Err(); err != nil {
			return nil, fmt.Errorf("rules:\n%w", err)
		}
		return set, nil
	}
}

// admitRules also refuses rules that would wait for ever, since nothing here sets
// them off.
func (a *App) admitRules(c rules.Catalog) responder.Compiler {
	return func(files []engine.Source) (engine.RuleSet, error) {
		set, findings := rules.Parse(files, c)
		err := findings.Err()
		if err == nil {
			if err = errors.Join(set.Runnable(c.Triggers), a.checkTriggers(set.Triggers()), checkLookers(set, c)); err == nil {
				return set, nil
			}
			for _, f := range findings {
				if f.Code == rules.CodeUnavailable {
					err = errors.Join(err, errors.New(f.String()))
				}
			}
		}
		return nil, fmt.Errorf("rules:\n%w", err)
	}
}

// loadRules reads the rule files, their patterns expanded anew; none if the
// configuration names none.
func (a *App) loadRules() ([]engine.Source, error) {
	if len(a.o.Config.Rules) == 0 {
		return nil, nil
	}
	return rules.Load(a.o.Config.Rules...)
}

// watchRules has the responder follow the rule files, where it decides.
func (a *App) watchRules(ctx context.Context, initial []engine.Source) error {
	if len(initial) == 0 || !a.has(RoleEngine) {
		return nil
	}
	metrics, err := reload.NewMetrics(a.metrics)
	if err != nil {
		return err
	}
	a.rules, err = reload.New(reload.Options{
		Load: a.loadRules, Use: a.responder.Reload, Initial: initial, Digest: rules.Digest(initial),
		Every: lookAtRules, Settle: settleRules, Wake: a.o.Reload,
		Now: time.Now, Logger: a.o.Logger.With("part", "rules"), Metrics: metrics,
	})
	if err != nil {
		return err
	}
	a.life.run(ctx, "rules", closePart, a.rules.Run)
	return nil
}

// longestWarning bounds what /readyz says of refused rules, in bytes.
const longestWarning = 4 << 10

// rulesWarning is for /readyz: the old rules are ready, but the new ones are not
// in use.
func (a *App) rulesWarning() string {
	s := a.rules.Status()
	if s.Refused == nil {
		return ""
	}
	why := s.Refused.Error()
	if len(why) > longestWarning {
		why = strings.ToValidUTF8(why[:longestWarning], "") + "..."
	}
	return fmt.Sprintf("the rule files as they are since %s are refused, and the rules %s stay in use: %s", s.Since.UTC().Format(time.RFC3339), s.Digest, why)
}
