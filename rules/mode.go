package rules

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// ladder is the modes' order of trust, lowest first.
func ladder() []engine.Mode {
	return []engine.Mode{engine.ModeObserve, engine.ModeShadow, engine.ModeApprove, engine.ModeAuto}
}

func modeNames(modes []engine.Mode) []string {
	names := make([]string, len(modes))
	for i, m := range modes {
		names[i] = string(m)
	}
	return names
}

func (f *file) mode(n *yaml.Node) (engine.Mode, bool) {
	s, ok := f.oneOf(n, "mode", modeNames(ladder()))
	return engine.Mode(s), ok
}

// attemptMode reads an attempt's mode. It counts only where it is more careful
// than the rule's, so that turning a rule down turns all of it down.
func (f *file) attemptMode(n *yaml.Node, ruleMode engine.Mode) engine.Mode {
	s, ok := f.oneOf(n, "an attempt's mode", modeNames(ladder()[1:]))
	m := engine.Mode(s)
	if !ok || !above(ruleMode, m) {
		if ok && above(m, ruleMode) {
			f.warnf(n, "an attempt is never trusted more than its rule: this one stays at %s", ruleMode)
		}
		return ""
	}
	return m
}

func above(a, b engine.Mode) bool {
	return slices.Index(ladder(), a) > slices.Index(ladder(), b)
}

// effective is the mode of an attempt.
func effective(ruleMode, attempt engine.Mode) engine.Mode {
	if attempt != "" {
		return attempt
	}
	return ruleMode
}

// format writes a duration as rules do.
func format(d time.Duration) string { return model.Duration(d).String() }
